// What a survey finds in a log: all of it, also behind damage, and it changes nothing.
#include <doctest/doctest.h>

#include "log/survey.hpp"
#include "support/damaged_vhost.hpp"

using namespace haypile;
using test::DamagedVhost;

TEST_CASE("a healthy log is surveyed whole, and nothing of it changes") {
  DamagedVhost vhost;
  const test::Bytes before = vhost.bytes();
  const log::SurveyReport report = vhost.survey();
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
  const log::SurveyReport report = vhost.survey();
  CHECK(report.damages.empty());
  CHECK(report.clean);
}

TEST_CASE("a torn tail is no damage") {
  DamagedVhost vhost;
  const std::string last = vhost.segments().back();
  vhost.flip_body(last, vhost.places(last).size() - 1);
  const log::SurveyReport report = vhost.survey();
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
    const log::SurveyReport report = damaged.survey();
    CHECK(damaged.bytes() == before);
    REQUIRE_FALSE(report.damages.empty());
    CHECK(report.damages.front().file == expected.file);
    CHECK(report.damages.front().offset == expected.offset);
    CHECK(report.damages.front().what.find(expected.what) != std::string::npos);
  }
}

TEST_CASE("the survey goes on behind the first damage") {
  DamagedVhost vhost;
  const std::string segment = vhost.segments().end()[-2];  // nothing of it has moved
  const std::string pile = vhost.piles().front();
  vhost.flip_body(segment, 5);
  vhost.flip_body(segment, 1);
  vhost.flip(pile, log::pile_header_size + 200);
  const log::SurveyReport report = vhost.survey();
  REQUIRE(report.damages.size() == 3);
  // A batch that cannot be read has one message here.
  CHECK(report.damages[0].file == segment);
  CHECK(report.damages[1].file == segment);
  CHECK(report.damages[0].offset < report.damages[1].offset);
  CHECK(report.damages[2].file == pile);
  REQUIRE(report.damages[2].message_count);
  const auto& counts = report.queues.at("q");
  CHECK(counts.in_log + counts.in_piles + *report.damages[2].message_count == 298);
}
