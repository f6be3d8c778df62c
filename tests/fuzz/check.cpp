// Inspects a log that was changed. The inspection ends whatever the files contain, and lists
// everything that stops a start or a reader of the queues.
//
// Input: whether checksums are made to fit again; a program that makes a log (log_program.hpp);
// changes to its files (log_damage.hpp).
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "fuzz/log_damage.hpp"
#include "fuzz/log_opened.hpp"
#include "fuzz/log_program.hpp"
#include "fuzz/support.hpp"
#include "log/log_inspector.hpp"

namespace {

using namespace haypile;
using fuzz::expect;

std::map<std::string, std::uint64_t> counts_of(const test::Recovered& recovered) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& queue : recovered.queues)
    counts[queue.name] += recovered.messages.at(queue.id).size();
  return counts;
}

std::map<std::string, std::uint64_t> counts_of(const log::InspectionReport& report) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [name, queue] : report.queues)
    counts[name] = queue.in_log + queue.in_piles;
  return counts;
}

void expect_true_of(const log::InspectionReport& report, test::MemFileSystem& files) {
  const std::unique_ptr<fuzz::Opened> opened = fuzz::open(files);
  if (!report.damages.empty()) return;
  expect(opened != nullptr, "what refuses a start is listed");
  expect(counts_of(report) == counts_of(opened->recovered), "as many messages as a start finds");
  expect(report.torn_bytes == opened->report.torn_bytes, "the same torn tail");
  expect(report.clean == opened->report.clean, "closed or not");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const bool may_repair = input.byte() % 2 == 0;
  test::MemFileSystem files;
  fuzz::LogProgram program(files);
  program.run(input);
  const bool is_untouched = input.empty();
  fuzz::LogDamage(files, input, may_repair).run();
  log::LogInspector inspector(files, fuzz::directory, fuzz::directory_id);
  try {
    inspector.run();
  } catch (const log::IoError& error) {
    expect(std::string_view(error.what()).find("version") != std::string_view::npos,
           "nothing but a version of the future ends an inspection");
    return 0;
  }
  expect(!is_untouched || inspector.report().damages.empty(), "what nobody touched is not damaged");
  expect_true_of(inspector.report(), files);
  return 0;
}
