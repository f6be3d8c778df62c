// What a session needs from the server around it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "engine/engine.hpp"
#include "session/memory.hpp"

namespace haypile::session {

enum class LoginAnswer : std::uint8_t { accepted, refused, later };

// The server as its sessions see it. All calls are made on the sessions' thread.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  // Checks a login. After `later` the host answers with Session::login_answered().
  virtual LoginAnswer log_in(std::string_view user, std::string_view password) = 0;
  // Null if there is no such vhost. The engine must outlive the session.
  virtual engine::Engine* find_vhost(std::string_view name) = 0;
  // The memory must outlive the session.
  virtual SessionMemory& memory() = 0;
  // Whether publishers and declarers, which make the broker hold more, have to wait now.
  virtual bool publishers_must_wait() = 0;
  // How many bytes can be logged before the disk is full; 0 if it is full. Then connections that
  // are held back wait without exceptions.
  virtual std::uint64_t disk_room() { return std::numeric_limits<std::uint64_t>::max(); }
  // A name that cannot be guessed and is never returned again; only letters, digits, '-' and '_'.
  virtual std::string unique_name() = 0;
  // There is something to send where there was nothing before. May be called during any call to any
  // session, because one client's message is another one's output. Must not call back.
  virtual void output_ready() = 0;
};

}  // namespace haypile::session
