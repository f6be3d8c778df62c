// The ready messages of one queue, and in which order they are next.
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "engine/ready_messages.hpp"
#include "session/amqp_property_codec.hpp"
#include "support/test_journal.hpp"

using namespace haypile;
using engine::QueuedMessage;
using engine::ReadyMessages;

namespace {

constexpr std::size_t any_size = std::numeric_limits<std::size_t>::max();

struct ReadyFixture {
  explicit ReadyFixture(std::uint8_t priority_max = 0) : ready(1, priority_max, false, context) {}

  QueuedMessage message(const std::string& body, std::uint8_t priority = 0) {
    const engine::MessageView view{
        .exchange = {}, .routing_key = {}, .properties = {}, .body = body};
    return {.message = engine::Message::make(view, {.priority = priority}, 0, context.memory),
            .place = ++last_place};
  }
  void push(const std::string& bodies, std::uint8_t priority = 0) {
    for (const char body : bodies)
      ready.push(message(std::string(1, body), priority));
  }
  // Takes one; its body, or "-" if there is none.
  std::string take(std::size_t properties_max = any_size) {
    if (!ready.take(properties_max, taken)) return "-";
    return std::string(taken.message->body());
  }
  std::string take_all() {
    std::string bodies;
    for (std::string body = take(); body != "-"; body = take())
      bodies += body;
    return bodies;
  }

  session::AmqpPropertyCodec codec;
  test::TestJournal journal;
  engine::QueueContext context{journal, codec};
  std::uint64_t last_place = 0;
  ReadyMessages ready;
  QueuedMessage taken;
};

}  // namespace

TEST_CASE("messages leave in the order in which they came") {
  ReadyFixture fixture;
  fixture.push("abc");
  CHECK(fixture.ready.size() == 3);
  CHECK(fixture.ready.bytes() == 3);
  CHECK(fixture.take_all() == "abc");
  CHECK(fixture.ready.empty());
  CHECK(fixture.ready.bytes() == 0);
}

TEST_CASE("a message that comes back is in its old place") {
  ReadyFixture fixture;
  fixture.push("abcd");
  CHECK(fixture.take() == "a");
  QueuedMessage a = std::move(fixture.taken);
  CHECK(fixture.take() == "b");
  QueuedMessage b = std::move(fixture.taken);
  CHECK(fixture.take() == "c");
  fixture.ready.put_back(std::move(b));
  fixture.ready.put_back(std::move(a));
  fixture.push("e");
  CHECK(fixture.ready.broken_invariant() == nullptr);
  CHECK(fixture.take_all() == "abde");
}

TEST_CASE("a higher priority is first, and what comes back stays in its level") {
  ReadyFixture fixture(10);
  fixture.push("ab");
  fixture.push("xy", 5);
  fixture.push("h", 200);  // more than the queue has: counts as 10
  CHECK(fixture.take() == "h");
  CHECK(fixture.take() == "x");
  QueuedMessage x = std::move(fixture.taken);
  CHECK(fixture.take() == "y");
  CHECK(fixture.take() == "a");
  fixture.ready.put_back(std::move(x));
  CHECK(fixture.ready.broken_invariant() == nullptr);
  CHECK(fixture.take_all() == "xb");
}

TEST_CASE("what is withheld is for those only that can be sent as much, in its place") {
  ReadyFixture fixture;
  fixture.push("abc");
  CHECK(fixture.take() == "a");
  fixture.ready.withhold(std::move(fixture.taken), 100);
  CHECK(fixture.ready.size() == 3);
  CHECK(fixture.ready.has_withheld_for(100));
  CHECK_FALSE(fixture.ready.has_withheld_for(99));
  CHECK(fixture.take(99) == "b");
  CHECK(fixture.take(100) == "a");
  CHECK(fixture.take(99) == "c");
  CHECK(fixture.ready.empty());
}

TEST_CASE("the heads are taken as long as they are wanted, level by level") {
  ReadyFixture fixture(1);
  fixture.push("abc");
  fixture.push("xy", 1);
  int left = 3;
  std::string taken;
  fixture.ready.take_while([&](const engine::MessageTimes&) { return left-- > 0; },
                           [&](const QueuedMessage& each) { taken += each.message->body(); });
  CHECK(taken == "xya");
  CHECK(fixture.take_all() == "bc");
}

TEST_CASE("all are forgotten at once") {
  ReadyFixture fixture(3);
  fixture.push("abc", 2);
  fixture.ready.clear();
  CHECK(fixture.ready.empty());
  CHECK(fixture.take() == "-");
}
