// What the appender writes: batches, groups, sealed segments, and what they say is durable.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "log/appender.hpp"
#include "log/records.hpp"
#include "log/segment.hpp"
#include "support/log_fixture.hpp"

using namespace haypile;
using log::RecordType;

namespace {

constexpr std::uint64_t segment_size = 4096;

struct AppenderFixture {
  AppenderFixture() {
    segments.restore(segment_size, 1, {{}});
    worker.open_reserve(piles, segment_size, 1, 0);
    newest.create(0);
    worker.open_writer(segment_size, 0, newest);
    appender.start(7, log::segment_header_size);
  }

  void write() {
    appender.flush();
    worker.step_writer();
  }
  engine::LogPosition publish(std::string_view body) {
    const engine::QueueId queue = 1;
    return appender.publish(
        {.exchange = "e", .routing_key = "k", .properties = "", .body = body, .published_at = 0},
        {&queue, 1});
  }
  // The records of a segment, a word for each and a bar behind each batch.
  std::string text(std::uint64_t segment = 1) {
    std::string text;
    log::SegmentReader reader(files.bytes("log/" + log::segment_name(segment)), segment,
                              segment_size, 0, test::directory_id);
    for (log::Batch batch; reader.next(batch); text += "|") {
      log::LogPosition position = batch.position;
      for (std::string_view rest = batch.records; !rest.empty();) {
        const std::size_t before = rest.size();
        log::Record record;
        REQUIRE(log::decode_record(rest, position, record));
        position += before - rest.size();
        text += word(record);
      }
    }
    return text;
  }
  static std::string word(const log::Record& record) {
    if (std::get_if<log::PublishRecord>(&record)) return "publish ";
    if (const auto* message = std::get_if<log::MessageRecord>(&record)) {
      return message->type == RecordType::ack ? "ack " : "mark ";
    }
    if (std::get_if<log::FragmentRecord>(&record)) return "fragment ";
    const auto* mark = std::get_if<log::MarkRecord>(&record);
    if (!mark) return "other ";
    switch (mark->type) {
      case RecordType::seal:
        return "seal ";
      case RecordType::group_begin:
        return "begin ";
      case RecordType::group_end:
        return "end ";
      case RecordType::idle:
        return "idle ";
      default:
        return "start ";
    }
  }

  test::MemFileSystem files;
  log::Piles piles;
  log::Segments segments;
  log::Newest newest{files, "log", test::directory_id};
  log::LogWorker worker{files, "log", test::directory_id, {}};
  log::Appender appender{worker, segments, test::directory_id};
};

}  // namespace

TEST_CASE("what is appended between two flushes is one batch, and durable when it is written") {
  AppenderFixture fixture;
  fixture.appender.append_mark(RecordType::start);
  const auto first = fixture.publish("a");
  fixture.appender.ack(1, first);
  CHECK(fixture.worker.durable() == 0);
  fixture.write();
  CHECK(fixture.text() == "start publish ack |");
  CHECK(fixture.worker.durable() == fixture.appender.end());
  CHECK(fixture.publish("b") > first);
  fixture.write();
  CHECK(fixture.text() == "start publish ack |publish |");
}

TEST_CASE("a segment is sealed when the next record has no room in it") {
  AppenderFixture fixture;
  const std::string body(1500, 'x');
  fixture.publish(body);
  fixture.publish(body);
  const auto third = fixture.publish(body);
  fixture.write();
  CHECK(fixture.text(1) == "publish publish seal |");
  CHECK(fixture.text(2) == "publish |");
  CHECK(third / segment_size == 2);
  CHECK(fixture.segments.live_count() == 3);
}

TEST_CASE("what no segment has room for is written in fragments, and named by the first") {
  AppenderFixture fixture;
  const auto position = fixture.publish(std::string(9000, 'x'));
  fixture.write();
  CHECK(position / segment_size == 1);
  CHECK(fixture.text(1) == "fragment seal |");
  CHECK(fixture.text(2) == "fragment seal |");
  CHECK(fixture.text(3) == "fragment |");
}

TEST_CASE("room for two records keeps them in one batch") {
  for (const bool is_together : {false, true}) {
    AppenderFixture fixture;
    // The segment has room left for one of them.
    fixture.publish(std::string(3895, 'x'));
    if (is_together) {
      fixture.appender.make_room(log::message_record_size_max + log::stored_size_max);
    }
    fixture.appender.append_message_record(RecordType::ack, 1, 100);
    fixture.appender.append_drop_stored(100, 0, 1, std::nullopt);
    fixture.write();
    CHECK(fixture.text(1) == (is_together ? "publish seal |" : "publish ack seal |"));
    CHECK(fixture.text(2) == (is_together ? "ack other |" : "other |"));
  }
}

TEST_CASE("a group has marks, unless it is empty or a single acknowledgement") {
  AppenderFixture fixture;
  const auto first = fixture.publish("a");
  const auto second = fixture.publish("b");
  fixture.appender.begin_group();
  fixture.appender.end_group();
  fixture.appender.begin_group();
  fixture.appender.ack(1, first);
  fixture.appender.end_group();
  fixture.write();
  CHECK(fixture.text() == "publish publish ack |");
  fixture.appender.begin_group();
  fixture.appender.ack(1, second);
  fixture.publish("c");
  fixture.appender.end_group();
  fixture.write();
  CHECK(fixture.text() == "publish publish ack |begin ack publish end |");
}

TEST_CASE(
    "a group that goes on in the next segment begins there again, and is durable at its end") {
  AppenderFixture fixture;
  fixture.publish("before");
  fixture.write();
  const log::LogPosition before = fixture.worker.durable();
  fixture.appender.begin_group();
  for (int i = 0; i < 3; ++i)
    fixture.publish(std::string(1500, 'x'));
  fixture.worker.step_writer();
  CHECK(fixture.worker.durable() == before);
  fixture.appender.end_group();
  fixture.write();
  CHECK(fixture.worker.durable() == fixture.appender.end());
  CHECK(fixture.text(1) == "publish |begin publish publish seal |");
  CHECK(fixture.text(2) == "begin publish end |");
}

TEST_CASE("an idle log gets one more batch, which says that the last record is durable") {
  AppenderFixture fixture;
  fixture.publish("a");
  fixture.appender.mark_durable();
  CHECK_FALSE(fixture.appender.is_batch_empty());
  fixture.write();
  CHECK(fixture.appender.needs_mark());
  fixture.appender.mark_durable();
  CHECK_FALSE(fixture.appender.needs_mark());
  fixture.worker.step_writer();
  CHECK(fixture.text() == "publish |idle |");
}
