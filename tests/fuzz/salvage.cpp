// Salvages a log that was changed. The new log starts, is not damaged, and has everything that the
// report says, nothing of it twice, and every message where nothing was changed.
//
// Input: whether checksums are made to fit again; a program that makes a log (log_program.hpp);
// changes to its files (log_damage.hpp).
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/log_damage.hpp"
#include "fuzz/log_opened.hpp"
#include "fuzz/log_program.hpp"
#include "fuzz/support.hpp"
#include "log/salvage.hpp"

namespace {

using namespace haypile;
using fuzz::expect;

constexpr const char* new_directory = "new";
// A small size, because the whole segment is written at once.
constexpr std::uint32_t segment_size_if_unknown = 4096;

// Queues and bodies; each body is there once.
using Bodies = std::set<std::pair<engine::QueueId, std::string>>;

// A part of a file that is read completely or not at all: a batch or a block.
struct Unit {
  std::string bytes;
  // A block's queue, and the bodies elsewhere that it refers to.
  engine::QueueId queue = 0;
  std::string referred{};
};

Unit block_at(const std::string& bytes, engine::LogPosition file, std::size_t at,
              const log::Block& block) {
  Unit unit{.bytes = bytes.substr(at, block.size()), .queue = block.queue};
  log::BlockReader reader(block, unit.bytes, file, at, fuzz::directory_id);
  log::HomeFinder homes(bytes, file, fuzz::directory_id);
  for (log::PileRecord record; reader.next(record);) {
    if (record.home && homes.fill_in(record)) unit.referred += record.message.message.body;
  }
  return unit;
}

std::vector<Unit> units_of(const std::string& name, const std::string& bytes) {
  std::vector<Unit> units;
  if (log::segment_number(name)) {
    fuzz::each_batch(bytes, [&](std::size_t at, std::size_t size) {
      units.push_back({bytes.substr(at, log::batch_header_size + size)});
    });
  } else if (const auto number = log::pile_number(name)) {
    log::Block block;
    for (std::size_t at = log::pile_header_size;
         log::decode_block_header(std::string_view(bytes).substr(std::min(at, bytes.size())),
                                  *number, at, fuzz::directory_id, block);
         at += block.size())
      units.push_back(block_at(bytes, *number, at, block));
  }
  return units;
}

// The content of the files before they were changed.
class Before {
 public:
  explicit Before(test::MemFileSystem& files) {
    for (const std::string& path : files.paths())
      bytes_[path] = files.bytes(path);
  }
  bool is_changed(test::MemFileSystem& files) const {
    for (const auto& [path, bytes] : bytes_) {
      if (!files.exists(path) || files.is_odd(path) || files.bytes(path) != bytes) return true;
    }
    return files.paths().size() != bytes_.size();
  }
  // Whether something was changed where the message is, or where the queue refers to it.
  bool is_touched(test::MemFileSystem& files, engine::QueueId queue,
                  const std::string& body) const {
    // The body may be in several batches and segments, cut within its mark.
    if (body.size() > fragment_size_min) return true;
    const std::string mark = body.substr(0, body.find('#', 1) + 1);
    for (const auto& [path, bytes] : bytes_) {
      if (bytes.find(mark) == std::string::npos) continue;
      if (!files.exists(path) || files.is_odd(path)) return true;
      const std::string name = path.substr(path.find('/') + 1);
      const std::string& now = files.bytes(path);
      std::size_t at = 0;
      for (const Unit& unit : units_of(name, bytes)) {
        at = bytes.find(unit.bytes, at);
        const bool has_it = unit.bytes.find(mark) != std::string::npos ||
                            (unit.queue == queue && unit.referred.find(mark) != std::string::npos);
        const std::size_t begin = std::min(at, now.size());
        if (has_it && std::string_view(now).substr(begin, unit.bytes.size()) != unit.bytes) {
          return true;
        }
      }
    }
    return false;
  }
  // Whether all changes are in piles.
  bool is_changed_in_piles_only(test::MemFileSystem& files) const {
    for (const auto& [path, bytes] : bytes_) {
      if (path.ends_with(".pile")) continue;
      if (!files.exists(path) || files.is_odd(path) || files.bytes(path) != bytes) return false;
    }
    const auto is_of_log = [](const std::string& path) {
      return path.starts_with(std::string(fuzz::directory) + "/");
    };
    return std::ranges::count_if(files.paths(), is_of_log) <= std::ssize(bytes_);
  }

 private:
  static constexpr std::size_t fragment_size_min = 1000;
  std::map<std::string, std::string> bytes_;
};

Bodies bodies_of(const test::Recovered& recovered) {
  Bodies bodies;
  for (const auto& [queue, entries] : recovered.messages) {
    for (const auto& entry : entries)
      bodies.insert({queue, entry.body});
  }
  return bodies;
}

Bodies bodies_of(const fuzz::Holdings& holdings) {
  Bodies bodies;
  for (const auto& [position, message] : holdings) {
    for (const engine::QueueId queue : message.second)
      bodies.insert({queue, message.first});
  }
  return bodies;
}

std::uint64_t count_of(const log::InspectionReport& report) {
  std::uint64_t count = 0;
  for (const auto& [name, queue] : report.queues)
    count += queue.in_log + queue.in_piles;
  return count;
}

std::uint64_t count_of(const test::Recovered& recovered) {
  std::uint64_t count = 0;
  for (const auto& [queue, entries] : recovered.messages)
    count += entries.size();
  return count;
}

// Nothing is lost except messages where something was changed, and no more of them than was
// reported.
void expect_least_loss(const Before& before, test::MemFileSystem& files, const Bodies& were,
                       const Bodies& are, const log::InspectionReport& report) {
  std::uint64_t lost = 0;
  for (const auto& body : were) {
    if (are.contains(body)) continue;
    ++lost;
    expect(before.is_touched(files, body.first, body.second), "what nobody touched is not dropped");
  }
  if (!before.is_changed_in_piles_only(files)) return;
  std::uint64_t said = 0;
  for (const log::Damage& damage : report.damages)
    said += damage.message_count.value_or(0);
  expect(lost == said, "as many messages are dropped as was said");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const bool may_repair = input.byte() % 2 == 0;
  test::MemFileSystem files;
  fuzz::LogProgram program(files);
  program.run(input);
  const Before before(files);
  fuzz::LogDamage(files, input, may_repair).run();
  log::LogInspector inspector(files, fuzz::directory, fuzz::directory_id);
  try {
    inspector.run();
  } catch (const log::IoError&) {
    return 0;  // a newer version
  }
  if (inspector.report().damages.empty()) return 0;
  expect(before.is_changed(files), "what nobody touched is not damaged");
  log::write_salvaged(inspector, files, fuzz::directory, new_directory, fuzz::directory_id,
                      segment_size_if_unknown);
  log::LogInspector result(files, new_directory, fuzz::directory_id);
  result.run();
  expect(result.report().damages.empty(), "what is left is not damaged");
  expect(count_of(result.report()) == count_of(inspector.report()), "it has all that was said");
  const std::unique_ptr<fuzz::Opened> opened = fuzz::open(files, new_directory);
  expect(opened != nullptr, "what is left starts");
  expect(count_of(opened->recovered) == count_of(inspector.report()), "with all that was said");
  // Nothing behind a torn end counts, changed or not, because it was never confirmed.
  if (!may_repair && inspector.report().torn_bytes == 0) {
    const Bodies left = bodies_of(opened->recovered);
    expect(left.size() == count_of(opened->recovered), "nothing is there twice");
    expect_least_loss(before, files, bodies_of(program.holdings()), left, inspector.report());
  }
  return 0;
}
