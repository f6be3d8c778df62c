// A virtual host: its engine, and the log behind it if there is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/engine.hpp"
#include "log/data_directory.hpp"
#include "log/log.hpp"
#include "session/wire_format.hpp"

namespace haypile::server {

class Vhost {
 public:
  // Keeps nothing.
  Vhost(std::string name, engine::TimeMs now);
  // Recovers what `directory` holds.
  Vhost(std::string name, engine::TimeMs now, log::DataDirectory& directory,
        log::LogOptions options, std::size_t queue_memory_bytes);

  engine::Engine& engine() { return engine_; }
  // Of the recovery; one line of JSON, empty if nothing is kept.
  const std::string& report() const { return report_; }

  // Hands what was logged to the log's thread, and keeps the log within its bounds.
  void flush();
  // The log has more to do than it should: publishers ought to wait.
  bool is_behind() const;
  // What was ever appended to the log, in bytes.
  std::uint64_t appended_bytes() const { return log_ ? log_->end() : 0; }
  // The disk is as good as full.
  bool is_out_of_space(std::uint64_t free_limit_bytes) const;
  // While it is: finds out whether it still is.
  void look_for_space();
  // When no session uses it any more; nothing may be called afterwards. False: the log could not
  // be written.
  bool close_clean();

 private:
  session::WireFormat wire_;
  std::unique_ptr<log::Log> log_;
  engine::NullJournal nothing_;
  engine::Engine engine_;
  std::string report_;
};

}  // namespace haypile::server
