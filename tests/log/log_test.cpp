#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>

#include "support/log_fixture.hpp"
#include "support/temporary_directory.hpp"

using namespace haypile;
using test::LogFixture;

TEST_CASE("a new log is empty and clean") {
  LogFixture fixture;
  const log::RecoveryReport report = fixture.open();
  CHECK(report.clean);
  CHECK(report.segment_count == 0);
  CHECK(fixture.recovered.queues.empty());
}

TEST_CASE("definitions and messages come back, in order and byte for byte") {
  LogFixture fixture;
  fixture.open();
  const engine::ExchangeDefinition exchange{
      "logs", engine::ExchangeType::topic, true, true, true, "arguments"};
  engine::QueueDefinition queue = test::queue_definition(7);
  queue.auto_delete = true;
  queue.arguments = std::string("\x04name\x00", 6);
  const engine::BindingDefinition binding{"logs", engine::DestinationKind::queue, "q7", "a.#",
                                          "more"};
  fixture.log->declare_exchange(exchange);
  fixture.log->declare_queue(queue);
  fixture.log->bind(binding);
  const std::string body("binary \0 body", 13);
  fixture.publish(body, {7});
  fixture.publish("", {7});
  fixture.sync();
  const log::RecoveryReport report = fixture.reopen();
  CHECK_FALSE(report.clean);
  CHECK(report.message_counts.at("q7") == 2);
  CHECK(fixture.recovered.exchanges == std::vector{exchange});
  CHECK(fixture.recovered.queues == std::vector{queue});
  CHECK(fixture.recovered.bindings == std::vector{binding});
  CHECK(fixture.recovered.messages.at(7).front().body == body);
  CHECK(fixture.recovered.messages.at(7).size() == 2);
  CHECK(fixture.recovered.last.exchange == "e");
  CHECK(fixture.recovered.last.routing_key == "k");
  CHECK(fixture.recovered.last.properties == "p");
}

TEST_CASE("nothing is durable before the sync, all of it after") {
  LogFixture fixture;
  fixture.open();
  CHECK(fixture.log->durable() == fixture.log->end());
  fixture.log->declare_queue(test::queue_definition(1));
  const engine::LogPosition first = fixture.log->end();
  CHECK(fixture.log->durable() < first);
  fixture.log->flush();
  CHECK(fixture.log->durable() < first);
  CHECK(fixture.log->pending_bytes() > 0);
  fixture.log->step();
  CHECK(fixture.log->durable() >= first);
  CHECK(fixture.log->end() == fixture.log->durable());
  CHECK(fixture.log->pending_bytes() == 0);
}

TEST_CASE("batches that piled up share one sync") {
  LogFixture fixture(1 << 16);
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.sync();
  const std::uint64_t before = fixture.files.syncs();
  for (int i = 0; i < 10; ++i) {
    fixture.publish("m");
    fixture.log->flush();
  }
  fixture.log->step();
  CHECK(fixture.files.syncs() == before + 1);
}

TEST_CASE("what was acknowledged stays gone") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.log->declare_queue(test::queue_definition(2));
  const auto a = fixture.publish("a", {1, 2});
  fixture.publish("b", {1, 2});
  fixture.log->ack({1, a});
  fixture.sync();
  fixture.reopen();
  CHECK(fixture.recovered.text(1) == "b*");
  CHECK(fixture.recovered.text(2) == "a* b*");
  // The same is true after another start, with acknowledgements of recovered messages.
  fixture.log->ack({2, fixture.recovered.messages.at(2).front().position});
  fixture.sync();
  fixture.reopen();
  CHECK(fixture.recovered.text(2) == "b*");
}

TEST_CASE("only what was delivered is marked after a clean stop, everything after another one") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  const auto a = fixture.publish("a");
  fixture.publish("b");
  fixture.log->mark_delivered({1, a});
  CHECK(fixture.close_and_open().clean);
  CHECK(fixture.recovered.text(1) == "a* b");
  SUBCASE("a start alone makes the log unclean: messages may be given out from now on") {
    CHECK_FALSE(fixture.reopen().clean);
    CHECK(fixture.recovered.text(1) == "a* b*");
  }
  SUBCASE("marks count for the stop they were made at") {
    CHECK(fixture.close_and_open().clean);
    CHECK(fixture.recovered.text(1) == "a b");
  }
}

TEST_CASE("the time of a message comes back with it") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  constexpr engine::TimeMs time = 1'790'000'000'123;
  fixture.publish("timed", {1}, time);
  fixture.publish("not timed");
  fixture.publish(std::string(10'000, 'x'), {1}, ~engine::TimeMs{0});
  fixture.sync();
  fixture.reopen();
  const auto& messages = fixture.recovered.messages.at(1);
  REQUIRE(messages.size() == 3);
  CHECK(messages[0].published_at == time);
  CHECK(messages[0].body == "timed");
  CHECK(messages[1].published_at == 0);
  CHECK(messages[2].published_at == ~engine::TimeMs{0});
  CHECK(messages[2].body.size() == 10'000);
}

TEST_CASE("a delivery count stays over all starts, and says that there was a delivery") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.log->declare_queue(test::queue_definition(2));
  const auto a = fixture.publish("a", {1, 2});
  const auto b = fixture.publish("b");
  fixture.publish("c");
  fixture.log->set_delivery_count({1, a}, 1);
  fixture.log->set_delivery_count({1, b}, 1);
  fixture.log->set_delivery_count({1, a}, ~std::uint32_t{0});
  for (int start = 0; start < 2; ++start) {
    CHECK(fixture.close_and_open().clean);
    CHECK(fixture.recovered.text(1) == "a* b* c");
    CHECK(fixture.recovered.text(2) == "a");
  }
  fixture.reopen();
  const auto& messages = fixture.recovered.messages.at(1);
  CHECK(messages[0].delivery_count == ~std::uint32_t{0});
  CHECK(messages[1].delivery_count == 1);
  CHECK(messages[2].delivery_count == 0);
  CHECK(fixture.recovered.messages.at(2)[0].delivery_count == 0);
}

TEST_CASE("since when a queue is unused outlasts the records that said so") {
  LogFixture fixture;
  fixture.open();
  for (engine::QueueId id = 1; id <= 4; ++id)
    fixture.log->declare_queue(test::queue_definition(id));
  fixture.log->set_unused_since(1, 100);
  fixture.log->set_unused_since(2, 200);
  fixture.log->set_unused_since(2, 0);
  fixture.log->set_unused_since(3, 300);
  fixture.log->delete_queue(3);
  fixture.sync();
  using Times = std::map<engine::QueueId, engine::TimeMs>;
  fixture.reopen();
  CHECK(fixture.recovered.unused_since == Times{{1, 100}});
  for (int i = 0; i < 100; ++i) {
    fixture.log->ack({4, fixture.publish(std::string(200, 'x'), {4})});
    fixture.sync();
  }
  CHECK_FALSE(fixture.files.exists(fixture.segment_path(1)));
  fixture.reopen();
  CHECK(fixture.recovered.unused_since == Times{{1, 100}});
  fixture.log->set_unused_since(1, 0);
  fixture.log->set_unused_since(2, 400);
  fixture.sync();
  fixture.reopen();
  CHECK(fixture.recovered.unused_since == Times{{2, 400}});
}

TEST_CASE("a deleted queue takes its messages and bindings along") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.log->bind({"amq.direct", engine::DestinationKind::queue, "q1", "k", ""});
  const auto a = fixture.publish("a");
  fixture.log->delete_queue(1);
  fixture.log->release({.message = a});
  // Another queue has the same name.
  engine::QueueDefinition again = test::queue_definition(9);
  again.name = "q1";
  fixture.log->declare_queue(again);
  fixture.sync();
  fixture.reopen();
  CHECK(fixture.recovered.queues == std::vector{again});
  CHECK(fixture.recovered.text(9).empty());
  CHECK(fixture.recovered.bindings.empty());
}

TEST_CASE("bindings go with their ends, before they are released and after") {
  using engine::BindingDefinition;
  const auto to_queue = engine::DestinationKind::queue;
  const engine::ExchangeDefinition x{"x", engine::ExchangeType::direct, true, false, false, ""};
  const BindingDefinition first{"x", to_queue, "q1", "first", ""};
  const BindingDefinition second{"amq.direct", to_queue, "q1", "second", ""};
  const auto check = [&](const auto& change, const std::vector<BindingDefinition>& left) {
    for (const bool is_released : {false, true}) {
      LogFixture fixture;
      fixture.open();
      fixture.log->declare_exchange(x);
      fixture.log->declare_queue(test::queue_definition(1));
      fixture.log->bind(first);
      fixture.log->bind(second);
      change(*fixture.log);
      if (is_released) {
        fixture.log->release_binding(first);
        fixture.log->release_binding(second);
      }
      fixture.sync();
      // The bindings come from records, then from a checkpoint.
      fixture.reopen();
      CHECK(fixture.recovered.bindings == left);
      fixture.close_and_open();
      CHECK(fixture.recovered.bindings == left);
    }
  };
  SUBCASE("the queue goes") {
    check([](log::Log& log) { log.delete_queue(1); }, {});
  }
  SUBCASE("the queue goes, and another one of its name is bound in the same way") {
    engine::QueueDefinition again = test::queue_definition(9);
    again.name = "q1";
    const auto change = [&](log::Log& log) {
      log.delete_queue(1);
      log.declare_queue(again);
      log.bind(second);
    };
    check(change, {second});
  }
  SUBCASE("the exchange goes") {
    const auto change = [&](log::Log& log) {
      log.delete_exchange("x");
      log.declare_exchange(x);
    };
    check(change, {second});
  }
  SUBCASE("the exchange goes, and another one of its name is bound in the same way") {
    const auto change = [&](log::Log& log) {
      log.delete_exchange("x");
      log.declare_exchange(x);
      log.bind(first);
    };
    check(change, {second, first});
  }
}

TEST_CASE("a message larger than segments goes through several of them") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  std::string large(20'000, ' ');
  for (std::size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>('a' + i % 26);
  fixture.publish("before");
  const auto position = fixture.publish(large);
  fixture.publish("after");
  fixture.sync();
  fixture.reopen();
  const auto& messages = fixture.recovered.messages.at(1);
  REQUIRE(messages.size() == 3);
  CHECK(messages[1].body == large);
  CHECK(messages[1].position == position);
  CHECK(messages[2].body == "after");
}

TEST_CASE("segments are used again once nothing in them is needed") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.log->declare_exchange({"e", engine::ExchangeType::fanout, true, false, false, ""});
  fixture.log->bind({"e", engine::DestinationKind::queue, "q1", "", ""});
  for (int i = 0; i < 500; ++i) {
    const auto position = fixture.publish(std::string(100, 'x'));
    fixture.sync();
    fixture.log->ack({1, position});
    fixture.sync();
    CHECK(fixture.log->segment_count() <= 3);
  }
  CHECK(fixture.files.paths().size() < 12);
  fixture.reopen();
  // The records of the definitions are gone with the first segment: the checkpoint has them.
  CHECK(fixture.recovered.queues.size() == 1);
  CHECK(fixture.recovered.exchanges.size() == 1);
  CHECK(fixture.recovered.bindings.size() == 1);
  CHECK(fixture.recovered.text(1).empty());
}

TEST_CASE("one message that stays keeps its segment and all after it") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  const auto kept = fixture.publish("kept");
  for (int i = 0; i < 200; ++i) {
    fixture.log->ack({1, fixture.publish(std::string(100, 'x'))});
    fixture.sync();
  }
  const std::size_t count = fixture.log->segment_count();
  CHECK(count > 3);
  fixture.reopen();
  CHECK(fixture.recovered.text(1) == "kept*");
  fixture.log->ack({1, kept});
  fixture.sync();
  fixture.sync();
  CHECK(fixture.log->segment_count() < count);
  CHECK(fixture.log->segment_count() <= 2);
}

TEST_CASE("replaying twice gives the same") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (int i = 0; i < 100; ++i)
    fixture.publish("m" + std::to_string(i));
  fixture.sync();
  fixture.open();
  const std::string first = fixture.recovered.text(1);
  fixture.open();
  CHECK(fixture.recovered.text(1) == first);
}

TEST_CASE("a failed write or sync is final") {
  for (std::uint64_t calls = 1; calls <= 2; ++calls) {
    LogFixture fixture;
    int failures = 0;
    fixture.options.on_failure = [&](const std::string& why) {
      CHECK(why == "injected failure");
      ++failures;
    };
    fixture.open();
    fixture.log->declare_queue(test::queue_definition(1));
    fixture.sync();
    const engine::LogPosition durable = fixture.log->durable();
    fixture.publish("m");
    fixture.files.fail_after(calls);
    fixture.sync();
    CHECK(failures == 1);
    // The disk works again, but nobody knows what it has lost.
    fixture.files.fail_after(0);
    fixture.publish("n");
    fixture.sync();
    CHECK(failures == 1);
    CHECK(fixture.log->durable() == durable);
    CHECK_FALSE(fixture.log->close_clean());
  }
}

TEST_CASE("with a thread of its own it tells when things are durable") {
  // The file system in memory is for one thread only.
  const test::TemporaryDirectory directory;
  log::PosixFileSystem files;
  test::Recovered recovered;
  std::mutex mutex;
  std::condition_variable changed;
  int notices = 0;
  log::LogOptions options;
  options.segment_size = 4096;
  options.on_durable = [&] {
    const std::lock_guard lock(mutex);
    ++notices;
    changed.notify_one();
  };
  log::Log log(files, directory.path, test::directory_id, options);
  log.recover(recovered);
  log.declare_queue(test::queue_definition(1));
  for (int i = 0; i < 1000; ++i) {
    const engine::QueueId queue = 1;
    log.publish({.exchange = "", .routing_key = "", .properties = "", .body = "m"}, {&queue, 1});
    log.flush();
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return log.durable() >= log.end(); });
  lock.unlock();
  CHECK(notices > 0);
  CHECK(log.close_clean());
  log::Log again(files, directory.path, test::directory_id, options);
  CHECK(again.recover(recovered).message_counts.at("q1") == 1000);
}

TEST_CASE("one start after the other, each after a crash, fills a segment to its end") {
  // The end of the first batch, and so of all others, moves in steps of the alignment.
  for (std::size_t size = 0; size < 48; size += 8) {
    CAPTURE(size);
    LogFixture fixture;
    fixture.open();
    fixture.log->declare_queue(test::queue_definition(1));
    fixture.publish(std::string(size, 'x'));
    fixture.sync();
    for (int start = 0; start < 100; ++start)
      fixture.reopen();
    fixture.publish("in the next segment");
    fixture.sync();
    CHECK(fixture.reopen().message_counts.at("q1") == 2);
  }
}

TEST_CASE("a segment that a crash kept from being recycled is removed at the next start") {
  test::LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  const std::string first = fixture.files.bytes(fixture.segment_path(1));
  while (fixture.files.exists(fixture.segment_path(1))) {
    fixture.log->ack({1, fixture.publish(std::string(200, 'x'))});
    fixture.sync();
  }
  fixture.publish("last");
  fixture.sync();
  fixture.log.reset();
  fixture.files.put(fixture.segment_path(1), first);
  fixture.open();
  CHECK_FALSE(fixture.files.exists(fixture.segment_path(1)));
  CHECK(fixture.recovered.text(1) == "last*");
}
