// Recovers a log that was changed, with corrected checksums: the recovery refuses it, or its result
// can be used.
//
// Input: a program that makes a log (log_program.hpp), then changes to its files.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/log_damage.hpp"
#include "fuzz/log_files.hpp"
#include "fuzz/log_opened.hpp"
#include "fuzz/log_program.hpp"
#include "fuzz/support.hpp"

namespace {

using namespace haypile;
using fuzz::expect;
using fuzz::open;
using fuzz::Opened;

void expect_same(const test::Recovered& a, const test::Recovered& b) {
  expect(a.exchanges == b.exchanges, "the same exchanges");
  expect(a.queues == b.queues, "the same queues");
  expect(a.bindings == b.bindings, "the same bindings");
  expect(a.unused_since == b.unused_since, "the same times of disuse");
  expect(fuzz::holdings_of(a) == fuzz::holdings_of(b), "the same messages");
}

void sync(log::Log& log) {
  log.flush();
  log.step();
  expect(log.durable() == log.end(), "what was flushed is durable");
}

engine::QueuedRef ref_of(const test::Recovered& recovered, engine::QueueId queue,
                         engine::LogPosition position) {
  for (const auto& entry : recovered.messages.at(queue)) {
    if (entry.position == position) return {queue, position, entry.stored};
  }
  return {queue, position};
}

// A changed pile may contain a message twice; an acknowledgement is for one of them.
bool is_there_once(const test::Recovered& recovered, engine::QueueId queue,
                   engine::LogPosition position) {
  return std::ranges::count(recovered.messages.at(queue), position,
                            &test::Recovered::Entry::position) == 1;
}

// The log can be used: what is done now is there at the next start.
void expect_usable(test::MemFileSystem& files, std::unique_ptr<Opened> first) {
  first->log.reset();
  std::unique_ptr<Opened> second = open(files);
  expect(second != nullptr, "what was recovered is recovered again");
  expect_same(first->recovered, second->recovered);
  expect(second->report.torn_bytes == 0, "what was torn is cut off once");
  expect(!second->report.clean, "a start is no clean stop");
  const char* broken = second->log->broken_invariant();
  expect(!broken, broken ? broken : "the log's books agree");
  fuzz::Holdings holdings = fuzz::holdings_of(second->recovered);
  const engine::QueueId queue = 1'000'000;
  log::Log& log = *second->log;
  log.declare_queue(
      {.id = queue, .name = "new", .durable = true, .auto_delete = false, .arguments = {}});
  std::vector<engine::LogPosition> gone;
  for (const auto& [position, message] : holdings) {
    const engine::QueueId first_queue = *message.second.begin();
    if (!is_there_once(second->recovered, first_queue, position)) continue;
    if (gone.size() % 2 == 0) log.ack(ref_of(second->recovered, first_queue, position));
    gone.push_back(position);
  }
  for (const std::size_t size : {10u, 3000u, 9000u}) {
    const std::string body(size, 'n');
    const auto position =
        log.publish({.exchange = "", .routing_key = "new", .properties = {}, .body = body},
                    std::vector<engine::QueueId>{queue});
    expect(holdings.empty() || position > holdings.rbegin()->first, "positions rise");
    holdings[position] = {body, {queue}};
    sync(log);
  }
  for (std::size_t i = 0; i < gone.size(); i += 2) {
    auto& queues = holdings[gone[i]].second;
    queues.erase(queues.begin());
    if (queues.empty()) holdings.erase(gone[i]);
  }
  second.reset();
  const std::unique_ptr<Opened> third = open(files);
  expect(third != nullptr, "a log that went on is recovered");
  expect(fuzz::holdings_of(third->recovered) == holdings, "with what was done to it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  test::MemFileSystem files;
  fuzz::LogProgram program(files);
  program.run(input);
  const bool untouched = input.empty();
  fuzz::LogDamage(files, input, true).run();
  std::unique_ptr<Opened> opened = open(files);
  expect(opened || !untouched, "a log that nobody touched is recovered");
  if (untouched) {
    expect(fuzz::holdings_of(opened->recovered) == program.holdings(), "as it was left");
  }
  if (opened) expect_usable(files, std::move(opened));
  return 0;
}
