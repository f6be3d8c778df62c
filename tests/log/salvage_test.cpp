// What a salvage makes of a damaged log.
#include <doctest/doctest.h>

#include "log/salvage.hpp"
#include "support/damaged_vhost.hpp"

using namespace haypile;
using test::DamagedVhost;

namespace {

void salvage(DamagedVhost& vhost) {
  log::LogInspector inspector(vhost.files(), "log", test::directory_id);
  inspector.run();
  log::write_salvaged(inspector, vhost.files(), "log", "new", test::directory_id);
}

// Puts the new log in place of the old one, as the daemon does with a rename.
void swap_in(DamagedVhost& vhost) {
  for (const auto& [path, bytes] : vhost.bytes()) {
    if (path.starts_with("log/")) vhost.files().drop(path);
  }
  for (const auto& [path, bytes] : vhost.bytes())
    vhost.files().put("log/" + path.substr(4), bytes);
}

// The numbers of the messages in the queue after a start.
std::vector<int> numbers(DamagedVhost& vhost) {
  std::vector<int> found;
  vhost.fixture().open();
  test::TestChannel& channel = vhost.fixture().channel();
  while (true) {
    const std::string body = channel.get("q");
    if (body == "nothing") return found;
    CHECK(body.ends_with('*'));
    found.push_back(std::stoi(body));
  }
}

}  // namespace

TEST_CASE("what is not damaged is there after a salvage, in order") {
  for (const test::DamageKind& kind : test::damage_kinds()) {
    CAPTURE(kind.name);
    DamagedVhost vhost;
    const test::ExpectedDamage expected = kind.make(vhost);
    const test::Bytes before = vhost.bytes();
    salvage(vhost);
    for (const auto& [path, bytes] : before)
      CHECK(vhost.files().bytes(path) == bytes);
    swap_in(vhost);
    const log::InspectionReport report = vhost.inspect();
    CHECK(report.damages.empty());
    const std::vector<int> found = numbers(vhost);
    CHECK(vhost.fixture().failure == "");
    CHECK(found.size() >= expected.left);
    CHECK(found.size() <= 300);
    CHECK(std::ranges::adjacent_find(found, std::greater_equal()) == found.end());
    CHECK(report.queues.at("q").in_log + report.queues.at("q").in_piles == found.size());
  }
}

TEST_CASE("a salvaged log goes on") {
  DamagedVhost vhost;
  vhost.flip_body(vhost.segments()[1], 3);
  salvage(vhost);
  swap_in(vhost);
  test::VhostFixture& fixture = vhost.fixture();
  fixture.open();
  fixture.publish_numbers("q", 300, 600);
  const std::vector<int> found = numbers(vhost);
  CHECK(found.size() == 599);
  CHECK(found.back() == 599);
  CHECK(std::ranges::adjacent_find(found, std::greater_equal()) == found.end());
  CHECK(vhost.inspect().damages.empty());
}

TEST_CASE("what was acknowledged does not come back, but for acknowledgements in what is damaged") {
  DamagedVhost vhost;
  test::VhostFixture& fixture = vhost.fixture();
  fixture.open();
  test::TestChannel& channel = fixture.channel();
  for (int number = 0; number < 10; ++number)
    channel.get("q");
  CHECK(channel.settle(3) == 0);
  fixture.sync();
  channel.settle(5);
  fixture.sync();
  fixture.channels.clear();
  fixture.vhost.reset();
  vhost.flip(vhost.piles().back(), 33);
  salvage(vhost);
  swap_in(vhost);
  const std::vector<int> found = numbers(vhost);
  CHECK(found.size() == 298);
  CHECK(std::ranges::find(found, 2) == found.end());
  CHECK(std::ranges::find(found, 4) == found.end());
}

namespace {

// Publishes a message, a group of three that acknowledges it and ends in the second segment, and
// one more message.
void fill_with_group(test::LogFixture& fixture) {
  fixture.open();
  fixture.log->declare_queue(test::queue_definition(1));
  const engine::LogPosition first = fixture.publish("first");
  fixture.sync();
  fixture.log->begin_group();
  fixture.log->ack({1, first});
  for (int i = 0; i < 3; ++i)
    fixture.publish(std::string(7'000, 'g'));
  fixture.log->end_group();
  fixture.sync();
  fixture.publish("last");
  fixture.sync();
  fixture.log.reset();
}

}  // namespace

TEST_CASE("a group whose end is in a segment that is missing keeps its messages") {
  test::LogFixture fixture(16384);
  fill_with_group(fixture);
  const std::string path = fixture.segment_path(2);
  for (const std::size_t left : {0, 4000}) {
    fixture.files.put(path, std::string(left, 'x'));
    if (left == 0) fixture.files.drop(path);
    log::LogInspector inspector(fixture.files, "log", test::directory_id);
    inspector.run();
    CHECK(inspector.report().damages.size() == 1);
    CHECK(inspector.report().queues.at("q1").in_log == 3);
  }
  // Without the file that tells the newest segment, nothing says that there was one more.
  fixture.files.drop(path);
  fixture.files.drop("log/newest");
  log::LogInspector inspector(fixture.files, "log", test::directory_id);
  inspector.run();
  CHECK(inspector.report().queues.at("q1").in_log == 3);
}

TEST_CASE("a group that is damaged keeps its messages") {
  test::LogFixture fixture(16384);
  fill_with_group(fixture);
  // Damages the end of the group.
  const std::string path = fixture.segment_path(2);
  std::string bytes = fixture.files.bytes(path);
  bytes[bytes.find("ggg")] = 'G';
  fixture.files.put(path, bytes);
  log::LogInspector inspector(fixture.files, "log", test::directory_id);
  inspector.run();
  CHECK(inspector.report().damages.size() == 1);
  // The acknowledgement is lost; two messages of the group and the one behind it are there.
  CHECK(inspector.report().queues.at("q1").in_log == 4);
}
