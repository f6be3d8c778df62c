// A message that waits in many queues is on disk once, also when it has left the log.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "log/log_inspector.hpp"
#include "support/vhost_fixture.hpp"

using namespace haypile;
using test::TestChannel;
using test::VhostFixture;

namespace {

std::string name_of(int queue) {
  return "q" + std::to_string(queue);
}

// Has durable queues q0, q1 … that are bound to a fanout exchange.
struct Fanout : VhostFixture {
  explicit Fanout(int count, const std::string& arguments = {}) : queue_count(count) {
    options.ring_size = 4u << 20;
    options.segment_size = 256u << 10;
    options.reserve_size = 8u << 20;
    open();
    REQUIRE_FALSE(engine().declare_exchange(
        {.name = "f", .type = engine::ExchangeType::fanout, .durable = true, .arguments = {}}));
    for (int queue = 0; queue < count; ++queue) {
      declare(name_of(queue), arguments);
      REQUIRE_FALSE(engine().bind({.source = "f",
                                   .destination_kind = engine::DestinationKind::queue,
                                   .destination = name_of(queue),
                                   .routing_key = {},
                                   .arguments = {}},
                                  0));
    }
    sync();
  }
  engine::Backlog& backlog(int number) {
    engine::Queue* queue = nullptr;
    REQUIRE_FALSE(engine().find_queue(name_of(number), 0, queue));
    return log().backlog(queue->definition().id, 0);
  }
  void publish_to_all(int number, std::size_t size = 1000) {
    const std::string body = std::to_string(number) + std::string(size, 'x');
    const engine::PublishResult result =
        engine().publish({.message = {.exchange = "f",
                                      .routing_key = "k",
                                      .properties = std::string_view("\0\0", 2),
                                      .body = body},
                          .traits = {.persistent = true},
                          .headers = {}});
    REQUIRE_FALSE(result.error);
  }
  void fill(int messages, std::size_t size = 1000) {
    for (int number = 0; number < messages; ++number)
      publish_to_all(number, size);
    sync();
    sync();
  }
  std::uint64_t pile_bytes() {
    std::uint64_t size = 0;
    for (const std::string& path : files.paths())
      size += path.ends_with(".pile") ? files.bytes(path).size() : 0;
    return size;
  }
  std::vector<int> numbers_in(int queue, bool no_ack = false) {
    std::vector<int> found;
    TestChannel& channel = this->channel();
    while (true) {
      const std::string body = channel.get(name_of(queue), no_ack);
      if (body == "nothing") return found;
      found.push_back(std::stoi(body));
    }
  }
  const int queue_count;
};

std::vector<int> numbers(int first, int end) {
  std::vector<int> list(static_cast<std::size_t>(end - first));
  std::iota(list.begin(), list.end(), first);
  return list;
}

}  // namespace

TEST_CASE("a message in many queues is in a pile once") {
  Fanout fixture(50);
  fixture.fill(20);
  fixture.move_all();
  fixture.sync();
  REQUIRE(fixture.count_files(".pile") == 1);
  CHECK(fixture.pile_bytes() < 20 * 1100 + 50 * 20 * 20);
  CHECK(fixture.engine().memory_bytes() < 10'000);
  CHECK(fixture.log().memory_bytes() >= 50 * sizeof(log::Extent));
  SUBCASE("and comes back to each of them") {}
  SUBCASE("and comes back after a kill") {
    CHECK(fixture.open().message_counts.at("q49") == 20);
  }
  SUBCASE("and comes back after a clean stop") {
    fixture.close_and_open();
  }
  for (int queue = 0; queue < fixture.queue_count; ++queue)
    CHECK(fixture.numbers_in(queue) == numbers(0, 20));
  // What several queues have read back is in memory once: 20 messages for 50 queues.
  CHECK(fixture.engine().memory_bytes() < 24'000 + 1000 * engine::MessagePtr::entry_bytes);
  CHECK(fixture.failure.empty());
}

TEST_CASE("what could be moved counts a message once, and each of its places") {
  Fanout fixture(50);
  fixture.publish_to_all(1, 10'000);
  CHECK(fixture.engine().movable_bytes() > 10'000);
  CHECK(fixture.engine().movable_bytes() < 10'000 + 50 * 64 + 200);
  for (int queue = 0; queue < fixture.queue_count; ++queue) {
    engine::Purge purge;
    CHECK_FALSE(fixture.engine().purge_queue(name_of(queue), 0, purge));
  }
  CHECK(fixture.engine().movable_bytes() == 0);
}

TEST_CASE("a large message in many queues takes its own size and no more") {
  Fanout fixture(300);
  fixture.options.reserve_size = 64u << 20;
  fixture.options.ring_size = 64u << 20;
  fixture.open();
  fixture.publish_to_all(1, 16u << 20);
  fixture.sync();
  fixture.move_all();
  fixture.sync();
  REQUIRE(fixture.count_files(".pile") == 1);
  CHECK(fixture.pile_bytes() < (16u << 20) + 300 * 128);
  CHECK(fixture.engine().memory_bytes() < 100'000);
  fixture.open();
  CHECK(fixture.engine().memory_bytes() < 100'000);
  // Nothing is read back before a client takes it.
  for (const int queue : {0, 1, 299})
    CHECK(fixture.numbers_in(queue) == numbers(1, 2));
  CHECK(fixture.engine().memory_bytes() < (16u << 20) + 100'000);
}

TEST_CASE("a move takes its time, and everybody goes on meanwhile") {
  Fanout fixture(100);
  fixture.options.ring_size = 64u << 20;
  fixture.limits.queue_memory_bytes = 1u << 30;
  fixture.open();
  for (int number = 0; number < 500; ++number)
    fixture.publish_to_all(number, 10);
  fixture.sync();
  TestChannel& holder = fixture.channel();
  for (int i = 0; i < 5; ++i)
    holder.get("q7");
  fixture.engine().set_movable_max_bytes(0);
  int turns = 0;
  for (fixture.vhost->turn(fixture.now); fixture.engine().is_moving();
       fixture.vhost->turn(fixture.now)) {
    fixture.log().step();
    ++turns;
    if (turns == 1) {
      for (int i = 0; i < 5; ++i)
        holder.get("q50");
      CHECK(holder.settle(2) == 0);
      CHECK(holder.settle(3, false, engine::Settlement::requeue) == 0);
      CHECK(holder.settle(7) == 0);
      CHECK(holder.settle(8, false, engine::Settlement::requeue) == 0);
      fixture.publish_to_all(500, 10);
      std::size_t count = 0;
      CHECK_FALSE(fixture.engine().delete_queue("q99", 0, false, false, count));
      engine::Purge purge;
      CHECK_FALSE(fixture.engine().purge_queue("q98", 0, purge));
    }
    REQUIRE(turns < 100);
  }
  CHECK(turns >= 3);
  fixture.engine().set_movable_max_bytes(1u << 30);
  bool is_killed = false;
  SUBCASE("and all is in order") {
    fixture.channels.clear();
  }
  SUBCASE("also after a kill") {
    is_killed = true;
    fixture.sync();
    fixture.open();
  }
  CAPTURE(is_killed);
  std::vector<int> but_one = numbers(0, 501);
  but_one.erase(but_one.begin() + 1);
  CHECK(fixture.numbers_in(7) == but_one);
  CHECK(fixture.numbers_in(50) == but_one);
  CHECK(fixture.numbers_in(0) == numbers(0, 501));
  CHECK(fixture.numbers_in(97) == numbers(0, 501));
  CHECK(fixture.numbers_in(98).empty());
}

TEST_CASE("a kill in the middle of a move loses nothing") {
  for (int turns = 1; turns < 4; ++turns) {
    CAPTURE(turns);
    Fanout fixture(100);
    fixture.options.ring_size = 64u << 20;
    fixture.limits.queue_memory_bytes = 1u << 30;
    fixture.open();
    for (int number = 0; number < 400; ++number)
      fixture.publish_to_all(number, 10);
    fixture.sync();
    fixture.engine().set_movable_max_bytes(0);
    for (int i = 0; i < turns; ++i) {
      fixture.vhost->turn(fixture.now);
      fixture.log().step();
    }
    REQUIRE(fixture.engine().is_moving());
    TestChannel& channel = fixture.channel();
    std::set<int> taken;
    for (int queue = 0; queue < 100; queue += 9) {
      channel.get(name_of(queue), true);
      taken.insert(queue);
    }
    // The move is written, but no checkpoint says that it has ended.
    fixture.log().flush();
    fixture.log().step();
    fixture.open();
    CHECK(fixture.count_files(".pile") == 0);
    for (int queue = 0; queue < 100; ++queue)
      CHECK(fixture.numbers_in(queue) == numbers(taken.contains(queue) ? 1 : 0, 400));
  }
}

TEST_CASE("a clean stop in the middle of a move keeps all, and tells who was delivered") {
  for (int turns = 1; turns < 4; ++turns) {
    CAPTURE(turns);
    Fanout fixture(100);
    fixture.options.ring_size = 64u << 20;
    fixture.limits.queue_memory_bytes = 1u << 30;
    fixture.open();
    for (int number = 0; number < 400; ++number)
      fixture.publish_to_all(number, 10);
    fixture.sync();
    TestChannel& before = fixture.channel();
    for (int queue = 0; queue < 100; queue += 7)
      before.get(name_of(queue));
    CHECK(before.settle(1, false, engine::Settlement::requeue) == 0);
    fixture.engine().set_movable_max_bytes(0);
    for (int i = 0; i < turns; ++i) {
      fixture.vhost->turn(fixture.now);
      fixture.log().step();
    }
    REQUIRE(fixture.engine().is_moving());
    std::map<int, int> delivered;
    for (int queue = 0; queue < 100; queue += 7)
      delivered[queue] = 1;
    TestChannel& meanwhile = fixture.channel();
    for (int queue = 1; queue < 100; queue += 9) {
      meanwhile.get(name_of(queue));
      meanwhile.get(name_of(queue));
      delivered[queue] = std::max(2, delivered[queue] + 2);
    }
    CHECK(meanwhile.settle(2, false, engine::Settlement::requeue) == 0);
    fixture.close_and_open();
    CHECK_FALSE(fixture.engine().is_moving());
    for (int queue = 0; queue < 100; ++queue) {
      CAPTURE(queue);
      TestChannel& channel = fixture.channel();
      for (int number = 0; number < 400; ++number) {
        const std::string body = channel.get(name_of(queue));
        if (std::stoi(body) != number) FAIL(body);
        if (body.ends_with('*') != (number < delivered[queue])) FAIL(body);
      }
      CHECK(channel.get(name_of(queue)) == "nothing");
    }
    CHECK(fixture.failure.empty());
  }
}

TEST_CASE("a thinned pile keeps what other queues refer to, and no more") {
  Fanout fixture(10);
  fixture.fill(100);
  fixture.move_all();
  fixture.sync();
  const std::uint64_t full = fixture.pile_bytes();
  // The queue under which the pile stores the messages needs them no more, but q9 does.
  for (int queue = 0; queue < 9; ++queue)
    CHECK(fixture.numbers_in(queue, true) == numbers(0, 100));
  const auto pass_time = [&] {
    for (int i = 0; i < 10; ++i) {
      fixture.declare("busy" + std::to_string(i));  // something for the log
      fixture.sync();
      fixture.log().flush();
      fixture.sync();
    }
  };
  pass_time();
  CHECK(fixture.pile_bytes() > 100 * 1000);
  CHECK(fixture.pile_bytes() <= full);
  TestChannel& channel = fixture.channel();
  for (int i = 0; i < 90; ++i)
    channel.get("q9");
  for (std::uint64_t tag = 2; tag <= 90; ++tag)
    CHECK(channel.settle(tag) == 0);
  for (int round = 0; round < 5; ++round) {
    pass_time();
    fixture.publish("busy0", std::string(300'000, 'b'));
    fixture.sync();
    fixture.channel().get("busy0", true);
  }
  CHECK(fixture.pile_bytes() < full / 4);
  fixture.open();
  std::vector<int> left = numbers(90, 100);
  left.insert(left.begin(), 0);
  CHECK(fixture.numbers_in(9) == left);
  CHECK(fixture.failure.empty());
}

TEST_CASE("the bytes of a backlog are known after a restart, without a look at it") {
  for (const bool is_clean : {false, true}) {
    CAPTURE(is_clean);
    Fanout fixture(3);
    fixture.fill(200, 997);
    fixture.move_all();
    fixture.sync();
    TestChannel& channel = fixture.channel();
    for (int i = 0; i < 150; ++i)
      channel.get("q1");
    for (std::uint64_t tag = 11; tag <= 150; tag += 2)
      CHECK(channel.settle(tag) == 0);
    fixture.sync();
    std::size_t expected = 0;
    for (int number = 0; number < 200; ++number) {
      if (number < 10 || number % 2 == 1 || number >= 150) {
        expected += 997 + std::to_string(number).size();
      }
    }
    // A queue that reads the later blocks finds them damaged.
    std::string pile;
    for (const std::string& path : fixture.files.paths())
      pile = path.ends_with(".pile") ? path : pile;
    is_clean ? static_cast<void>(fixture.close_and_open()) : static_cast<void>(fixture.open());
    for (std::size_t at = 100'000; at < 180'000; at += 1000)
      fixture.files.bytes(pile)[at] = '?';
    CHECK(fixture.backlog(1).unread_count() == 130);
    CHECK(fixture.backlog(1).unread_bytes() == expected);
    CHECK(fixture.backlog(2).unread_bytes() == 199'890);
    CHECK(fixture.failure.empty());
  }
}

TEST_CASE("damage to a message that stands once is found for all queues that refer to it") {
  Fanout fixture(5);
  fixture.fill(10);
  fixture.move_all();
  fixture.sync();
  std::string pile;
  for (const std::string& path : fixture.files.paths())
    pile = path.ends_with(".pile") ? path : pile;
  log::LogInspector whole(fixture.files, "log", test::directory_id);
  whole.run();
  CHECK(whole.report().damages.empty());
  CHECK(whole.report().queues.at("q4").in_piles == 10);
  fixture.files.bytes(pile)[500] ^= 1;
  log::LogInspector inspector(fixture.files, "log", test::directory_id);
  inspector.run();
  std::uint64_t lost = 0;
  for (const log::Damage& damage : inspector.report().damages)
    lost += damage.message_count.value_or(0);
  CHECK(lost == 50);
  CHECK(inspector.report().queues.at("q4").in_piles == 0);
}

TEST_CASE("without its checkpoint, a move that was broken off loses nothing") {
  for (int turns = 1; turns < 4; ++turns) {
    CAPTURE(turns);
    Fanout fixture(100);
    fixture.options.ring_size = 64u << 20;
    fixture.limits.queue_memory_bytes = 1u << 30;
    fixture.open();
    for (int number = 0; number < 400; ++number)
      fixture.publish_to_all(number, 10);
    fixture.sync();
    fixture.engine().set_movable_max_bytes(0);
    for (int i = 0; i < turns; ++i) {
      fixture.vhost->turn(fixture.now);
      fixture.log().step();
    }
    REQUIRE(fixture.engine().is_moving());
    REQUIRE(fixture.count_files(".pile") == 1);
    fixture.files.bytes("log/checkpoint")[20] ^= 1;
    log::LogInspector inspector(fixture.files, "log", test::directory_id);
    inspector.run();
    std::uint64_t in_log = 0;
    std::uint64_t in_piles = 0;
    for (const auto& [name, queue] : inspector.report().queues) {
      CHECK(queue.in_log + queue.in_piles == 400);
      in_log += queue.in_log;
      in_piles += queue.in_piles;
    }
    CHECK(in_log + in_piles == 100 * 400);
    CHECK(in_log > 0);
    CHECK(in_piles > 0);
  }
}
