#include "server/admission.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "server/descriptors.hpp"

namespace haypile::server {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array reasons{"out of file descriptors",
                             "too many connections that have not logged in",
                             "too many connections of one address that have not logged in"};

}  // namespace

Admission::Admission(asio::io_context& io, LoginLimits limits, Report report)
    : report_(std::move(report)), gate_(std::make_shared<LoginGate>(limits)), timer_(io) {}

bool Admission::enter(Socket& socket, const Peer& peer, LoginGate::Place& place) {
  const std::size_t descriptors_end = connection_descriptors_end();
  const int descriptor = socket.native_handle();
  if (static_cast<std::size_t>(descriptor) >= descriptors_end) {
    turn_away(Reason::descriptors);
    return false;
  }
  if (peer.network.empty()) return true;  // the client is in this process
  // Connections without a login leave half of the descriptors to those with one.
  const auto verdict =
      gate_->enter(peer.network, peer.is_local, descriptors_end / 2, Clock::now(), place);
  if (verdict == LoginGate::Verdict::welcome) return true;
  turn_away(verdict == LoginGate::Verdict::too_many ? Reason::logins : Reason::address);
  return false;
}

Time Admission::refuse(const Peer& peer) {
  return gate_->refuse(peer.network, Clock::now());
}

void Admission::turn_away(Reason reason) {
  const auto number = static_cast<std::size_t>(reason);
  if (spells_.at(number).count(Clock::now())) {
    report_(Severity::warning,
            std::string(reasons.at(number)) + ": new connections are closed at once");
  }
  wait();
}

void Admission::wait() {
  if (std::exchange(waiting_, true)) return;
  timer_.expires_after(std::chrono::seconds(1));
  timer_.async_wait([this](const boost::system::error_code& error) {
    waiting_ = false;
    if (!error) report_ended();
  });
}

void Admission::report_ended() {
  for (std::size_t number = 0; number < spells_.size(); ++number) {
    if (const auto count = spells_.at(number).take_ended(Clock::now())) {
      report_(Severity::info, std::to_string(*count) + " connections were closed at once (" +
                                  reasons.at(number) + "), none for ten seconds now");
    }
  }
  if (std::ranges::any_of(spells_, &Spell::is_on)) wait();
}

}  // namespace haypile::server
