// A virtual host: its engine, and the log behind it if there is one.
#pragma once

#include <cstddef>
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
  // Recovers what `directory` holds. `on_durable` and `on_failure` come from the log's thread.
  Vhost(std::string name, engine::TimeMs now, log::DataDirectory& directory,
        std::function<void()> on_durable, std::function<void(const std::string&)> on_failure);

  engine::Engine& engine() { return engine_; }
  // Of the recovery; one line of JSON, empty if nothing is kept.
  const std::string& report() const { return report_; }

  // Hands what was logged to the log's thread.
  void flush();
  // What the log was told and has not written yet.
  std::size_t pending_bytes() const;
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
