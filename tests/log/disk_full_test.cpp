// A full disk stops new messages, and nothing else.
#include <doctest/doctest.h>

#include <haypile/amqp/table.hpp>

#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::TestChannel;
using test::VhostFixture;

namespace {

constexpr std::uint64_t capacity = 400'000;

// Publishes until the log says that there is no room. Returns the number of messages.
int fill(VhostFixture& fixture) {
  int number = 0;
  while (!fixture.log().is_out_of_space() && number < 10'000) {
    fixture.publish_numbers("q", number, number + 1);
    ++number;
  }
  return number;
}

}  // namespace

TEST_CASE("with a full disk all is there, acknowledgements go on, and publishing resumes") {
  VhostFixture fixture;
  fixture.files.set_capacity(capacity);
  fixture.open();
  fixture.declare("q");
  const int count = fill(fixture);
  CHECK(count > 1000);
  REQUIRE(count < 10'000);
  CHECK(fixture.failure.empty());
  bool goes_on = false;
  SUBCASE("at once") {}
  SUBCASE("after a kill") {
    fixture.open();
  }
  SUBCASE("after two kills, and with not a byte left") {
    fixture.files.set_capacity(fixture.files.used_bytes());
    fixture.open();
    fixture.open();
  }
  SUBCASE("and then it resumes") {
    goes_on = true;
  }
  TestChannel& channel = fixture.channel();
  for (int number = 0; number < count; ++number) {
    CHECK(std::stoi(channel.get("q")) == number);
    CHECK(channel.settle(channel.last_tag) == 0);
    if (number % 3 == 0) fixture.sync();
  }
  CHECK(channel.get("q") == "nothing");
  fixture.sync();
  fixture.sync();
  CHECK(fixture.failure.empty());
  CHECK(fixture.count_files(".pile") == 0);
  if (!goes_on) return;
  fixture.log().retry_reserve();
  fixture.log().step();
  CHECK_FALSE(fixture.log().is_out_of_space());
  fixture.publish_numbers("q", 0, 100);
  CHECK(fixture.open().message_counts.at("q") == 100);
}

TEST_CASE("messages in hand can be acknowledged when the disk is full") {
  VhostFixture fixture;
  fixture.files.set_capacity(capacity);
  fixture.open();
  fixture.declare("q");
  fixture.declare("held");
  TestChannel& channel = fixture.channel();
  fixture.publish_numbers("held", 0, 300);
  channel.consume("held");
  REQUIRE(channel.last_tag == 300);
  fill(fixture);
  CHECK(channel.settle(0, true) == 0);
  fixture.sync();
  CHECK(fixture.failure.empty());
  CHECK(fixture.open().message_counts.at("held") == 0);
}

TEST_CASE("a start on a full disk is possible") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.publish_numbers("q", 0, 100);
  fixture.vhost.reset();
  fixture.files.remove("log/reserve");
  fixture.files.set_capacity(fixture.files.used_bytes() + 5000);
  fixture.open();
  CHECK(fixture.log().is_out_of_space());
  CHECK(fixture.channel().get("q").starts_with("0"));
}

TEST_CASE("dead letters wait until the disk has room") {
  VhostFixture fixture;
  fixture.files.set_capacity(capacity);
  fixture.open();
  const amqp::Table arguments{{"x-dead-letter-exchange", ""},
                              {"x-dead-letter-routing-key", "dead"}};
  fixture.declare("q", std::string(arguments.bytes()));
  fixture.declare("dead");
  const auto count = static_cast<std::uint64_t>(fill(fixture));
  TestChannel& channel = fixture.channel();
  channel.consume("q");
  for (int i = 0; i < 1000 && channel.last_tag < count; ++i)
    fixture.sync();
  CHECK(channel.settle(0, true, engine::Settlement::drop) == 0);
  const auto pass_time = [&] {
    fixture.now.boot += 1000;
    fixture.now.wall += 1000;
    fixture.sync();
  };
  for (int i = 0; i < 100; ++i)
    pass_time();
  CHECK(fixture.failure.empty());
  CHECK(fixture.log().is_out_of_space());
  CHECK_FALSE(fixture.log().keeps_up());
  fixture.files.set_capacity(10 * capacity);
  engine::Queue* dead = nullptr;
  REQUIRE_FALSE(fixture.engine().find_queue("dead", 0, dead));
  for (int i = 0; i < 1000 && dead->ready_count() < count; ++i)
    pass_time();
  CHECK(dead->ready_count() == count);
  CHECK(fixture.failure.empty());
}

TEST_CASE("a log keeps up with as much as it may have to write, and no more") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  fixture.sync();
  fixture.publish("q", std::string(600, 'x'));
  const std::uint64_t pending = fixture.log().pending_bytes();
  for (const std::uint64_t max : {pending, pending - 1}) {
    VhostFixture other;
    other.options.pending_max_bytes = max;
    other.open();
    other.declare("q");
    other.sync();
    other.publish("q", std::string(600, 'x'));
    REQUIRE(other.log().pending_bytes() == pending);
    CHECK(other.log().keeps_up() == (max == pending));
    other.sync();
    CHECK(other.log().keeps_up());
  }
}

TEST_CASE("a log with more segments than its ring does not keep up, until they have moved") {
  VhostFixture fixture;
  fixture.open();
  fixture.declare("q");
  for (int i = 0; i < 20; ++i) {
    fixture.publish("q", std::string(3000, 'x'));
    fixture.log().flush();  // without a turn that would move some of it
    fixture.log().step();
  }
  REQUIRE(fixture.log().segment_count() > 16);
  CHECK(fixture.log().pending_bytes() == 0);
  CHECK_FALSE(fixture.log().is_out_of_space());
  CHECK_FALSE(fixture.log().keeps_up());
  fixture.sync();
  fixture.sync();
  CHECK(fixture.log().keeps_up());
}
