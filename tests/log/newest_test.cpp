// Where a log ends: which segment is the newest, and how far the last one was durable.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "log/log_inspector.hpp"
#include "log/newest.hpp"
#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

void fill(LogFixture& fixture, int count = 60) {
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (int i = 0; i < count; ++i) {
    fixture.publish(std::string(200, 'x'));
    fixture.sync();
  }
}

// Returns the first damage that an inspection lists; empty if there is none.
std::string listed(LogFixture& fixture) {
  log::LogInspector inspector(fixture.files, "log", test::directory_id);
  inspector.run();
  if (inspector.report().damages.empty()) return "";
  const log::Damage& damage = inspector.report().damages.front();
  return "'" + damage.file + "' " + damage.what;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a newest segment that is missing refuses the start by name") {
  for (const bool is_closed : {false, true}) {
    for (std::uint64_t missing = 1; missing <= 3; ++missing) {
      CAPTURE(is_closed);
      CAPTURE(missing);
      LogFixture fixture;
      fill(fixture);
      const std::uint64_t last = fixture.log->segment_count();
      REQUIRE(last > missing);
      if (is_closed) fixture.log->close_clean();
      fixture.log.reset();
      for (std::uint64_t i = 0; i < missing; ++i)
        fixture.files.drop(fixture.segment_path(last - i));
      CHECK(contains(fixture.refusal(), fixture.segment_path(last) + "' is missing"));
      CHECK(contains(listed(fixture), "is missing"));
    }
  }
}

TEST_CASE("a newest segment of which nothing is left refuses the start by name") {
  LogFixture fixture;
  fill(fixture);
  const std::string path = fixture.segment_path(fixture.log->segment_count());
  fixture.log.reset();
  for (const std::string& bytes : {std::string(), std::string(4096, '\0')}) {
    fixture.files.put(path, bytes);
    CHECK(contains(fixture.refusal(), path + "' has no header"));
    CHECK(contains(listed(fixture), path + "' has no header"));
  }
}

TEST_CASE("the file that tells the newest segment, and the checkpoint, are missed") {
  for (const int count : {0, 60}) {
    for (const std::string path : {"log/newest", "log/checkpoint"}) {
      LogFixture fixture;
      fill(fixture, count);
      fixture.log.reset();
      fixture.files.drop(path);
      CHECK(contains(fixture.refusal(), "'" + path + "' is missing"));
      CHECK(contains(listed(fixture), "'" + path + "' is missing"));
    }
  }
}

TEST_CASE("one slot that is torn is made up for, and two are damage") {
  LogFixture fixture;
  fill(fixture);
  fixture.log.reset();
  const std::string good = fixture.files.bytes("log/newest");
  for (const std::size_t at : {std::size_t{10}, std::size_t{4096 + 35}}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    fixture.files.put("log/newest", bad);
    CHECK(listed(fixture) == "");
    CHECK(fixture.refusal() == "");
    fixture.log.reset();
  }
  fixture.files.put("log/newest", std::string(good.size(), '\0'));
  CHECK(contains(fixture.refusal(), "no slot of it is whole"));
  CHECK(contains(listed(fixture), "no slot of it is whole"));
}

TEST_CASE("the last batch counts as durable once that was written down") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  fixture.publish("one");
  CHECK_FALSE(fixture.log->needs_mark());
  fixture.log->flush();
  CHECK(fixture.log->needs_mark());
  fixture.log->mark_durable();  // it is not durable yet
  CHECK(fixture.log->needs_mark());
  fixture.log->step();
  const std::string path = fixture.segment_path(1);
  const auto is_refused = [&] {
    LogFixture damaged;
    for (const std::string& each : fixture.files.paths())
      damaged.files.put(each, fixture.files.bytes(each));
    std::string& bytes = damaged.files.bytes(path);
    bytes[bytes.find("one")] ^= 1;
    return contains(damaged.refusal(), "all before it was durable");
  };
  CHECK_FALSE(is_refused());
  fixture.log->mark_durable();
  fixture.log->step();
  CHECK_FALSE(fixture.log->needs_mark());
  CHECK(is_refused());
  // The mark is written once.
  const engine::LogPosition end = fixture.log->end();
  fixture.log->mark_durable();
  CHECK(fixture.log->end() == end);
  fixture.open();
  CHECK(fixture.recovered.text(1) == "one*");
}

TEST_CASE("a log that is marked again and again goes on through its segments") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  for (int i = 0; i < 300; ++i) {
    fixture.publish("m");
    fixture.sync();
    fixture.log->mark_durable();
    fixture.log->step();
    CHECK_FALSE(fixture.log->needs_mark());
  }
  CHECK(fixture.log->segment_count() > 3);
  CHECK(fixture.open().torn_bytes == 0);
  CHECK(fixture.recovered.messages.at(1).size() == 300);
}

TEST_CASE("the time of every message is kept, whatever its record looks like") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  constexpr engine::TimeMs start = 1'790'000'000'000;
  std::vector<engine::TimeMs> times;
  for (int i = 0; i < 200; ++i) {
    times.push_back(start + static_cast<engine::TimeMs>(i) * 77);
    fixture.publish(std::string(i % 20 == 7 ? 9000 : 30, 'm'), {1}, times.back());
    if (i % 5 == 0) fixture.sync();
  }
  fixture.sync();
  engine::RecoveredClock clock;
  fixture.log.reset();
  fixture.recovered = {};
  fixture.log.emplace(fixture.files, "log", test::directory_id, fixture.options);
  fixture.log->recover(fixture.recovered, [&](const auto& found) { clock = found; });
  std::vector<engine::TimeMs> found;
  for (const auto& entry : fixture.recovered.messages.at(1))
    found.push_back(entry.published_at);
  CHECK(found == times);
  CHECK(clock.seen == times.back());
  CHECK(clock.offset_ms == 0);
}

TEST_CASE("the clock's offset is kept, also when its record has gone") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  const auto reopen = [&] {
    engine::RecoveredClock clock;
    fixture.log.reset();
    fixture.recovered = {};
    fixture.log.emplace(fixture.files, "log", test::directory_id, fixture.options);
    fixture.log->recover(fixture.recovered, [&](const auto& found) { clock = found; });
    return clock.offset_ms;
  };
  for (const std::int64_t offset : {std::int64_t{1}, std::int64_t{-7'200'000}, INT64_MAX, INT64_MIN,
                                    std::int64_t{0}, std::int64_t{86'400'000}}) {
    fixture.log->set_clock_offset(offset);
    fixture.sync();
    CHECK(reopen() == offset);
  }
  for (int i = 0; i < 100; ++i) {
    fixture.log->ack({1, fixture.publish(std::string(200, 'x'))});
    fixture.sync();
  }
  CHECK_FALSE(fixture.files.exists(fixture.segment_path(1)));
  CHECK(reopen() == 86'400'000);
}

TEST_CASE("the names of new directories outlive a loss of power") {
  for (unsigned seed = 0; seed < 50; ++seed) {
    test::MemFileSystem files;
    log::create_directories(files, "a/b/c");
    log::replace_file(files, "a/b/c", "file", "bytes");
    std::mt19937 random(seed);
    files.restart(random);
    CHECK(files.exists("a/b/c/file"));
  }
}
