#include "tools/other_brokers/wire.hpp"

#include <algorithm>

namespace haypile::bench::other_brokers {

namespace {
constexpr std::string_view line_end = "\r\n";
// The size of the lines around a job.
constexpr std::size_t around_job_max = 64u << 10;
}  // namespace

Wire::Wire(std::uint16_t port, std::size_t job_size)
    : Stream("127.0.0.1", std::to_string(port)), in_max_(job_size + around_job_max) {}

std::string Wire::call(std::string_view command) {
  out += command;
  while (!flush()) {
  }
  std::string line;
  for (bool is_complete = false; !is_complete;) {
    read([&](std::string_view bytes) {
      const std::size_t end = bytes.find(line_end);
      is_complete = end != std::string_view::npos;
      if (!is_complete) return std::size_t{0};
      line = bytes.substr(0, end);
      return end + line_end.size();
    });
  }
  return line;
}

void Wire::drop(std::size_t count) {
  while (true) {
    const std::size_t here = std::min(count, in().size());
    drop_first(here);
    count -= here;
    if (count == 0) return;
    receive();
  }
}

}  // namespace haypile::bench::other_brokers
