// What the daemon writes: its log on standard error, and on standard output that it is ready.
// Neither of them ever waits for a reader.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <spdlog/logger.h>

#include <haypile/broker.hpp>

#include "daemon/line_writer.hpp"

namespace haypile {

// Writes log lines and messages with a LineWriter for each descriptor. May be used from any thread.
class Console {
 public:
  // `log_level` is one of the option's values.
  explicit Console(const std::string& log_level);

  void log(Severity severity, std::string_view line);
  // Writes "haypiled: " and the line, without a time: the reason why the daemon ends.
  void complain(std::string_view line);
  // Writes a line on standard output, after what was logged before.
  void announce(std::string_view line);
  // Waits until everything is written, but not long.
  void flush();

 private:
  LineWriter errors_;
  LineWriter output_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace haypile
