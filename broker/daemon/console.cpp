#include "daemon/console.hpp"

#include <chrono>
#include <memory>
#include <mutex>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace haypile {

namespace {

constexpr const char* pattern = "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v";

spdlog::level::level_enum level(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return spdlog::level::debug;
    case Severity::info:
      return spdlog::level::info;
    case Severity::warning:
      return spdlog::level::warn;
    case Severity::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// The escape sequence for the level's colour on a terminal.
std::string_view colour(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "\x1b[36m";
    case spdlog::level::info:
      return "\x1b[32m";
    case spdlog::level::warn:
      return "\x1b[33m\x1b[1m";
    default:
      return "\x1b[31m\x1b[1m";
  }
}

class WriterSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit WriterSink(LineWriter& writer) : writer_(writer) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t buffer;
    formatter_->format(message, buffer);
    const std::string_view line(buffer.data(), buffer.size());
    if (!is_coloured_) return writer_.write(line);
    const std::size_t start = message.color_range_start;
    const std::size_t end = message.color_range_end;
    std::string coloured(line.substr(0, start));
    coloured.append(colour(message.level)).append(line.substr(start, end - start));
    writer_.write(coloured.append("\x1b[m").append(line.substr(end)));
  }
  void flush_() override { writer_.flush(); }

  LineWriter& writer_;
  const bool is_coloured_ = ::isatty(STDERR_FILENO) == 1;
};

// Formats the line without the logger, because the logger's output was too slow.
std::string describe_loss(std::uint64_t count) {
  const std::string text = std::to_string(count) + " lines were dropped: nobody read them in time";
  spdlog::memory_buf_t buffer;
  spdlog::pattern_formatter(pattern).format(
      spdlog::details::log_msg("haypiled", spdlog::level::warn, text), buffer);
  return {buffer.data(), buffer.size()};
}

}  // namespace

Console::Console(const std::string& log_level)
    : errors_(STDERR_FILENO, describe_loss), output_(STDOUT_FILENO, describe_loss) {
  logger_ = std::make_shared<spdlog::logger>("haypiled", std::make_shared<WriterSink>(errors_));
  logger_->set_pattern(pattern);
  logger_->set_level(spdlog::level::from_str(log_level));
}

void Console::log(Severity severity, std::string_view line) {
  logger_->log(level(severity), "{}", line);
}

void Console::complain(std::string_view line) {
  errors_.write("haypiled: " + std::string(line) + "\n");
}

void Console::announce(std::string_view line) {
  errors_.flush();
  output_.write(std::string(line) + "\n");
}

void Console::flush() {
  output_.flush();
  errors_.flush();
}

}  // namespace haypile
