// One reader for starts and inspections, which differ in what happens at damage.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "log/log_reader.hpp"
#include "support/damaged_vhost.hpp"

using namespace haypile;
using log::DamagePolicy;
using log::LogReader;
using test::DamagedVhost;

namespace {

LogReader reader_of(DamagedVhost& vhost, DamagePolicy policy) {
  return LogReader(vhost.files(), "log", test::directory_id, policy);
}

void read(LogReader& reader) {
  reader.find_files();
  reader.read_records([](log::LogPosition, const log::Record&) {});
}

// The bodies of the messages that are left, by rising position.
std::vector<std::string> bodies(LogReader& reader) {
  std::vector<std::string> found;
  reader.each_message(
      [](log::LogPosition, engine::QueueId, const engine::MessageView&) { return true; },
      [&](log::LogPosition, const engine::MessageView& message,
          std::span<const engine::RecoveredRef>) { found.emplace_back(message.body); });
  return found;
}

}  // namespace

TEST_CASE("what one policy refuses, the other notes first") {
  for (const test::DamageKind& kind : test::damage_kinds_of_segments()) {
    CAPTURE(kind.name);
    DamagedVhost vhost;
    const test::ExpectedDamage expected = kind.make(vhost);
    LogReader noting = reader_of(vhost, DamagePolicy::note);
    read(noting);
    REQUIRE_FALSE(noting.damages().all().empty());
    const log::Damage& first = noting.damages().all().front();
    CHECK(first.file == expected.file);
    CHECK(first.offset == expected.offset);
    CHECK(first.what.find(expected.what) != std::string::npos);
    LogReader refusing = reader_of(vhost, DamagePolicy::refuse);
    const std::string text = log::refusal_text(first);
    CHECK_THROWS_WITH_AS(read(refusing), text.c_str(), log::DamageError);
  }
}

TEST_CASE("an undamaged log is the same for both policies") {
  DamagedVhost vhost;
  LogReader noting = reader_of(vhost, DamagePolicy::note);
  LogReader refusing = reader_of(vhost, DamagePolicy::refuse);
  read(noting);
  read(refusing);
  CHECK(noting.damages().all().empty());
  CHECK(bodies(noting).size() == 100);
  CHECK(bodies(noting) == bodies(refusing));
  CHECK(noting.end().record_count == refusing.end().record_count);
  CHECK(noting.end().epoch == refusing.end().epoch);
  CHECK(noting.segments().size() == vhost.segments().size());
}

TEST_CASE("messages may be read again, and damage is listed once") {
  DamagedVhost vhost;
  vhost.flip_body(vhost.segments()[1], 3);
  vhost.flip_body(vhost.segments().back(), 0);
  LogReader reader = reader_of(vhost, DamagePolicy::note);
  read(reader);
  const std::size_t count = reader.damages().all().size();
  CHECK(count == 2);
  const std::vector<std::string> left = bodies(reader);
  CHECK(left.size() == 98);
  CHECK(bodies(reader) == left);
  CHECK(reader.damages().all().size() == count);
}

TEST_CASE("a checkpoint that is impossibly large is damage, and is not read") {
  DamagedVhost vhost;
  vhost.files().make_sparse("log/checkpoint", log::checkpoint_size_max + 1);
  LogReader noting = reader_of(vhost, DamagePolicy::note);
  read(noting);
  CHECK(log::refusal_text(noting.damages().all().at(0)) == "'log/checkpoint' is impossibly large");
  LogReader refusing = reader_of(vhost, DamagePolicy::refuse);
  CHECK_THROWS_WITH_AS(read(refusing), "'log/checkpoint' is impossibly large", log::DamageError);
}

TEST_CASE("a file that cannot be read is damage for one policy, and an error of the other") {
  DamagedVhost vhost;
  const std::string path = vhost.segments()[1];
  vhost.files().make_unreadable(path);
  LogReader noting = reader_of(vhost, DamagePolicy::note);
  read(noting);
  REQUIRE_FALSE(noting.damages().all().empty());
  CHECK(noting.damages().all().front().file == path);
  LogReader refusing = reader_of(vhost, DamagePolicy::refuse);
  try {
    read(refusing);
    FAIL("it was read");
  } catch (const log::DamageError&) {
    FAIL("that is no damage");
  } catch (const log::IoError& error) {
    CHECK(std::string(error.what()).find(path) != std::string::npos);
  }
}
