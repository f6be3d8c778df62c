// An inspection reads all of a log, also behind damage, and changes nothing.
#include <doctest/doctest.h>

#include <algorithm>

#include "log/log_inspector.hpp"
#include "log/salvage.hpp"
#include "support/damaged_vhost.hpp"

using namespace haypile;
using test::DamagedVhost;

TEST_CASE("a healthy log is inspected whole, and nothing of it changes") {
  DamagedVhost vhost;
  const test::Bytes before = vhost.bytes();
  const log::InspectionReport report = vhost.inspect();
  CHECK(report.damages.empty());
  CHECK(vhost.bytes() == before);
  CHECK(report.queues.at("q").in_log + report.queues.at("q").in_piles == 300);
  CHECK(report.queues.at("q").in_piles > 100);
  CHECK(report.queues.at("q").in_log > 20);
  CHECK(report.segments.size() > 2);
  CHECK(report.piles.size() > 1);
  CHECK(report.torn_bytes == 0);
  CHECK_FALSE(report.clean);
  CHECK(report.live_bytes > 300 * 100);
}

TEST_CASE("a log that was closed is clean") {
  DamagedVhost vhost;
  vhost.close_clean();
  const log::InspectionReport report = vhost.inspect();
  CHECK(report.damages.empty());
  CHECK(report.clean);
}

TEST_CASE("a torn tail is no damage") {
  DamagedVhost vhost;
  const std::string last = vhost.segments().back();
  vhost.flip_body(last, vhost.places(last).size() - 1);
  const log::InspectionReport report = vhost.inspect();
  CHECK(report.damages.empty());
  CHECK(report.torn_bytes > 0);
  CHECK(report.torn_reason.find("was not written whole") != std::string::npos);
  CHECK(report.queues.at("q").in_log + report.queues.at("q").in_piles == 299);
}

TEST_CASE("every kind of damage is named by file and offset") {
  DamagedVhost vhost;
  for (const test::DamageKind& kind : test::damage_kinds()) {
    CAPTURE(kind.name);
    DamagedVhost damaged;
    const test::ExpectedDamage expected = kind.make(damaged);
    const test::Bytes before = damaged.bytes();
    const log::InspectionReport report = damaged.inspect();
    CHECK(damaged.bytes() == before);
    REQUIRE_FALSE(report.damages.empty());
    CHECK(report.damages.front().file == expected.file);
    CHECK(report.damages.front().offset == expected.offset);
    CHECK(report.damages.front().what.find(expected.what) != std::string::npos);
  }
}

TEST_CASE("piles without anything beside them are no new log") {
  DamagedVhost vhost;
  vhost.leave_piles_only();
  const test::Bytes before = vhost.bytes();
  CHECK_THROWS_AS(vhost.fixture().open(), log::DamageError);
  CHECK(vhost.bytes() == before);
}

TEST_CASE("the inspection goes on behind the first damage") {
  DamagedVhost vhost;
  const std::string segment = vhost.segments().end()[-2];  // nothing of it was moved
  const std::string pile = vhost.piles().front();
  vhost.flip_body(segment, 5);
  vhost.flip_body(segment, 1);
  vhost.flip(pile, log::pile_header_size + 200);
  const log::InspectionReport report = vhost.inspect();
  REQUIRE(report.damages.size() == 3);
  // Each batch that cannot be read has one message here.
  CHECK(report.damages[0].file == segment);
  CHECK(report.damages[1].file == segment);
  CHECK(report.damages[0].offset < report.damages[1].offset);
  CHECK(report.damages[2].file == pile);
  REQUIRE(report.damages[2].message_count);
  const auto& counts = report.queues.at("q");
  CHECK(counts.in_log + counts.in_piles + *report.damages[2].message_count == 298);
}

namespace {

// Acknowledges a message in a pile; the log has the record of that.
void settle_one(DamagedVhost& vhost) {
  test::VhostFixture& fixture = vhost.fixture();
  fixture.open();
  test::TestChannel& channel = fixture.channel();
  channel.get("q");
  CHECK(channel.settle(1) == 0);
  fixture.sync();
  fixture.channels.clear();
  fixture.vhost.reset();
}

std::uint64_t count_of(const log::InspectionReport& report) {
  std::uint64_t count = 0;
  for (const auto& [name, queue] : report.queues)
    count += queue.in_log + queue.in_piles;
  return count;
}

}  // namespace

TEST_CASE(
    "whatever becomes of the checkpoint, all messages are found, and come back by a salvage") {
  const std::string path = "log/checkpoint";
  DamagedVhost vhost;
  settle_one(vhost);
  const std::string good = vhost.files().bytes(path);
  std::vector<std::string> bad = {"", std::string(good.size(), '\0'), std::string(64, 'x')};
  for (std::size_t at = 0; at < good.size(); ++at) {
    bad.push_back(good.substr(0, at));
    bad.push_back(good);
    bad.back()[at] = static_cast<char>(good[at] ^ 4);
  }
  for (const std::string& bytes : bad) {
    vhost.files().put(path, bytes);
    log::LogInspector inspector(vhost.files(), "log", test::directory_id);
    inspector.run();
    REQUIRE_FALSE(inspector.report().damages.empty());
    CHECK(inspector.report().damages.front().file == path);
    CHECK(count_of(inspector.report()) == 299);
    log::write_salvaged(inspector, vhost.files(), "log", "new", test::directory_id);
    log::LogInspector result(vhost.files(), "new", test::directory_id);
    result.run();
    CHECK(result.report().damages.empty());
    CHECK(count_of(result.report()) == 299);
    for (const std::string& each : vhost.files().paths()) {
      if (each.starts_with("new/")) vhost.files().drop(each);
    }
  }
}

TEST_CASE("a file that cannot be read, or is larger than can be, is listed") {
  for (const bool is_large : {false, true}) {
    DamagedVhost vhost;
    for (const std::string& path : vhost.files().paths()) {
      if (path.find("spare-") != std::string::npos) continue;
      CAPTURE(path);
      DamagedVhost damaged;
      if (is_large) {
        damaged.files().make_sparse(path, std::uint64_t{1} << 42);
      } else {
        damaged.files().make_unreadable(path);
      }
      const log::InspectionReport report = damaged.inspect();
      // Other files that are too long still have all their content.
      if (is_large && !path.ends_with("checkpoint") && !path.ends_with(".pile")) continue;
      REQUIRE_FALSE(report.damages.empty());
      CHECK(report.damages.front().file == path);
    }
  }
}

TEST_CASE("of a pile with gaps as many messages are lost as stood in what is damaged") {
  test::VhostFixture fixture;
  fixture.open();
  fixture.declare("kept");
  fixture.declare("busy");
  fixture.declare("other");
  for (int number = 0; number < 2000; ++number) {
    fixture.publish_numbers(number % 3 == 0 ? "kept" : "busy", number, number + 1);
    if (number % 100 == 99) fixture.move_all();
  }
  // Two of three messages leave their piles, which are thinned.
  test::TestChannel& channel = fixture.channel();
  while (channel.get("busy", true) != "nothing") {
  }
  for (int i = 0; i < 1000; ++i) {
    fixture.publish("other", std::string(200, 'o'));
    fixture.sync();
    channel.get("other", true);
  }
  fixture.channels.clear();
  fixture.vhost.reset();
  const auto inspected = [&] {
    log::LogInspector inspector(fixture.files, "log", test::directory_id);
    inspector.run();
    return inspector.report();
  };
  const std::uint64_t whole = count_of(inspected());
  CHECK(whole >= 667);
  std::size_t thinned_count = 0;
  for (const std::string& path : fixture.files.paths()) {
    const auto number = log::pile_number(path.substr(path.find('/') + 1));
    if (!number) continue;
    const std::string good = fixture.files.bytes(path);
    if (log::pile_of(good) != *number) ++thinned_count;
    log::Block block;
    for (std::uint64_t at = log::pile_header_size; at < good.size(); at += block.size()) {
      REQUIRE(log::decode_block_header(std::string_view(good).substr(at), *number, at,
                                       test::directory_id, block));
      for (const std::uint64_t place : {at + 1, at + log::block_header_size + 5}) {
        CAPTURE(path);
        CAPTURE(place);
        std::string bad = good;
        bad[place] = static_cast<char>(bad[place] ^ 1);
        fixture.files.put(path, bad);
        const log::InspectionReport report = inspected();
        REQUIRE(report.damages.size() == 1);
        CHECK(report.damages.front().offset == at);
        CHECK(count_of(report) + *report.damages.front().message_count == whole);
      }
    }
    fixture.files.put(path, good);
  }
  CHECK(thinned_count > 0);
}
