// The other end of a session: a client whose steps the test writes down, and a broker of one vhost
// without sockets, disk or clock.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

#include "session/amqp_property_codec.hpp"
#include "session/session.hpp"
#include "support/output.hpp"
#include "support/test_journal.hpp"

namespace haypile::test {

// What the sessions of one test share.
struct TestBroker {
  session::Settings settings{.version = "0"};
  session::AmqpPropertyCodec reader;
  TestJournal journal;
  engine::Engine engine{"/", journal, reader};
  session::Time now{std::chrono::hours(1)};
  engine::OwnerId last_owner = 0;
  std::uint64_t names = 0;  // given out by unique_name()
  session::SessionMemory memory;
  bool publishers_must_wait = false;
  std::uint64_t disk_room = std::numeric_limits<std::uint64_t>::max();
  // Lets the memory run out when the next output begins.
  bool is_out_of_memory = false;
  bool answers_logins_later = false;

  // Lets time pass, so that things expire.
  void wait(engine::TimeMs duration_ms) {
    now_ms += duration_ms;
    engine.advance(now_ms);
  }
  engine::TimeMs now_ms = 1'700'000'000'000;
  TestBroker() { engine.set_now(now_ms); }
};

struct Received {
  std::string consumer_tag;
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string exchange;
  std::string routing_key;
  std::string raw_properties;
  std::string body;
};

// A client with a session of its own. It is also the session's host.
class SessionPeer : private session::SessionHost {
 public:
  explicit SessionPeer(TestBroker& broker)
      : broker_(broker), session(*this, broker.settings, ++broker.last_owner, broker.now) {}

  // Sends raw bytes. What the session does not use is offered again with the next bytes.
  void send_bytes(std::string_view bytes) {
    pending_ += bytes;
    pending_.erase(0, session.receive(pending_, broker_.now));
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    std::string bytes;
    REQUIRE(amqp::append_method(bytes, channel, method));
    send_bytes(bytes);
  }
  void publish(std::uint16_t channel, std::string_view exchange, std::string_view key,
               std::string_view body, const amqp::Properties& properties = {},
               bool mandatory = false) {
    std::string raw;
    REQUIRE(amqp::append_properties(raw, properties));
    std::string bytes;
    amqp::append_message(
        bytes, channel,
        amqp::basic::Publish{.exchange = exchange, .routing_key = key, .mandatory = mandatory}, raw,
        body, 4096);
    send_bytes(bytes);
  }

  // Everything that was sent and was not read yet.
  std::string& output() {
    while (session.has_output())
      output_ += write(session.output_size());
    return output_;
  }
  // Lets the socket take at most `size_max` bytes.
  std::string write(std::size_t size_max) {
    std::string bytes = look(session).substr(0, size_max);
    session.output_sent(bytes.size(), broker_.now);
    return bytes;
  }
  // Checks that the next frame is exactly this method.
  template <class M>
  void expect(std::uint16_t channel, const M& method) {
    std::string wanted;
    REQUIRE(amqp::append_method(wanted, channel, method));
    const std::string got = next_frame();
    INFO("expected ", M::name, " on channel ", channel, ", got ", describe(got));
    CHECK(got == wanted);
  }
  // Checks that the next frame is a method of this type. Its views are valid until the next call.
  template <class M>
  M expect_any(std::uint16_t channel) {
    last_frame_ = next_frame();
    amqp::Frame frame = parse(last_frame_);
    INFO("expected ", M::name, ", got ", describe(last_frame_));
    REQUIRE(amqp::peek_method_id(frame.payload) == M::id);
    CHECK(frame.channel == channel);
    M method;
    REQUIRE(amqp::decode_arguments(frame.payload.substr(4), method) == amqp::DecodeError::none);
    return method;
  }
  // Checks that the channel is closed, or the connection if `channel` is 0.
  void expect_close(std::uint16_t channel, std::uint16_t code, std::string_view part_of_text) {
    const auto check = [&](const auto& close) {
      CHECK(close.reply_code == code);
      INFO(close.reply_text);
      CHECK(close.reply_text.find(part_of_text) != std::string_view::npos);
    };
    if (channel == 0) {
      check(expect_any<amqp::connection::Close>(0));
    } else {
      check(expect_any<amqp::channel::Close>(channel));
    }
  }
  Received expect_delivery(std::uint16_t channel) {
    const auto deliver = expect_any<amqp::basic::Deliver>(channel);
    Received received{.consumer_tag = std::string(deliver.consumer_tag),
                      .delivery_tag = deliver.delivery_tag,
                      .redelivered = deliver.redelivered,
                      .exchange = std::string(deliver.exchange),
                      .routing_key = std::string(deliver.routing_key),
                      .raw_properties = {},
                      .body = {}};
    take_content(received);
    return received;
  }
  // The bodies of all deliveries, in order, separated by blanks.
  std::string deliveries(std::uint16_t channel) {
    std::string bodies;
    while (!output().empty()) {
      if (!bodies.empty()) bodies += ' ';
      bodies += expect_delivery(channel).body;
    }
    return bodies;
  }
  // Calls basic.get: returns the first message of the queue and how many are behind it; nothing if
  // the queue is empty.
  std::optional<Received> get(std::string_view queue, bool no_ack = true) {
    send(1, amqp::basic::Get{.queue = queue, .no_ack = no_ack});
    const std::string& bytes = output();
    amqp::Frame frame;
    std::size_t size = 0;
    REQUIRE(amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete);
    if (amqp::peek_method_id(frame.payload) == amqp::basic::GetEmpty::id) {
      next_frame();
      return std::nullopt;
    }
    const auto ok = expect_any<amqp::basic::GetOk>(1);
    Received received{.consumer_tag = {},
                      .delivery_tag = ok.delivery_tag,
                      .redelivered = ok.redelivered,
                      .exchange = std::string(ok.exchange),
                      .routing_key = std::string(ok.routing_key),
                      .raw_properties = {},
                      .body = {}};
    take_content(received);
    return received;
  }
  // The bodies of all ready messages in the queue, separated by blanks.
  std::string drain(std::string_view queue) {
    std::string bodies;
    while (const auto received = get(queue))
      bodies += (bodies.empty() ? "" : " ") + received->body;
    return bodies;
  }
  void take_content(Received& received) {
    const std::string bytes = next_frame();
    amqp::ContentHeader header;
    REQUIRE(amqp::decode_content_header(parse(bytes).payload, header) == amqp::DecodeError::none);
    received.raw_properties = header.raw_properties;
    received.body.clear();
    while (received.body.size() < header.body_size) {
      const std::string body = next_frame();
      REQUIRE(parse(body).type == amqp::FrameType::body);
      received.body += parse(body).payload;
    }
  }
  void expect_nothing() { CHECK(describe(output()) == "nothing"); }

  // The frame size that open_connection() negotiates.
  std::uint32_t frame_max = 4096;
  // What log_in() says about the client.
  bool wants_blocked = false;
  std::string product = "test";
  void log_in() {
    send_bytes(amqp::protocol_header);
    expect_any<amqp::connection::Start>(0);
    const amqp::Table properties{
        {"product", product},
        {"capabilities", amqp::Table{{"consumer_cancel_notify", true},
                                     {"connection.blocked", wants_blocked},
                                     {"authentication_failure_close", true}}}};
    send(0, amqp::connection::StartOk{.client_properties = properties.view(),
                                      .mechanism = "PLAIN",
                                      .response = std::string_view("\0guest\0guest", 12),
                                      .locale = "en_US"});
    expect(0, amqp::connection::Tune{.channel_max = broker_.settings.channel_max,
                                     .frame_max = broker_.settings.frame_max_bytes,
                                     .heartbeat = 60});
  }
  void open_connection(std::uint16_t heartbeat_s = 0, std::uint16_t channel_max = 2047) {
    log_in();
    send(0, amqp::connection::TuneOk{
                .channel_max = channel_max, .frame_max = frame_max, .heartbeat = heartbeat_s});
    send(0, amqp::connection::Open{.virtual_host = "/"});
    expect(0, amqp::connection::OpenOk{});
  }
  void open(std::uint16_t channel = 1) {
    if (channel == 1) open_connection();
    send(channel, amqp::channel::Open{});
    expect(channel, amqp::channel::OpenOk{});
  }
  void declare(std::string_view queue, bool durable = false, const amqp::Table& arguments = {}) {
    send(1,
         amqp::queue::Declare{.queue = queue, .durable = durable, .arguments = arguments.view()});
    expect_any<amqp::queue::DeclareOk>(1);
  }
  void consume(std::string_view queue, std::string_view tag, bool no_ack = false,
               const amqp::Table& arguments = {}) {
    start_consuming(queue, tag, no_ack, arguments);
    expect(1, amqp::basic::ConsumeOk{.consumer_tag = tag});
  }
  // Starts a consumer, but takes nothing of the session's answers.
  void start_consuming(std::string_view queue, std::string_view tag, bool no_ack = false,
                       const amqp::Table& arguments = {}) {
    send(1,
         amqp::basic::Consume{
             .queue = queue, .consumer_tag = tag, .no_ack = no_ack, .arguments = arguments.view()});
  }

 private:
  session::LoginAnswer log_in(std::string_view user, std::string_view password) override {
    if (broker_.answers_logins_later) return session::LoginAnswer::later;
    return user == "guest" && password == "guest" ? session::LoginAnswer::accepted
                                                  : session::LoginAnswer::refused;
  }
  session::SessionMemory& memory() override { return broker_.memory; }
  bool publishers_must_wait() override { return broker_.publishers_must_wait; }
  std::uint64_t disk_room() override { return broker_.disk_room; }
  engine::Engine* find_vhost(std::string_view name) override {
    return name == "/" ? &broker_.engine : nullptr;
  }
  std::string unique_name() override { return "unique-" + std::to_string(++broker_.names); }
  void output_ready() override {
    if (std::exchange(broker_.is_out_of_memory, false)) throw std::bad_alloc();
  }

  static amqp::Frame parse(std::string_view bytes) {
    amqp::Frame frame;
    std::size_t size = 0;
    REQUIRE(amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete);
    return frame;
  }
  static std::string describe(std::string_view bytes) {
    if (bytes.empty()) return "nothing";
    amqp::Frame frame;
    std::size_t size = 0;
    if (amqp::parse_frame(bytes, 0, frame, size) != amqp::FrameStatus::complete) return "no frame";
    if (frame.type != amqp::FrameType::method) return "content or heartbeat";
    return std::string(amqp::method_name(amqp::peek_method_id(frame.payload))) + " on channel " +
           std::to_string(frame.channel);
  }
  std::string next_frame() {
    std::string& bytes = output();
    REQUIRE(!bytes.empty());
    amqp::Frame frame;
    std::size_t size = 0;
    REQUIRE(amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete);
    std::string first = bytes.substr(0, size);
    bytes.erase(0, size);
    return first;
  }

  TestBroker& broker_;
  std::string pending_;
  std::string output_;
  std::string last_frame_;

 public:
  session::Session session;
};

}  // namespace haypile::test
