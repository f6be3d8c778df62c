// A broker of one vhost with a few queues and exchanges, without sockets, disk or clock, and
// clients whose output is checked.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

#include "fuzz/support.hpp"
#include "session/amqp_property_codec.hpp"
#include "session/session.hpp"
#include "support/checked_journal.hpp"
#include "support/output.hpp"

namespace haypile::fuzz {

struct World {
  static constexpr std::size_t comparable_max_bytes = 8000;

  World() { engine.set_now(now_ms); }

  session::Settings settings{.version = "0",
                             .channel_max = 20,
                             .frame_max_bytes = 8192,
                             .message_size_max_bytes = 20'000,
                             .transaction_max_bytes = 40'000,
                             .output_max_bytes = 16'000,
                             .replies_max_bytes = 32'000};
  session::AmqpPropertyCodec wire;
  test::CheckedJournal journal{
      [](const std::string& complaint) { expect(false, complaint.c_str()); }};
  engine::Engine engine{"/", journal, wire};
  session::Time now{std::chrono::hours(1)};
  engine::TimeMs now_ms = 1'700'000'000'000;
  engine::OwnerId last_owner = 0;
  std::uint64_t names = 0;
  session::SessionMemory memory;
  bool publishers_must_wait = false;

  void pass(std::size_t duration_ms) {
    now += std::chrono::milliseconds(duration_ms);
    engine.advance(now_ms += duration_ms);
    for (int calls = 0; engine.next_deadline() <= now_ms; engine.advance(now_ms))
      expect(++calls < 10'000, "the engine comes to rest");
    engine.check_invariants();
  }
};

// Checks what a session sends.
class Output {
 public:
  // Takes whole frames, or only the protocol header.
  void take(std::string_view bytes) {
    if (bytes.starts_with("AMQP")) {
      expect(bytes == amqp::protocol_header, "a refusal is the protocol header, and the last word");
      said_ += bytes;
      return;
    }
    while (!bytes.empty()) {
      amqp::Frame frame;
      std::size_t size = 0;
      expect(amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete,
             "output is whole frames");
      take(frame, bytes.substr(0, size));
      bytes.remove_prefix(size);
    }
  }
  // Everything except what depends on when confirms are sent.
  const std::string& said() const { return said_; }
  const std::string& last_body() const { return last_body_; }

 private:
  struct Content {
    bool header_is_next = false;
    std::uint64_t missing = 0;
    std::string body;
  };

  void take(const amqp::Frame& frame, std::string_view bytes) {
    Content& content = contents_[frame.channel];
    switch (frame.type) {
      case amqp::FrameType::method:
        expect(!content.header_is_next && content.missing == 0, "content is whole");
        if (!take_method(frame, content)) return;
        break;
      case amqp::FrameType::header:
        take_header(frame.payload, content);
        break;
      case amqp::FrameType::body:
        expect(frame.payload.size() <= content.missing, "no body is longer than announced");
        expect(bytes.size() <= 8192, "body frames are no longer than negotiated");
        content.missing -= frame.payload.size();
        content.body += frame.payload;
        if (content.missing == 0) last_body_ = content.body;
        break;
      default:
        expect(frame.channel == 0 && frame.payload.empty(), "a heartbeat is empty");
        return;
    }
    said_ += bytes;
  }
  // Returns false for a confirm.
  bool take_method(const amqp::Frame& frame, Content& content) {
    amqp::Method method;
    expect(amqp::decode_method(frame.payload, method) == amqp::DecodeError::none,
           "methods are well-formed");
    const amqp::MethodId id = amqp::peek_method_id(frame.payload);
    expect((id.class_id == 10) == (frame.channel == 0), "methods are on a channel for them");
    content.header_is_next = amqp::carries_content(id);
    return id != amqp::basic::Ack::id && id != amqp::basic::Nack::id;
  }
  void take_header(std::string_view payload, Content& content) {
    expect(std::exchange(content.header_is_next, false), "a header has a method before it");
    amqp::ContentHeader header;
    expect(amqp::decode_content_header(payload, header) == amqp::DecodeError::none &&
               amqp::validate_properties(header.raw_properties) == amqp::DecodeError::none,
           "content headers are well-formed");
    content.missing = header.body_size;
    content.body.clear();
    if (content.missing == 0) last_body_.clear();
  }

  std::map<std::uint16_t, Content> contents_;
  std::string said_;
  std::string last_body_;
};

// Returns what a client sends to log in and open channel 1; it need not wait for answers.
inline std::string login() {
  std::string bytes(amqp::protocol_header);
  const amqp::Table capabilities{{"consumer_cancel_notify", true},
                                 {"connection.blocked", true},
                                 {"authentication_failure_close", true}};
  const amqp::Table properties{{"product", "fuzz"}, {"capabilities", capabilities}};
  amqp::append_method(bytes, 0,
                      amqp::connection::StartOk{.client_properties = properties.view(),
                                                .mechanism = "PLAIN",
                                                .response = std::string_view("\0guest\0guest", 12),
                                                .locale = "en_US"});
  amqp::append_method(bytes, 0, amqp::connection::TuneOk{.channel_max = 20, .frame_max = 4096});
  amqp::append_method(bytes, 0, amqp::connection::Open{.virtual_host = "/"});
  amqp::append_method(bytes, 1, amqp::channel::Open{});
  return bytes;
}

// Declares queues of every kind, and exchanges that lead to them, on channel 1.
inline std::string topology() {
  std::string bytes;
  const auto queue = [&](std::string_view name, bool durable, const amqp::Table& arguments = {}) {
    amqp::append_method(
        bytes, 1,
        amqp::queue::Declare{.queue = name, .durable = durable, .arguments = arguments.view()});
  };
  const auto exchange = [&](std::string_view name, std::string_view type,
                            std::string_view queue_name, std::string_view key,
                            const amqp::Table& arguments = {}) {
    amqp::append_method(bytes, 1,
                        amqp::exchange::Declare{.exchange = name, .type = type, .durable = true});
    amqp::append_method(bytes, 1,
                        amqp::queue::Bind{.queue = queue_name,
                                          .exchange = name,
                                          .routing_key = key,
                                          .arguments = arguments.view()});
  };
  queue("a", true);
  queue("t", false, {{"x-message-ttl", 20}, {"x-dead-letter-exchange", "f"}});
  queue("levels", true, {{"x-max-priority", 3}});
  queue("few", true,
        {{"x-max-length", 3}, {"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "a"}});
  queue("full", true, {{"x-max-length", 2}, {"x-overflow", "reject-publish"}});
  queue("once", true, {{"x-delivery-limit", 2}, {"x-single-active-consumer", true}});
  exchange("f", "fanout", "a", "");
  exchange("t", "topic", "few", "#.x.*");
  exchange("h", "headers", "levels", "", {{"x-match", "any"}, {"n", 1}});
  return bytes;
}

class Client final : private session::SessionHost {
 public:
  explicit Client(World& world)
      : world_(world), session_(*this, world.settings, ++world.last_owner, world.now) {}

  session::Session& session() { return session_; }
  void send_bytes(std::string_view bytes) {
    pending_ += bytes;
    // An exact copy lets a sanitizer find reads beyond the end.
    const std::string offered = pending_;
    const std::size_t used = session_.receive(offered, world_.now);
    expect(used <= pending_.size(), "no more is used than there is");
    pending_.erase(0, used);
    if (session_.pause() == session::Pause::none) {
      expect(pending_.size() < session::handshake_frame_max_bytes, "the rest is part of a frame");
    }
    collect();
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    std::string bytes;
    expect(amqp::append_method(bytes, channel, method), "what a target sends can be encoded");
    send_bytes(bytes);
  }
  // Takes all output; when there is room again, a session may have more.
  void read() {
    collect();
    for (int rounds = 0; !unsent_.empty(); ++rounds) {
      expect(rounds < 100'000, "output comes to an end");
      output_.take(unsent_);
      const std::size_t size = unsent_.size();
      unsent_.clear();
      session_.output_sent(size, world_.now);
      if (session_.try_to_resume(world_.now)) send_bytes({});
      collect();
    }
  }
  void go_on() {
    session_.try_to_resume(world_.now);
    if (session_.pause() == session::Pause::none) send_bytes({});
  }
  const std::string& said() const { return output_.said(); }
  const std::string& last_body() const { return output_.last_body(); }

 private:
  session::LoginAnswer log_in(std::string_view user, std::string_view password) override {
    return user == "guest" && password == "guest" ? session::LoginAnswer::accepted
                                                  : session::LoginAnswer::refused;
  }
  session::SessionMemory& memory() override { return world_.memory; }
  bool publishers_must_wait() override { return world_.publishers_must_wait; }
  engine::Engine* find_vhost(std::string_view name) override {
    return name == "/" ? &world_.engine : nullptr;
  }
  std::string unique_name() override { return "unique-" + std::to_string(++world_.names); }
  void output_ready() override {}

  // The socket takes all output and sends none of it. One frame may be answered with a message, or
  // with the returned messages of a transaction, beyond the size at which no more is read.
  void collect() {
    unsent_ += test::look(session_, unsent_.size());
    const session::Settings& settings = world_.settings;
    expect(unsent_.size() <= settings.output_max_bytes + settings.replies_max_bytes +
                                 20 * settings.transaction_max_bytes,
           "output is bounded");
  }

  World& world_;
  session::Session session_;
  std::string pending_;
  std::string unsent_;
  Output output_;
};

}  // namespace haypile::fuzz
