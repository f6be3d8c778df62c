// Recovery of a log that somebody has changed, and has repaired the checksums of: it refuses, or
// recovers to something that can be worked with.
//
// Input: a program that makes a log (log_program.hpp), then changes to its files.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/log_files.hpp"
#include "fuzz/log_program.hpp"
#include "fuzz/support.hpp"

namespace {

using namespace haypile;
using fuzz::expect;

class Damage {
 public:
  Damage(test::MemFileSystem& files, fuzz::Input& input) : files_(files), input_(input) {}

  void run() {
    for (int count = 0; count < change_count_max && !input_.empty(); ++count) {
      const std::vector<std::string> paths = files_.paths();
      if (paths.empty()) return;
      const std::string path = paths[input_.below(paths.size())];
      const std::uint8_t choice = input_.byte();
      change(choice % 16, path);
      // Now and then damage is left as it is.
      if (choice < 240 && files_.exists(path)) repair(path);
    }
  }

 private:
  static constexpr int change_count_max = 20;
  static constexpr std::size_t file_size_max = 1u << 17;

  static std::string name_of(const std::string& path) {
    return path.substr(std::string_view(fuzz::directory).size() + 1);
  }
  void repair(const std::string& path) {
    const std::string name = name_of(path);
    std::string bytes = files_.bytes(path);
    if (const fuzz::FileKind* kind = fuzz::kind_of(name)) kind->repair(name, bytes);
    files_.put(path, bytes);
  }
  // A field of the file or of a batch in it, or any place.
  std::size_t place(const std::string& path, const std::string& bytes) {
    const std::uint8_t choice = input_.byte();
    const fuzz::FileKind* kind = fuzz::kind_of(name_of(path));
    if (!kind || choice % 4 == 0) return input_.number(2);
    if (choice % 4 == 1) return kind->fields[(choice / 4) % kind->fields.size()];
    // Of the bytes that are in use, front or back.
    const std::size_t used = bytes.find_last_not_of('\0') + 1;
    const std::size_t distance = input_.byte();
    if (choice % 4 == 2) return used > distance ? used - distance : used;
    std::vector<std::size_t> batches;
    fuzz::each_batch(bytes, [&](std::size_t at, std::size_t) { batches.push_back(at); });
    if (batches.empty()) return distance;
    return batches[choice / 4 % batches.size()] + distance % 80;
  }
  void overwrite(std::string& bytes, std::size_t at, std::string_view with) {
    if (at < bytes.size()) bytes.replace(at, std::min(with.size(), bytes.size() - at), with);
  }
  void change(std::uint8_t how, const std::string& path) {
    std::string bytes = files_.bytes(path);
    switch (how) {
      case 0:
        return files_.drop(path);
      case 1:
        bytes.resize(std::min<std::size_t>(input_.number(2), fuzz::segment_size_max), '\0');
        break;
      case 2:
        return rename(path, bytes);
      case 3: {  // something of another file, or all of it
        const std::vector<std::string> paths = files_.paths();
        const std::string& other = files_.bytes(paths[input_.below(paths.size())]);
        const std::size_t from = input_.number(2);
        const std::size_t to = place(path, bytes);
        if (from < other.size()) overwrite(bytes, to, other.substr(from, 1 + input_.number(2)));
        break;
      }
      case 4: {  // the records of a batch, anew
        rewrite_batch(path, bytes);
        break;
      }
      case 5:
      case 6: {
        const std::size_t at = place(path, bytes);
        const unsigned size = 1u << (input_.byte() % 4);
        const std::uint64_t value = input_.number(size);
        const std::string field(reinterpret_cast<const char*>(&value), size);
        overwrite(bytes, at, field);
        break;
      }
      case 7: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size() && bytes.size() < file_size_max) {
          bytes.insert(at, input_.bytes(input_.byte()));
        }
        break;
      }
      case 8: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size()) bytes.erase(at, input_.byte());
        break;
      }
      case 9: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size())
          std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), '\0');
        break;
      }
      case 10:
      case 11: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << input_.byte() % 8));
        break;
      }
      default: {
        const std::size_t at = place(path, bytes);
        overwrite(bytes, at, input_.bytes(input_.byte()));
        break;
      }
    }
    files_.put(path, bytes);
  }
  // A batch of other records in the place of one; what comes behind it moves, or is overwritten.
  void rewrite_batch(const std::string& path, std::string& bytes) {
    std::vector<std::pair<std::size_t, std::size_t>> batches;
    fuzz::each_batch(bytes, [&](std::size_t at, std::size_t size) {
      batches.push_back({at, size});
    });
    if (batches.empty() || name_of(path) == log::checkpoint_name) return;
    const auto [at, size] = batches[input_.below(batches.size())];
    const std::size_t file_size = bytes.size();
    const std::uint8_t choice = input_.byte();
    std::string records = bytes.substr(at + log::batch_header_size, size);
    const std::size_t from = input_.below(records.size() + 1);
    const std::string with(input_.bytes(input_.byte()));
    if (choice % 3 == 0) records = with;
    if (choice % 3 == 1) records.insert(from, with);
    if (choice % 3 == 2) records.replace(from, with.size(), with);
    const std::size_t records_size = records.size();
    if (records_size == 0) return;
    records.resize(
        log::align(at + log::batch_header_size + records_size) - at - log::batch_header_size, '\0');
    const std::size_t old_size =
        log::align(at + log::batch_header_size + size) - at - log::batch_header_size;
    bytes.replace(at + log::batch_header_size, choice >= 128 ? records.size() : old_size, records);
    fuzz::set_u32(bytes, at, static_cast<std::uint32_t>(records_size));
    bytes.resize(file_size, '\0');
  }
  void rename(const std::string& path, const std::string& bytes) {
    const std::uint8_t choice = input_.byte();
    const std::string name =
        choice == 0xFF ? std::string(input_.bytes(20)) : log::segment_name(choice % 32);
    const std::string to = std::string(fuzz::directory) + "/" + name;
    if (name.find('/') != std::string::npos) return;
    files_.put(to, bytes);
    repair(to);
    if (choice % 2 == 0 && to != path) files_.drop(path);
  }

  test::MemFileSystem& files_;
  fuzz::Input& input_;
};

struct Opened {
  std::unique_ptr<log::Log> log;
  test::Recovered recovered;
  log::RecoveryReport report;
};

// Null: refused.
std::unique_ptr<Opened> open(test::MemFileSystem& files) {
  auto opened = std::make_unique<Opened>();
  log::LogOptions options;
  options.segment_size = 4096;
  options.ring_size = 16 * 4096;
  options.threaded = false;
  options.on_failure = [](const std::string&) { expect(false, "the log can be written to"); };
  opened->log = std::make_unique<log::Log>(files, fuzz::directory, fuzz::directory_id, options);
  try {
    opened->report = opened->log->recover(opened->recovered);
  } catch (const log::IoError& error) {
    expect(*error.what() != '\0', "a refusal has a reason");
    return nullptr;
  }
  return opened;
}

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

engine::Copy copy_of(const test::Recovered& recovered, engine::QueueId queue,
                     engine::LogPosition position) {
  for (const auto& entry : recovered.messages.at(queue)) {
    if (entry.position == position) return {queue, position, entry.stored};
  }
  return {queue, position};
}

// Somebody may have written a pile that has a message twice: an acknowledgement is for one of them.
bool is_there_once(const test::Recovered& recovered, engine::QueueId queue,
                   engine::LogPosition position) {
  return std::ranges::count(recovered.messages.at(queue), position,
                            &test::Recovered::Entry::position) == 1;
}

// The log goes on: what is done now is there the next time.
void expect_usable(test::MemFileSystem& files, std::unique_ptr<Opened> first) {
  first->log.reset();
  std::unique_ptr<Opened> second = open(files);
  expect(second != nullptr, "what was recovered is recovered again");
  expect_same(first->recovered, second->recovered);
  expect(second->report.torn_bytes == 0, "what was torn is cut off once");
  expect(!second->report.clean, "a start is no clean stop");
  fuzz::Holdings holdings = fuzz::holdings_of(second->recovered);
  const engine::QueueId queue = 1'000'000;
  log::Log& log = *second->log;
  log.declare_queue(
      {.id = queue, .name = "new", .durable = true, .auto_delete = false, .arguments = {}});
  std::vector<engine::LogPosition> gone;
  for (const auto& [position, message] : holdings) {
    const engine::QueueId first_queue = *message.second.begin();
    if (!is_there_once(second->recovered, first_queue, position)) continue;
    if (gone.size() % 2 == 0) log.ack(copy_of(second->recovered, first_queue, position));
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
  Damage(files, input).run();
  std::unique_ptr<Opened> opened = open(files);
  expect(opened || !untouched, "a log that nobody touched is recovered");
  if (untouched) {
    expect(fuzz::holdings_of(opened->recovered) == program.holdings(), "as it was left");
  }
  if (opened) expect_usable(files, std::move(opened));
  return 0;
}
