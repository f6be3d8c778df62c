// A client that does anything at random, and knows what it was given: for stress tests.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

#include "session/amqp_property_codec.hpp"
#include "session/session.hpp"
#include "support/checked_journal.hpp"
#include "support/output.hpp"

namespace haypile::test {

// One vhost, and what happened to the messages in its plain queues: those without an argument that
// makes a queue give up messages. Their bodies are "queue/number".
struct StressBroker {
  session::Settings settings{.version = "0", .output_max_bytes = 2000};
  session::AmqpPropertyCodec reader;
  CheckedJournal journal{[](const std::string& complaint) { FAIL_CHECK(complaint); }};
  engine::Engine engine{"/", journal, reader};
  session::Time now{std::chrono::hours(1)};
  engine::TimeMs now_ms = 1'700'000'000'000;
  engine::OwnerId last_owner = 0;
  session::SessionMemory memory;
  std::uint64_t names = 0;
  std::string last_reply_to;
  StressBroker() { engine.set_now(now_ms); }

  struct Plain {
    int holders = 0;  // clients that have it unacked
    bool gone = false;
  };
  std::map<std::string, Plain> plain;                         // everything that was published
  std::map<std::string, std::vector<std::string>> published;  // grouped by queue, in order
  void publish(const std::string& queue, const std::string& body) {
    plain[body] = {};
    published[queue].push_back(body);
  }
  void given(const std::string& body, bool no_ack) {
    const auto found = plain.find(body);
    if (found == plain.end()) return;
    if (found->second.gone) FAIL_CHECK(body << " again, after it was settled");
    (no_ack ? found->second.gone = true : ++found->second.holders != 0);
  }
  void given_back(const std::string& body, bool is_settled) {
    const auto found = plain.find(body);
    if (found == plain.end()) return;
    --found->second.holders;
    found->second.gone = found->second.gone || is_settled;
  }
  // What has to be in the queue when nobody has anything unacked.
  std::vector<std::string> left_in(const std::string& queue) {
    std::vector<std::string> left;
    for (const std::string& body : published[queue]) {
      if (!plain[body].gone) left.push_back(body);
    }
    return left;
  }
  // Lets time pass. The engine has to finish its work.
  void wait(engine::TimeMs duration_ms) {
    engine.advance(now_ms += duration_ms);
    for (int calls = 0; engine.next_deadline() <= now_ms; engine.advance(now_ms)) {
      engine.move_old_messages();
      REQUIRE(++calls < 10'000);
    }
  }
};

// A client with a session of its own, which checks what it is given.
class StressClient final : private session::SessionHost {
 public:
  static constexpr std::uint16_t channel_count = 3;

  StressClient(StressBroker& broker, std::mt19937& random)
      : broker_(broker),
        random_(random),
        session_(*this, broker.settings, ++broker.last_owner, broker.now) {
    session_.receive(amqp::protocol_header, broker.now);
    const amqp::Table capabilities{{"consumer_cancel_notify", true}};
    send(0,
         amqp::connection::StartOk{.client_properties = amqp::Table{{"capabilities", capabilities}},
                                   .mechanism = "PLAIN",
                                   .response = std::string_view("\0guest\0guest", 12),
                                   .locale = "en_US"});
    send(0, amqp::connection::TuneOk{.channel_max = 10, .frame_max = 4096, .heartbeat = 0});
    send(0, amqp::connection::Open{.virtual_host = "/"});
  }

  bool stalled = false;  // the client does not read

  struct Given {
    std::string body;
    std::string consumer;
  };
  struct Consumer {
    bool no_ack = false;
    std::uint32_t prefetch = 0;
    std::uint32_t unacked = 0;
  };
  struct Channel {
    bool open = false;
    bool tx = false;
    bool confirm = false;
    std::uint32_t prefetch = 0;
    std::map<std::uint64_t, Given> unacked;
    std::map<std::uint64_t, std::pair<Given, bool>> held;  // true: to be requeued
    std::vector<std::pair<std::string, std::string>> pending;
    std::map<std::string, Consumer> consumers;
    std::vector<engine::LogPosition> confirms;  // one position for each message
    std::size_t confirmed = 0;
  };
  Channel& channel(std::uint16_t number) { return channels_[number]; }

  template <class M>
  void send(std::uint16_t number, const M& method) {
    std::string bytes;
    REQUIRE(amqp::append_method(bytes, number, method));
    REQUIRE(session_.receive(bytes, broker_.now) == bytes.size());
  }
  // Nothing more may come on the channel.
  void forget_channel(std::uint16_t number) {
    Channel& channel = channels_[number];
    for (const auto& [tag, given] : channel.unacked)
      broker_.given_back(given.body, false);
    for (const auto& [tag, held] : channel.held)
      broker_.given_back(held.first.body, false);
    channel = {};
  }
  void log_advanced() {
    if (session_.awaits_log()) session_.log_advanced();
  }
  void disconnect() {
    read();
    session_.disconnected();
    for (std::uint16_t number = 1; number <= channel_count; ++number)
      forget_channel(number);
  }
  // Reads everything that was sent.
  void read() {
    while (session_.has_output()) {
      const std::string bytes = look(session_);
      unread_ += bytes;
      session_.output_sent(bytes.size(), broker_.now);
    }
    std::string_view rest = unread_;
    amqp::Frame frame;
    std::size_t size = 0;
    while (amqp::parse_frame(rest, 0, frame, size) == amqp::FrameStatus::complete) {
      rest.remove_prefix(size);
      on_frame(frame);
    }
    REQUIRE(rest.empty());
    unread_.clear();
  }

  void settle(std::uint16_t number, std::uint64_t tag, bool multiple, int how);
  void commit(std::uint16_t number);
  void rollback(std::uint16_t number);
  void publish(std::uint16_t number, const std::string& exchange, const std::string& key,
               const std::string& body, const amqp::Properties& properties);

 private:
  session::LoginAnswer log_in(std::string_view, std::string_view) override {
    return session::LoginAnswer::accepted;
  }
  session::SessionMemory& memory() override { return broker_.memory; }
  bool publishers_must_wait() override { return false; }
  engine::Engine* find_vhost(std::string_view) override { return &broker_.engine; }
  std::string unique_name() override { return "unique-" + std::to_string(++broker_.names); }
  void output_ready() override {}

  template <class M>
  static M decode(const amqp::Frame& frame) {
    M method;
    REQUIRE(amqp::decode_arguments(frame.payload.substr(4), method) == amqp::DecodeError::none);
    return method;
  }
  void on_frame(const amqp::Frame& frame);
  void on_method(const amqp::Frame& frame);
  void on_content(std::uint16_t number, const std::string& body);
  void on_confirm(Channel& channel, std::uint64_t tag, bool multiple);

  StressBroker& broker_;
  std::mt19937& random_;
  std::array<Channel, channel_count + 1> channels_;
  std::string unread_;
  // The message that is arriving.
  bool no_ack_ = false;
  std::uint64_t tag_ = 0;
  std::string consumer_;
  std::size_t body_size_ = 0;
  std::string body_;

 public:
  bool get_without_ack = false;  // the last basic.get's

 private:
  session::Session session_;
};

inline void StressClient::on_frame(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::method) return on_method(frame);
  if (frame.type == amqp::FrameType::header) {
    amqp::ContentHeader header;
    REQUIRE(amqp::decode_content_header(frame.payload, header) == amqp::DecodeError::none);
    amqp::Properties properties;
    REQUIRE(amqp::decode_properties(header.raw_properties, properties) == amqp::DecodeError::none);
    if (properties.reply_to) broker_.last_reply_to = *properties.reply_to;
    body_size_ = header.body_size;
    body_.clear();
  } else {
    body_ += frame.payload;
  }
  if (body_.size() == body_size_) on_content(frame.channel, body_);
}

inline void StressClient::on_method(const amqp::Frame& frame) {
  Channel& channel = channels_[frame.channel];
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  if (id == amqp::channel::OpenOk::id) {
    channel.open = true;
  } else if (id == amqp::channel::Close::id) {
    forget_channel(frame.channel);
    send(frame.channel, amqp::channel::CloseOk{});
  } else if (id == amqp::connection::Close::id) {
    FAIL(std::string(decode<amqp::connection::Close>(frame).reply_text));
  } else if (id == amqp::basic::Deliver::id) {
    const auto deliver = decode<amqp::basic::Deliver>(frame);
    tag_ = deliver.delivery_tag;
    consumer_ = deliver.consumer_tag;
    no_ack_ = channel.consumers[consumer_].no_ack;
  } else if (id == amqp::basic::GetOk::id) {
    tag_ = decode<amqp::basic::GetOk>(frame).delivery_tag;
    consumer_.clear();
    no_ack_ = get_without_ack;
  } else if (id == amqp::basic::Return::id) {
    tag_ = 0;
  } else if (id == amqp::basic::Ack::id) {
    const auto ack = decode<amqp::basic::Ack>(frame);
    on_confirm(channel, ack.delivery_tag, ack.multiple);
  } else if (id == amqp::basic::Nack::id) {
    const auto nack = decode<amqp::basic::Nack>(frame);
    on_confirm(channel, nack.delivery_tag, nack.multiple);
  }
}

// Each message is answered once, in order, and not before it is durable.
inline void StressClient::on_confirm(Channel& channel, std::uint64_t tag, bool multiple) {
  CHECK(tag <= channel.confirms.size());
  CHECK((multiple ? tag > channel.confirmed : tag == channel.confirmed + 1));
  channel.confirmed = tag;
  CHECK(channel.confirms[tag - 1] <= broker_.journal.durable());
}

inline void StressClient::on_content(std::uint16_t number, const std::string& body) {
  if (tag_ == 0) return;  // the message was returned
  Channel& channel = channels_[number];
  broker_.given(body, no_ack_);
  if (no_ack_) return;
  CHECK(channel.unacked.emplace(tag_, Given{body, consumer_}).second);
  if (consumer_.empty()) return;
  Consumer& consumer = channel.consumers[consumer_];
  ++consumer.unacked;
  CHECK((consumer.prefetch == 0 || consumer.unacked <= consumer.prefetch));
}

// `how`: 0 ack, 1 drop, 2 requeue. The channel must have the tag.
inline void StressClient::settle(std::uint16_t number, std::uint64_t tag, bool multiple, int how) {
  Channel& channel = channels_[number];
  auto it = multiple ? channel.unacked.begin() : channel.unacked.find(tag);
  const auto end = multiple && tag == 0 ? channel.unacked.end() : channel.unacked.upper_bound(tag);
  while (it != end) {
    if (channel.tx) {
      channel.held[it->first] = {it->second, how == 2};
    } else {
      broker_.given_back(it->second.body, how != 2);
      if (!it->second.consumer.empty()) --channel.consumers[it->second.consumer].unacked;
    }
    it = channel.unacked.erase(it);
  }
  if (how == 0) {
    send(number, amqp::basic::Ack{.delivery_tag = tag, .multiple = multiple});
  } else {
    send(number, amqp::basic::Nack{.delivery_tag = tag, .multiple = multiple, .requeue = how == 2});
  }
}

inline void StressClient::commit(std::uint16_t number) {
  Channel& channel = channels_[number];
  for (const auto& [queue, body] : channel.pending)
    broker_.publish(queue, body);
  channel.pending.clear();
  for (const auto& [tag, held] : channel.held) {
    broker_.given_back(held.first.body, !held.second);
    if (!held.first.consumer.empty()) --channel.consumers[held.first.consumer].unacked;
  }
  channel.held.clear();
  send(number, amqp::tx::Commit{});
}

inline void StressClient::rollback(std::uint16_t number) {
  Channel& channel = channels_[number];
  channel.pending.clear();
  for (const auto& [tag, held] : channel.held)
    channel.unacked[tag] = held.first;
  channel.held.clear();
  send(number, amqp::tx::Rollback{});
}

inline void StressClient::publish(std::uint16_t number, const std::string& exchange,
                                  const std::string& key, const std::string& body,
                                  const amqp::Properties& properties) {
  Channel& channel = channels_[number];
  const bool is_plain = body.find('/') != std::string::npos;
  if (is_plain && channel.tx) channel.pending.emplace_back(key, body);
  if (is_plain && !channel.tx) broker_.publish(key, body);
  std::string raw;
  REQUIRE(amqp::append_properties(raw, properties));
  std::string bytes;
  REQUIRE(amqp::append_message(
      bytes, number,
      amqp::basic::Publish{
          .exchange = exchange, .routing_key = key, .mandatory = random_() % 8 == 0},
      raw, body, 4096));
  if (channel.confirm) {
    // The position is known only after the publish was handled, but the confirm may come before
    // that.
    channel.confirms.push_back(0);
  }
  REQUIRE(session_.receive(bytes, broker_.now) == bytes.size());
  if (channel.confirm) channel.confirms.back() = broker_.journal.end();
}

}  // namespace haypile::test
