// A broker and its clients without sockets, clock, threads and disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/table.hpp>

#include "micro/in_process/null_files.hpp"
#include "session/amqp_property_codec.hpp"
#include "session/session.hpp"
#include "vhost/vhost.hpp"

namespace haypile::bench {

constexpr std::uint32_t frame_max_bytes = 131072;

inline void expect(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("not as expected: ") + what);
}

class Broker {
 public:
  explicit Broker(std::uint64_t ring_size) : vhost_("/", wire_, make_log(ring_size), {}) {
    vhost_.start(reading);
  }
  engine::Engine& engine() { return vhost_.engine(); }
  log::Log& log() { return *vhost_.log(); }
  session::SessionMemory& memory() { return memory_; }
  const session::Settings& settings() const { return settings_; }
  session::Time now() const { return session::Time(std::chrono::hours(1)); }
  void update_clock() { vhost_.set_now(reading.boot); }
  void turn() { vhost_.turn(reading); }

 private:
  static constexpr vhost::ClockReading reading{.boot = 3'600'000, .wall = 1'790'000'000'000};

  std::unique_ptr<log::Log> make_log(std::uint64_t ring_size) {
    return std::make_unique<log::Log>(files_, "log", log::DirectoryId{},
                                      log::LogOptions{.segment_size = 256u << 10,
                                                      .ring_size = ring_size,
                                                      .threaded = false,
                                                      .on_failure = [](const std::string& line) {
                                                        throw std::runtime_error(line);
                                                      }});
  }

  session::Settings settings_{.version = "0"};
  NullFileSystem files_;
  session::SessionMemory memory_;
  session::AmqpPropertyCodec wire_;
  vhost::Vhost vhost_;
};

// A client, and the broker's side of its connection.
class Client : private session::SessionHost {
 public:
  Client(Broker& broker, engine::OwnerId owner)
      : broker_(broker), session_(*this, broker.settings(), owner, broker.now()) {
    std::string bytes(amqp::protocol_header);
    const amqp::Table properties{{"product", "bench"}};
    amqp::append_method(
        bytes, 0,
        amqp::connection::StartOk{.client_properties = properties.view(),
                                  .mechanism = "PLAIN",
                                  .response = std::string_view("\0guest\0guest", 12),
                                  .locale = "en_US"});
    amqp::append_method(bytes, 0,
                        amqp::connection::TuneOk{.channel_max = 20, .frame_max = frame_max_bytes});
    amqp::append_method(bytes, 0, amqp::connection::Open{.virtual_host = "/"});
    amqp::append_method(bytes, 1, amqp::channel::Open{});
    send(bytes);
  }

  void send(std::string_view bytes) {
    broker_.update_clock();
    take_received();
    expect(session_.receive(bytes, broker_.now()) == bytes.size(), "all bytes are used");
  }
  template <class M>
  void send_method(const M& method) {
    std::string bytes;
    expect(amqp::append_method(bytes, 1, method), "the method can be encoded");
    send(bytes);
  }
  // Everything that came since the last call; valid until the next call of any method.
  std::string_view receive() {
    take_received();
    session::OutputPieces pieces;
    session_.look_at_output(pieces);
    expect(pieces.count <= 1, "small messages are in one piece");
    if (pieces.count == 0) return {};
    received_size_ = pieces.pieces[0].size();
    return pieces.pieces[0];
  }
  void log_advanced() {
    take_received();
    if (session_.awaits_log()) session_.log_advanced();
  }
  // Checks that there was an answer, and that it is not an error.
  void expect_success() {
    std::string_view bytes = receive();
    expect(!bytes.empty(), "an answer");
    while (!bytes.empty()) {
      amqp::Frame frame;
      std::size_t size = 0;
      expect(amqp::parse_frame(bytes, frame_max_bytes, frame, size) == amqp::FrameStatus::complete,
             "the broker sends whole frames");
      const amqp::MethodId id = amqp::peek_method_id(frame.payload);
      expect(id != amqp::channel::Close::id && id != amqp::connection::Close::id, "no error");
      bytes.remove_prefix(size);
    }
  }

 private:
  void take_received() {
    if (received_size_ != 0) session_.output_sent(std::exchange(received_size_, 0), broker_.now());
  }

  session::LoginAnswer log_in(std::string_view, std::string_view) override {
    return session::LoginAnswer::accepted;
  }
  session::SessionMemory& memory() override { return broker_.memory(); }
  bool publishers_must_wait() override { return false; }
  engine::Engine* find_vhost(std::string_view) override { return &broker_.engine(); }
  std::string unique_name() override { return "n"; }
  void output_ready() override {}

  Broker& broker_;
  std::size_t received_size_ = 0;
  session::Session session_;
};

}  // namespace haypile::bench
