// How the log reads files with valid checksums whose content no log can have written.
#include <doctest/doctest.h>

#include <limits>
#include <utility>

#include "log/checkpoint.hpp"
#include "log/log_inspector.hpp"
#include "log/newest.hpp"
#include "log/pile.hpp"
#include "log/piles.hpp"
#include "log/record.hpp"
#include "log/salvage.hpp"
#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

constexpr std::uint32_t epoch_max = std::numeric_limits<std::uint32_t>::max();

// Publishes three messages, each synced by itself.
void fill(LogFixture& fixture) {
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (const char* body : {"one", "two", "three"}) {
    fixture.publish(body);
    fixture.sync();
  }
}

// Checks that the file which refuses the start is listed, and that a salvage succeeds.
void check_damaged(LogFixture& fixture, const std::string& file) {
  CHECK(fixture.refusal().find(file) != std::string::npos);
  log::LogInspector inspector(fixture.files, "log", test::directory_id);
  inspector.run();
  REQUIRE_FALSE(inspector.report().damages.empty());
  CHECK(inspector.report().damages.front().file == file);
  log::write_salvaged(inspector, fixture.files, "log", "new", test::directory_id);
  log::LogInspector salvaged(fixture.files, "new", test::directory_id);
  salvaged.run();
  CHECK(salvaged.report().damages.empty());
}

// Gives the last batch of the segment this epoch.
void set_last_epoch(std::string& segment, std::uint64_t number, std::uint32_t epoch) {
  std::size_t last = 0;
  std::size_t at = log::segment_header_size;
  while (const std::uint32_t size = log::get_u32(segment, at)) {
    last = at;
    at = log::align(at + log::batch_header_size + size);
  }
  std::string batch = segment.substr(last);
  auto header = log::decode_batch_header(batch, test::directory_id, number * 4096 + last);
  REQUIRE(header);
  header->epoch = epoch;
  log::encode(*header, test::directory_id, batch);
  segment.replace(last, batch.size(), batch);
}

}  // namespace

TEST_CASE("a checkpoint that no log can have written refuses the start") {
  std::string queue;
  log::append_queue(queue, test::queue_definition(1));
  const std::pair<log::CheckpointHead, std::string> heads[] = {
      {{.first_segment = 0, .position = 0}, ""},
      {{.first_segment = 0, .position = 5000}, ""},
      {{.first_segment = 2, .position = 0}, ""},
      {{.first_segment = 3, .position = 5000}, ""},
      {{.first_segment = std::uint64_t{1} << 48, .position = 5000}, ""},
      {{.first_segment = 1, .position = log::position_max + 1}, ""},
      {{.first_segment = 1, .position = 5000, .moved = 5001}, ""},
      {{.first_segment = 1, .position = 0}, queue},
  };
  for (const bool has_segments : {false, true}) {
    for (const auto& forged : heads) {
      const log::CheckpointHead& head = forged.first;
      CAPTURE(head.first_segment);
      CAPTURE(head.position);
      LogFixture fixture;
      if (has_segments) fill(fixture);
      fixture.log.reset();
      fixture.files.put("log/checkpoint",
                        log::encode_checkpoint(head, forged.second, "", test::directory_id));
      check_damaged(fixture, "log/checkpoint");
    }
  }
}

TEST_CASE("a salvage comes to its end with names that no log comes to") {
  LogFixture fixture;
  fill(fixture);
  fixture.log.reset();
  fixture.files.drop("log/checkpoint");
  fixture.files.put(fixture.segment_path(UINT64_MAX - 1), "");
  fixture.files.put("log/" + log::pile_name(UINT64_MAX - 1), "");
  check_damaged(fixture, "log/checkpoint");
}

TEST_CASE("a log that is said to have begun, and has no segment, is listed") {
  for (const std::uint64_t newest : {0, 1}) {
    LogFixture fixture;
    fill(fixture);
    fixture.log.reset();
    fixture.files.drop(fixture.segment_path(1));
    fixture.files.put("log/newest", log::encode_newest(newest, test::directory_id));
    fixture.files.put("log/checkpoint",
                      log::encode_checkpoint({.position = 4096 + 64}, "", "", test::directory_id));
    check_damaged(fixture, fixture.segment_path(1));
  }
}

TEST_CASE("a newest segment that no log comes to refuses the start") {
  LogFixture fixture;
  fill(fixture);
  fixture.log.reset();
  fixture.files.put("log/newest", log::encode_newest(UINT64_MAX, test::directory_id));
  check_damaged(fixture, "log/newest");
}

TEST_CASE("a log goes on when there is no higher epoch, and what was torn stays away") {
  for (const bool is_torn : {false, true}) {
    CAPTURE(is_torn);
    LogFixture fixture;
    fill(fixture);
    fixture.log.reset();
    const std::string path = fixture.segment_path(1);
    std::string bytes = fixture.files.bytes(path);
    set_last_epoch(bytes, 1, epoch_max);
    if (is_torn) bytes[bytes.find("three")] = 'T';
    fixture.files.put(path, bytes);
    const std::string all = is_torn ? "one* two*" : "one* two* three*";
    CHECK((fixture.open().torn_bytes > 0) == is_torn);
    CHECK(fixture.recovered.text(1) == all);
    fixture.publish("four");
    fixture.sync();
    CHECK(fixture.open().torn_bytes == 0);
    CHECK(fixture.recovered.text(1) == all + " four*");
    CHECK(fixture.open().torn_bytes == 0);
    CHECK(fixture.recovered.text(1) == all + " four*");
  }
}

TEST_CASE("a segment that is full and not sealed refuses the start") {
  LogFixture fixture;
  fill(fixture);
  fixture.log.reset();
  const std::string path = fixture.segment_path(1);
  std::string bytes = fixture.files.bytes(path);
  const std::size_t at = log::align(bytes.find_last_not_of('\0') + 1);
  const std::string marks(4096 - log::batch_header_size - at,
                          static_cast<char>(log::RecordType::idle));
  std::string batch = std::string(log::batch_header_size, '\0') + marks;
  const log::LogPosition position = 4096 + at;
  log::encode({static_cast<std::uint32_t>(marks.size()), 1, position, position,
               log::checksum(marks, test::directory_id, position)},
              test::directory_id, batch);
  fixture.files.put(path, bytes.replace(at, batch.size(), batch));
  check_damaged(fixture, path);
}

// An inspection adopts a queue that nothing declares only in a damaged log.
TEST_CASE("what a pile has of another queue than the checkpoint says is counted, and comes back") {
  LogFixture fixture;
  fill(fixture);
  fixture.log.reset();
  const log::LogPosition number = 4096 + log::segment_header_size;
  log::PileBuilder builder(number, number, test::directory_id);
  const engine::MessageView message{
      .exchange = "e", .routing_key = "k", .properties = "", .body = "b"};
  builder.add({.queue = 7, .position = number, .place = 1, .message = message});
  const std::string bytes = builder.take();
  fixture.files.put("log/" + log::pile_name(number), bytes);
  log::Pile pile{.number = number,
                 .file = number,
                 .size = bytes.size(),
                 .extents = builder.extents(),
                 .count = builder.count()};
  pile.extents.front().queue = 1;
  log::Piles piles;
  piles.add(std::move(pile));
  std::string queue;
  log::append_queue(queue, test::queue_definition(1));
  fixture.files.put("log/checkpoint",
                    log::encode_checkpoint({.position = number + 8}, queue,
                                           log::encode_piles(piles), test::directory_id));
  log::LogInspector inspector(fixture.files, "log", test::directory_id);
  inspector.run();
  CHECK(inspector.report().damages.size() == 1);
  CHECK(inspector.report().queues.at("salvaged-7").in_piles == 1);
  log::write_salvaged(inspector, fixture.files, "log", "new", test::directory_id);
  log::LogInspector salvaged(fixture.files, "new", test::directory_id);
  salvaged.run();
  CHECK(salvaged.report().damages.empty());
  CHECK(salvaged.report().queues.at("salvaged-7").in_piles == 1);
}
