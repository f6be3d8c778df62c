// What a session asks of the server around it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "engine/engine.hpp"
#include "session/memory.hpp"

namespace haypile::session {

enum class LoginAnswer : std::uint8_t { accepted, refused, later };

class SessionHost {
 public:
  virtual ~SessionHost() = default;
  // What the host says to a login; or later, by Session::login_answered().
  virtual LoginAnswer log_in(std::string_view user, std::string_view password) = 0;
  // Null: no such vhost. The engine outlives the session.
  virtual engine::Engine* find_vhost(std::string_view name) = 0;
  // Outlives the session.
  virtual SessionMemory& memory() = 0;
  // Whether those have to wait for now who make the broker hold more: publishers and declarers.
  virtual bool publishers_must_wait() = 0;
  // How many bytes could be logged before the disk is full; 0 if it is. Then those who are held
  // back wait without exceptions.
  virtual std::uint64_t disk_room() { return std::numeric_limits<std::uint64_t>::max(); }
  // Cannot be guessed and never comes twice; letters, digits, '-' and '_' only.
  virtual std::string unique_name() = 0;
  // There is something to send, where there was nothing before. May come out of any call to any
  // session: one client's message is another one's output. Must not call back.
  virtual void output_ready() = 0;
};

}  // namespace haypile::session
