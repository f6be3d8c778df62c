// Tests of when a client connects again, as transcripts.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "client/core/reconnect.hpp"

using haypile::Backoff;
using haypile::Reconnect;
using std::chrono::milliseconds;
using Connect = Reconnect::Connect;
using GiveUp = Reconnect::GiveUp;
using Reason = Reconnect::Reason;

namespace {

// What is told of an action: "connect 0", "wait 100", "give up: lost" or "". A wait is in
// milliseconds from `now` on.
std::string told(const Reconnect::Action& action, Reconnect::Time now) {
  if (const auto* connect = std::get_if<Connect>(&action)) {
    return "connect " + std::to_string(connect->host);
  }
  if (const auto* wait = std::get_if<Reconnect::WaitUntil>(&action)) {
    const auto ms = std::chrono::duration_cast<milliseconds>(wait->time - now);
    return "wait " + std::to_string(ms.count());
  }
  if (const auto* end = std::get_if<GiveUp>(&action)) {
    const std::vector<std::string> names{"failed", "refused", "lost", "stopped"};
    return "give up: " + names.at(static_cast<std::size_t>(end->reason));
  }
  return "";
}

// A client with a clock that only the test moves. `random` is what each random number is.
struct Script {
  explicit Script(std::size_t hosts, std::optional<Backoff> backoff = Backoff{}, double random = 0)
      : reconnect(hosts, backoff, [random] { return random; }) {}

  std::string start() { return told(reconnect.start(now), now); }
  std::string fail() { return told(reconnect.connect_failed(now), now); }
  std::string connected() { return told(reconnect.connected(now), now); }
  std::string lose() { return told(reconnect.lost(now), now); }
  std::string refuse(bool for_good) { return told(reconnect.refused(now, for_good), now); }
  std::string stop() { return told(reconnect.stop(), now); }
  std::string tick() { return told(reconnect.tick(now), now); }
  std::string tick_at_deadline() {
    REQUIRE(reconnect.deadline() != Reconnect::Time::max());
    now = reconnect.deadline();
    return tick();
  }

  Reconnect reconnect;
  Reconnect::Time now{std::chrono::hours(1)};
};

}  // namespace

TEST_CASE("waits become longer up to the longest one, for ever") {
  Script client(1);
  CHECK(client.start() == "connect 0");
  for (const int wait : {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}) {
    CHECK(client.fail() == "wait " + std::to_string(wait));
    CHECK(client.tick() == "");
    CHECK(client.tick_at_deadline() == "connect 0");
    CHECK(client.reconnect.deadline() == Reconnect::Time::max());
  }
}

TEST_CASE("a wait is shorter by the jitter") {
  Script client(1, Backoff{.jitter = 0.4}, 0.5);
  client.start();
  CHECK(client.fail() == "wait 80");
  client.tick_at_deadline();
  CHECK(client.fail() == "wait 160");
}

TEST_CASE("all hosts are tried, from a random one on, before there is a wait") {
  Script client(3, Backoff{.jitter = 0}, 0.5);
  CHECK(client.start() == "connect 1");
  CHECK(client.fail() == "connect 2");
  CHECK(client.fail() == "connect 0");
  CHECK(client.fail() == "wait 100");
  CHECK(client.tick_at_deadline() == "connect 1");
  CHECK(client.fail() == "connect 2");
  CHECK(client.connected() == "");
}

TEST_CASE(
    "a connection that has lasted is made again at once, with the lost host as the last one") {
  Script client(2);
  client.start();
  client.fail();
  client.fail();
  client.tick_at_deadline();
  CHECK(client.connected() == "");
  client.now += milliseconds(10'000);
  CHECK(client.lose() == "connect 1");
  CHECK(client.fail() == "connect 0");
  CHECK(client.fail() == "wait 100");
}

TEST_CASE("a broker that lets clients in and drops them is not hammered at") {
  Script client(1);
  client.start();
  for (const int wait : {100, 200, 400, 800}) {
    CHECK(client.connected() == "");
    client.now += milliseconds(9'999);
    CHECK(client.lose() == "wait " + std::to_string(wait));
    CHECK(client.tick_at_deadline() == "connect 0");
  }
}

TEST_CASE("a client that is refused goes on after the longest wait, unless that is for good") {
  Script client(2);
  client.start();
  CHECK(client.refuse(false) == "connect 1");
  CHECK(client.fail() == "wait 30000");
  CHECK(client.tick_at_deadline() == "connect 0");
  CHECK(client.refuse(true) == "give up: refused");
  CHECK(client.tick() == "");
  CHECK(client.start() == "");
}

TEST_CASE("as many rounds are tried as the user has said") {
  Script client(2, Backoff{.tries = 2});
  client.start();
  client.fail();
  CHECK(client.fail() == "wait 100");
  CHECK(client.tick_at_deadline() == "connect 0");
  CHECK(client.fail() == "connect 1");
  CHECK(client.fail() == "give up: failed");
}

TEST_CASE("a connection that has lasted makes failed rounds forgotten") {
  Script client(1, Backoff{.tries = 2});
  client.start();
  client.fail();
  client.tick_at_deadline();
  client.connected();
  client.now += milliseconds(10'000);
  CHECK(client.lose() == "connect 0");
  CHECK(client.fail() == "wait 100");
  client.tick_at_deadline();
  CHECK(client.fail() == "give up: failed");
}

TEST_CASE("without a backoff each host is tried once, and nothing reconnects") {
  Script fails(2, std::nullopt);
  CHECK(fails.start() == "connect 0");
  CHECK(fails.fail() == "connect 1");
  CHECK(fails.fail() == "give up: failed");
  Script loses(2, std::nullopt);
  loses.start();
  loses.connected();
  loses.now += std::chrono::hours(1);
  CHECK(loses.lose() == "give up: lost");
}

TEST_CASE("what was under way when the client was stopped may end, and changes nothing") {
  Script client(1);
  client.start();
  CHECK(client.stop() == "give up: stopped");
  CHECK(client.stop() == "");
  CHECK(client.fail() == "");
  CHECK(client.connected() == "");
  CHECK(client.lose() == "");
  CHECK(client.refuse(true) == "");
  CHECK(client.reconnect.deadline() == Reconnect::Time::max());
  Script waits(1);
  waits.start();
  waits.fail();
  CHECK(waits.stop() == "give up: stopped");
  CHECK(waits.reconnect.deadline() == Reconnect::Time::max());
}

TEST_CASE("options that make no sense are put within their bounds") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const milliseconds longest = milliseconds::max();
  Script client(1,
                Backoff{.first = milliseconds(-5), .most = longest, .factor = nan, .jitter = nan});
  client.start();
  CHECK(client.fail() == "wait 1");
  client.tick_at_deadline();
  CHECK(client.fail() == "wait 1");
  const double infinity = std::numeric_limits<double>::infinity();
  Script grows(1, Backoff{.first = longest, .most = longest, .factor = infinity, .jitter = -1});
  grows.start();
  for (int i = 0; i < 3; ++i) {
    CHECK(grows.fail() == "wait 86400000");
    grows.tick_at_deadline();
  }
}

namespace {

// A world of random inputs. It knows what is under way, so it sees a second attempt beside another.
class RandomWorld {
 public:
  explicit RandomWorld(unsigned seed)
      : random_(seed),
        hosts_(1 + random_() % 4),
        backoff_{.first = milliseconds(1 + random_() % 200),
                 .most = milliseconds(200 + random_() % 9000),
                 .factor = 1 + fraction() * 3,
                 .jitter = fraction(),
                 .lasting = milliseconds(5000)},
        reconnect_(hosts_, backoff_, [this] { return fraction(); }) {}

  void run(int steps) {
    obey(reconnect_.start(now_));
    for (int i = 0; i < steps && is_good_; ++i) {
      now_ += milliseconds(random_() % 3000);
      step();
    }
  }
  bool is_good() const { return is_good_; }
  bool has_ended() const { return has_ended_; }
  int attempts() const { return attempts_; }

 private:
  double fraction() { return static_cast<double>(random_() % 1000) / 1000; }

  // Any input may come at any time; only those that fit what is under way may change it.
  void step() {
    switch (random_() % 6) {
      case 0:
        return obey(reconnect_.tick(now_));
      case 1:
        if (reconnect_.deadline() != Reconnect::Time::max()) now_ = reconnect_.deadline();
        return obey(reconnect_.tick(now_));
      case 2:
        is_connecting_ = false;
        return obey(reconnect_.connect_failed(now_));
      case 3:
        is_connecting_ = false;
        return obey(reconnect_.refused(now_, false));
      case 4:
        if (is_connecting_) connected_at_ = now_;
        is_up_ = is_up_ || is_connecting_;
        is_connecting_ = false;
        return obey(reconnect_.connected(now_));
      default:
        if (is_up_ && now_ - connected_at_ >= backoff_.lasting) attempts_without_wait_ = 0;
        is_up_ = false;
        return obey(reconnect_.lost(now_));
    }
  }
  void obey(const Reconnect::Action& action) {
    if (const auto* connect = std::get_if<Connect>(&action)) {
      is_good_ = is_good_ && !is_connecting_ && !is_up_ && connect->host < hosts_;
      is_good_ = is_good_ && now_ >= waits_until_;
      // A round has each host once.
      is_good_ = is_good_ && ++attempts_without_wait_ <= hosts_;
      is_connecting_ = true;
      ++attempts_;
    }
    if (const auto* wait = std::get_if<Reconnect::WaitUntil>(&action)) {
      is_good_ = is_good_ && !is_connecting_ && !is_up_ && wait->time == reconnect_.deadline();
      const auto least = static_cast<double>(backoff_.first.count()) * (1 - backoff_.jitter);
      const double wait_ms = std::chrono::duration<double, std::milli>(wait->time - now_).count();
      is_good_ = is_good_ && wait_ms > least - 0.01;
      is_good_ = is_good_ && wait->time <= now_ + backoff_.most;
      waits_until_ = wait->time;
      attempts_without_wait_ = 0;
    }
    has_ended_ = has_ended_ || std::holds_alternative<GiveUp>(action);
  }

  std::mt19937 random_;
  const std::size_t hosts_;
  const Backoff backoff_;
  Reconnect reconnect_;
  Reconnect::Time now_{std::chrono::hours(1)};
  Reconnect::Time waits_until_{};
  Reconnect::Time connected_at_{};
  bool is_connecting_ = false;
  bool is_up_ = false;
  bool is_good_ = true;
  bool has_ended_ = false;
  std::size_t attempts_without_wait_ = 0;
  int attempts_ = 0;
};

}  // namespace

TEST_CASE("whatever comes, one attempt is under way at most, and waits keep their bounds") {
  int attempts = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    RandomWorld world(seed);
    world.run(2000);
    CHECK(world.is_good());
    CHECK_FALSE(world.has_ended());
    attempts += world.attempts();
  }
  CHECK(attempts > 20'000);
}

TEST_CASE("ten thousand failures later the client still tries, as often as before") {
  Script client(1, Backoff{.factor = 1e300}, 0.999);
  client.start();
  bool is_same = true;
  for (int i = 0; i < 10'000; ++i) {
    const std::string wait = client.fail();
    if (i > 0) is_same = is_same && wait == "wait 21009";
    is_same = is_same && client.tick_at_deadline() == "connect 0";
  }
  CHECK(is_same);
}
