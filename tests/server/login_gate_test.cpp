#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "server/login_gate.hpp"
#include "server/spell.hpp"

using haypile::server::LoginGate;
using haypile::server::Spell;
using haypile::server::Time;
using namespace std::chrono_literals;
using Verdict = LoginGate::Verdict;

namespace {

constexpr std::size_t no_other_bound = 1u << 30;
const Time start{1000h};

struct Gate {
  std::shared_ptr<LoginGate> gate;
  std::vector<LoginGate::Place> places;

  explicit Gate(std::size_t pending_max = 1024, std::size_t per_address_max = 64)
      : gate(std::make_shared<LoginGate>(
            haypile::server::LoginLimits{pending_max, per_address_max})) {}

  Verdict enter(const std::string& address, bool is_local = false, Time now = start) {
    LoginGate::Place place;
    const Verdict verdict = gate->enter(address, is_local, no_other_bound, now, place);
    if (verdict == Verdict::welcome) places.push_back(std::move(place));
    return verdict;
  }
};

}  // namespace

TEST_CASE("so many have not logged in, and no more, until one has or has gone") {
  Gate gate(3, 2);
  CHECK(gate.enter("a") == Verdict::welcome);
  CHECK(gate.enter("a") == Verdict::welcome);
  CHECK(gate.enter("a") == Verdict::too_many_of_address);
  CHECK(gate.enter("b") == Verdict::welcome);
  CHECK(gate.enter("c") == Verdict::too_many);
  gate.places.pop_back();
  CHECK(gate.enter("a") == Verdict::too_many_of_address);
  CHECK(gate.enter("c") == Verdict::welcome);
  gate.places.front().leave();
  CHECK(gate.enter("a") == Verdict::welcome);
  gate.places.clear();
  CHECK(gate.gate->pending_count() == 0);
  CHECK(gate.gate->address_count() == 0);
}

TEST_CASE("this machine's own addresses are bounded by the sum only") {
  Gate gate(3, 1);
  CHECK(gate.enter("127.0.0.1", true) == Verdict::welcome);
  CHECK(gate.enter("127.0.0.1", true) == Verdict::welcome);
  CHECK(gate.enter("127.0.0.1", true) == Verdict::welcome);
  CHECK(gate.enter("127.0.0.1", true) == Verdict::too_many);
}

TEST_CASE("a bound of another's, such as that of descriptors, can only be lower") {
  Gate gate(2);
  LoginGate::Place first;
  LoginGate::Place second;
  LoginGate::Place third;
  CHECK(gate.gate->enter("a", false, 1, start, first) == Verdict::welcome);
  CHECK(gate.gate->enter("a", false, 1, start, second) == Verdict::too_many);
  CHECK(gate.gate->enter("a", false, 9, start, second) == Verdict::welcome);
  CHECK(gate.gate->enter("a", false, 9, start, third) == Verdict::too_many);
}

TEST_CASE("a place that is moved is one place") {
  Gate gate(1);
  CHECK(gate.enter("a") == Verdict::welcome);
  LoginGate::Place moved = std::move(gate.places.front());
  gate.places.clear();
  CHECK(gate.gate->pending_count() == 1);
  moved = {};
  CHECK(gate.gate->pending_count() == 0);
}

TEST_CASE("refusals of one address come one after the other, each later than the one before") {
  Gate gate;
  Time due = start;
  for (const auto delay : {50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    due += delay;
    CHECK(gate.gate->refuse("a", start) == due);  // all were decided at once
  }
  CHECK(gate.gate->refuse("b", start) == start + 50ms);
  const Time later = due + 30s;
  CHECK(gate.gate->refuse("a", later) == later + 1000ms);
  const Time much_later = later + 1000ms + LoginGate::memory + 1ms;
  CHECK(gate.gate->refuse("a", much_later) == much_later + 50ms);
}

TEST_CASE("who hangs up does not begin anew, and is not let in while too many refusals wait") {
  Gate gate;
  for (int i = 0; i < 20; ++i) {
    if (gate.enter("a") != Verdict::welcome) break;
    gate.gate->refuse("a", start);
    gate.places.clear();
  }
  CHECK(gate.enter("a") == Verdict::too_many_of_address);
  CHECK(gate.enter("b") == Verdict::welcome);
  CHECK(gate.enter("a", false, start + 2s) == Verdict::welcome);
  CHECK(gate.enter("127.0.0.1", true) == Verdict::welcome);
}

TEST_CASE("no refusal waits longer than ten seconds") {
  Gate gate;
  for (int i = 0; i < 100; ++i)
    CHECK(gate.gate->refuse("127.0.0.1", start) <= start + LoginGate::refusal_wait_max);
  CHECK(gate.gate->refuse("127.0.0.1", start) == start + LoginGate::refusal_wait_max);
}

TEST_CASE("no more addresses are remembered than the bound, and the oldest is forgotten first") {
  Gate gate;
  for (std::size_t i = 0; i < LoginGate::address_count_max; ++i)
    gate.gate->refuse(std::to_string(i), start + std::chrono::milliseconds(i));
  const Time now = start + 10s;
  gate.gate->refuse("one more", now);
  CHECK(gate.gate->address_count() == LoginGate::address_count_max);
  CHECK(gate.gate->refuse("1", now) == now + 100ms);
  CHECK(gate.gate->refuse("0", now) == now + 50ms);
  // Addresses whose time is over are removed first, all at once.
  gate.gate->refuse("the next", now + LoginGate::memory + 1s);
  CHECK(gate.gate->address_count() < 10);
}

TEST_CASE("a spell is told of at its beginning and at its end") {
  Spell spell;
  CHECK(spell.count(start));
  CHECK_FALSE(spell.count(start + 5s));
  CHECK_FALSE(spell.take_ended(start + 14s));
  CHECK(spell.is_on());
  CHECK(spell.take_ended(start + 15s) == 2);
  CHECK_FALSE(spell.is_on());
  CHECK_FALSE(spell.take_ended(start + 16s));
  CHECK(spell.count(start + 17s));
}
