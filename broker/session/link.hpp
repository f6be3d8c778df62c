// What the channels of one connection share: its output, what was negotiated, who is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "engine/queue.hpp"
#include "session/host.hpp"
#include "session/settings.hpp"

namespace haypile::session {

class Link {
 public:
  // Host and settings outlive the link.
  Link(Host& its_host, const Settings& its_settings, engine::OwnerId its_owner)
      : host(its_host), settings(its_settings), owner(its_owner) {}

  Host& host;
  const Settings& settings;
  const engine::OwnerId owner;

  std::string user;
  std::uint32_t frame_max_bytes = handshake_frame_max_bytes;
  bool wants_cancel_notify = false;
  bool wants_authentication_failure_close = false;
  bool has_exclusive_queues = false;
  bool has_published = false;
  // A channel holds something back until the log is durable.
  bool awaits_log = false;

  // Where to append what is to be sent.
  std::string& output() {
    if (!announced_) {
      announced_ = true;
      host.output_ready();
    }
    return output_;
  }
  bool has_output() const { return !output_.empty(); }
  // Bytes taken count as unsent until sent() says otherwise.
  void take_output(std::string& into) {
    into.clear();
    into.swap(output_);
    in_flight_ += into.size();
    announced_ = false;
  }
  void sent(std::size_t size) { in_flight_ -= size; }
  std::size_t unsent_size() const { return output_.size() + in_flight_; }
  bool has_room() const { return unsent_size() < settings.output_max_bytes; }

 private:
  std::string output_;
  std::size_t in_flight_ = 0;
  bool announced_ = false;
};

}  // namespace haypile::session
