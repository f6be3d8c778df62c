// When to connect, and to which broker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <variant>

namespace haypile {

// How long to wait between rounds of attempts. In a round each host of the list is tried once.
struct Backoff {
  // The wait after the first round, and the longest one: 1 ms to a day each. Each wait is `factor`
  // (1 or more) times the one before it.
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds most{30'000};
  double factor = 2;
  // A wait is shorter by a random share of itself, up to this one (0 to 1), so that many clients of
  // one broker do not all come back at the same moment.
  double jitter = 0.3;
  // How many rounds in a row may fail before the client gives up. 0: there is no limit.
  unsigned tries = 0;
  // A connection that has lasted this long was a success: after it everything begins anew. A
  // shorter one counts as a failed attempt, so that nobody hammers at a broker that lets clients in
  // and drops them at once.
  std::chrono::milliseconds lasting{10'000};
};

// Decides about the attempts of one client to connect; somebody else makes them. Each input returns
// what is to be done now:
//
//   state        input                          next state    action
//   idle         start                          connecting    Connect
//   connecting   connected                      up            Nothing
//   connecting   connect_failed, refused,       connecting    Connect to the next host
//                with a host left in the round
//   connecting   connect_failed, refused        waiting       WaitUntil
//   connecting   refused for good               ended         GiveUp{refused}
//   up           lost, and it had lasted        connecting    Connect: a new round
//   up           lost too early                 as connect_failed
//   waiting      tick, when the wait is over    connecting    Connect: a new round
//   any          stop                           ended         GiveUp{stopped}
//
// Where WaitUntil stands, it is GiveUp{failed} after Backoff::tries rounds, or without a backoff.
// Without a backoff, a connection that is lost is GiveUp{lost}. An input that has no line in the
// table is ignored (Nothing): what was under way may still end after stop().
//
// Nothing is silent: each WaitUntil is an event that the user should be told, with what failed.
class Reconnect {
 public:
  using Time = std::chrono::steady_clock::time_point;

  enum class Reason : std::uint8_t { failed, refused, lost, stopped };
  struct Nothing {
    bool operator==(const Nothing&) const = default;
  };
  struct Connect {
    std::size_t host;  // an index into the list of hosts
    bool operator==(const Connect&) const = default;
  };
  struct WaitUntil {
    Time time;
    bool operator==(const WaitUntil&) const = default;
  };
  struct GiveUp {
    Reason reason;
    bool operator==(const GiveUp&) const = default;
  };
  using Action = std::variant<Nothing, Connect, WaitUntil, GiveUp>;

  // There is at least one host. Without a backoff, each host is tried once, and nothing reconnects.
  // `random` returns a number from 0 to below 1; the first one chooses the host to begin with.
  Reconnect(std::size_t host_count, std::optional<Backoff> backoff, std::function<double()> random);

  Action start(Time now);
  Action connect_failed(Time now);
  // The connection can be used: the handshake is done, and what is needed has been declared.
  Action connected(Time now);
  // The connection is over, whoever ended it, unless it was by stop().
  Action lost(Time now);
  // The broker has answered, and has refused this client: a wrong password, or no such virtual
  // host. After the round the longest wait follows. `for_good` gives up instead: it is for a client
  // that never was connected, whose options are wrong. One that was let in before outlives a broker
  // whose users are being changed.
  Action refused(Time now, bool for_good);
  Action stop();
  // Does what is due. Call it at deadline(); it may be called at any time.
  Action tick(Time now);
  // When the wait is over; Time::max() unless there is one.
  Time deadline() const { return state_ == State::waiting ? until_ : Time::max(); }

 private:
  enum class State : std::uint8_t { idle, connecting, up, waiting, ended };

  Action begin_round();
  Action connect_next();
  Action attempt_failed(Time now);
  Action give_up(Reason reason);

  const std::size_t host_count_;
  const std::optional<Backoff> backoff_;
  const std::function<double()> random_;

  State state_ = State::idle;
  std::size_t host_;  // the one that was tried last
  std::size_t left_in_round_ = 0;
  unsigned failed_rounds_ = 0;  // in a row; counted only if there is a limit
  double wait_ms_ = 0;          // the next wait, before its jitter
  Time connected_at_{};
  Time until_{};
};

}  // namespace haypile
