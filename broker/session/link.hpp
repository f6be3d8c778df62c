// What the channels of one connection share: its output, what was negotiated, who is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

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
  bool wants_blocked = false;
  // The client takes qos(global=false) for the whole channel, as the specification has it: py-amqp,
  // and so kombu and Celery, with any broker that is not called RabbitMQ.
  bool qos_is_for_channel = false;
  bool wants_authentication_failure_close = false;
  bool has_exclusive_queues = false;
  bool has_published = false;  // since somebody last asked
  // The channels that hold something back until the log is durable, by number.
  std::vector<std::uint16_t> awaiting_log;
  // A channel may have been refused room for its deliveries since somebody last asked.
  bool room_was_refused = false;

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
