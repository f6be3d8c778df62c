// Messages that are withheld from small clients leave memory like all others.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/table.hpp>

#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::TestChannel;
using test::VhostFixture;

namespace {

constexpr std::size_t properties_size = 500;
constexpr std::size_t small = 100;

// Ten messages; the first five are withheld.
struct Fixture : VhostFixture {
  explicit Fixture(const std::string& arguments = {}) {
    open();
    declare("q", arguments);
    const amqp::Table headers{{"h", std::string(properties_size, 'x')}};
    REQUIRE(amqp::append_properties(properties, {.headers = headers.view()}));
    for (int number = 0; number < 10; ++number)
      publish_large(number);
    for (int i = 0; i < 5; ++i)
      withhold();
    engine().check_invariants();
  }
  void publish_large(int number) {
    const engine::PublishResult result =
        engine().publish({.message = {.exchange = "",
                                      .routing_key = "q",
                                      .properties = properties,
                                      .body = std::to_string(number)},
                          .traits = {.persistent = true},
                          .headers = {}});
    REQUIRE_FALSE(result.error);
    sync();
  }
  void withhold() {
    TestChannel client(engine(), 1);
    client.channel.set_properties_max(small);
    CHECK(client.get("q") == "too large");
  }
  std::string all_from(TestChannel& channel) {
    std::string text;
    for (std::string got; (got = channel.get("q")) != "nothing";)
      text += (text.empty() ? "" : " ") + got;
    return text;
  }
  std::string properties;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what is withheld leaves memory, and comes back in its order") {
  move_all();
  engine().check_invariants();
  CHECK(engine().memory_bytes() <= 5 * engine::MessagePtr::entry_bytes);
  CHECK(engine().movable_bytes() == 0);
  SUBCASE("for one that has room for it") {
    CHECK(all_from(channel()) == "0 1 2 3 4 5 6 7 8 9");
  }
  SUBCASE("when more of it is withheld") {
    withhold();
    CHECK(engine().memory_bytes() <= 6 * engine::MessagePtr::entry_bytes + 5000);
    CHECK(all_from(channel()) == "0 1 2 3 4 5 6 7 8 9");
  }
  SUBCASE("and again, for one after the other") {
    TestChannel& wide = channel();
    CHECK(wide.get("q") == "0");
    CHECK(wide.settle(1) == 0);
    engine().check_invariants();
    CHECK(all_from(wide) == "1 2 3 4 5 6 7 8 9");
  }
  SUBCASE("and is purged") {
    engine::Purge purge;
    CHECK_FALSE(engine().purge_queue("q", 0, purge));
    CHECK(purge.message_count == 10);
    sync();
    CHECK(engine().memory_bytes() == 0);
    CHECK(open().message_counts.at("q") == 0);
    return;
  }
  SUBCASE("and goes with its queue") {
    std::size_t count = 0;
    CHECK_FALSE(engine().delete_queue("q", 0, false, false, count));
    CHECK(count == 10);
    engine().check_invariants();
    CHECK(engine().memory_bytes() == 0);
    sync();
    CHECK_FALSE(open().message_counts.contains("q"));
    return;
  }
  SUBCASE("also after a clean stop, as if it had not been delivered") {
    close_and_open();
    CHECK(all_from(channel()) == "0 1 2 3 4 5 6 7 8 9");
    return;
  }
  SUBCASE("also after a kill") {
    open();
    CHECK(all_from(channel()) == "0* 1* 2* 3* 4* 5* 6* 7* 8* 9*");
    return;
  }
  for (std::uint64_t tag = 1; tag <= 10; ++tag)
    static_cast<void>(channels.back()->settle(tag));
  sync();
  CHECK(engine().memory_bytes() == 0);
  engine().check_invariants();
  CHECK(open().message_counts.at("q") == 0);
}

TEST_CASE_FIXTURE(Fixture, "what is withheld does not hold up the ring") {
  for (int number = 10; number < 500; ++number)
    publish_large(number);
  engine().check_invariants();
  CHECK(failure.empty());
  CHECK(all_from(channel()).starts_with("0 1 2 3 4 5 6 7 8 9 10 "));
}

TEST_CASE_FIXTURE(Fixture, "what was withheld and did not move is there after a clean stop") {
  close_and_open();
  CHECK(all_from(channel()) == "0 1 2 3 4 5 6 7 8 9");
}
