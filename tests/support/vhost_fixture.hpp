// A virtual host on a file system in memory, without sessions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "session/amqp_property_codec.hpp"
#include "support/engine_fixture.hpp"
#include "support/log_fixture.hpp"
#include "vhost/vhost.hpp"

namespace haypile::test {

// The numbers with which the bodies in the queue begin; "*" follows those that were redelivered.
inline std::string numbers_in(TestChannel& channel, const std::string& queue) {
  std::string text;
  while (true) {
    const std::string body = channel.get(queue);
    if (body == "nothing") return text;
    if (!text.empty()) text += ' ';
    text += std::to_string(std::stoi(body)) + (body.ends_with('*') ? "*" : "");
  }
}

// Has a ring of sixteen segments of 4 KiB.
struct VhostFixture {
  VhostFixture() {
    options.threaded = false;
    options.segment_size = 4096;
    options.ring_size = std::uint64_t{16} * 4096;
    options.reserve_size = std::uint64_t{20} * 4096;
    options.on_failure = [this](const std::string& line) { failure = line; };
  }

  // Opens the vhost as after a kill: the one that was there ends without being closed.
  log::RecoveryReport open() {
    channels.clear();
    vhost.reset();
    vhost = std::make_unique<vhost::Vhost>(
        "/", wire, std::make_unique<log::Log>(files, "log", directory_id, options), limits);
    return vhost->start(now);
  }
  log::RecoveryReport close_and_open() {
    channels.clear();
    CHECK(vhost->close_clean());
    return open();
  }
  engine::Engine& engine() { return vhost->engine(); }
  log::Log& log() { return *vhost->log(); }
  TestChannel& channel() {
    channels.push_back(std::make_unique<TestChannel>(engine(), 1));
    return *channels.back();
  }
  void declare(const std::string& name, const std::string& arguments = {}) {
    engine::Queue* queue = nullptr;
    const engine::Error error = engine().declare_queue(
        {.name = name, .durable = true, .arguments = arguments}, 0, 0, queue);
    REQUIRE_FALSE(error);
  }
  void publish(const std::string& queue, const std::string& body, bool persistent = true,
               std::uint8_t priority = 0) {
    // Two octets of flags, then the delivery mode.
    const std::string_view properties =
        persistent ? std::string_view("\x10\0\2", 3) : std::string_view("\0\0", 2);
    const engine::PublishResult result = engine().publish(
        {.message = {.exchange = "", .routing_key = queue, .properties = properties, .body = body},
         .traits = {.persistent = persistent, .priority = priority},
         .headers = {}});
    REQUIRE_FALSE(result.error);
  }
  void publish_numbers(const std::string& queue, int first, int end) {
    for (int number = first; number < end; ++number) {
      publish(queue, std::to_string(number) + std::string(100, 'x'));
      sync();
    }
  }
  // Moves all durable messages out of the log, and the ready ones out of memory, too.
  void move_all() {
    engine().set_movable_max_bytes(0);
    sync();
    engine().set_movable_max_bytes(limits.queue_memory_bytes);
  }
  // Hands over what was appended without writing it, as if the log's thread had not run yet.
  void flush() {
    do {
      vhost->turn(now);
    } while (engine().is_moving() && log().takes_more());
  }
  void sync() {
    do {
      flush();
      log().step();
    } while (engine().is_moving());
  }
  std::size_t count_files(const std::string& suffix) const {
    std::size_t count = 0;
    for (const std::string& path : files.paths())
      count += path.ends_with(suffix) ? 1 : 0;
    return count;
  }

  MemFileSystem files;
  session::AmqpPropertyCodec wire;
  log::LogOptions options;
  vhost::VhostLimits limits{.queue_memory_bytes = 16u << 20};
  vhost::ClockReading now;
  std::string failure;
  std::unique_ptr<vhost::Vhost> vhost;
  std::vector<std::unique_ptr<TestChannel>> channels;
};

}  // namespace haypile::test
