// What the daemon says: the log on standard error, and that it is ready on standard output. Nothing
// of it ever waits for who should be reading.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <spdlog/logger.h>

#include <haypile/broker.hpp>

#include "daemon/line_writer.hpp"

namespace haypile {

class Console {
 public:
  // `log_level` as in the options.
  explicit Console(const std::string& log_level);

  void log(Severity severity, std::string_view line);
  // "haypiled: " and the line, without a time: why it ends.
  void complain(std::string_view line);
  // On standard output, behind what was logged before.
  void announce(std::string_view line);
  // Waits until all is written, but not long.
  void flush();

 private:
  LineWriter errors_;
  LineWriter output_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace haypile
