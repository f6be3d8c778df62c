#include "tools/load/traffic.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <haypile/amqp/properties.hpp>

#include "common/usage.hpp"

namespace haypile::bench::load {

namespace {

using amqp::wire::load;

constexpr std::uint32_t basic_deliver = 60u << 16 | 60;
constexpr std::uint32_t basic_ack = 60u << 16 | 80;
constexpr std::uint32_t basic_nack = 60u << 16 | 120;

// More output than this must be written before more is prepared.
constexpr std::size_t out_max = 128u << 10;
// The arguments of a method begin after method_id_size bytes, the body size in a content header
// after body_size_at bytes.
constexpr std::size_t method_id_size = 4;
constexpr std::size_t body_size_at = 4;
constexpr std::size_t stamp_size = 8;
// The most unconfirmed messages, if the window sets no limit.
constexpr std::size_t stamp_count = 1u << 20;

[[noreturn]] void refuse_method(std::string_view payload) {
  amqp::Method method;
  std::string text = "unexpected method";
  if (amqp::decode_method(payload, method) == amqp::DecodeError::none) {
    if (const auto* close = std::get_if<amqp::connection::Close>(&method)) text = close->reply_text;
    if (const auto* close = std::get_if<amqp::channel::Close>(&method)) text = close->reply_text;
  }
  throw std::runtime_error("the broker ends it: " + text);
}

}  // namespace

Publisher::Publisher(const Address& address, const Options& options)
    : Peer(address), options_(options), stamps_(std::max(options.confirm_window, stamp_count)) {
  if (options_.confirm_window != 0) {
    link.call<amqp::confirm::SelectOk>(amqp::confirm::Select{});
  }
  std::string properties;
  amqp::append_properties(properties,
                          {.delivery_mode = options_.persistent ? amqp::delivery_mode_persistent
                                                                : amqp::delivery_mode_transient});
  const std::string body(options_.size_bytes, 'x');
  amqp::append_message(
      frames_, Link::channel,
      amqp::basic::Publish{.exchange = options_.exchange, .routing_key = options_.routing_key},
      properties, body, link.frame_max());
  if (body.size() >= stamp_size) stamp_at_ = frames_.find(body.substr(0, stamp_size));
  link.start();
}

bool Publisher::has_room() const {
  if (link.out.size() >= out_max) return false;
  return options_.confirm_window == 0 ||
         published_count_ - confirmed_count_ < options_.confirm_window;
}

std::uint64_t Publisher::publish(std::uint64_t count, std::uint64_t time_ns,
                                 std::uint64_t step_ns) {
  std::uint64_t done = 0;
  for (; done < count && has_room(); ++done, time_ns += step_ns) {
    const std::size_t at = link.out.size();
    link.out += frames_;
    if (stamp_at_ != 0) std::memcpy(link.out.data() + at + stamp_at_, &time_ns, stamp_size);
    stamps_[++published_count_ % stamps_.size()] = time_ns;
  }
  return done;
}

void Publisher::receive() {
  link.read([this](amqp::FrameType type, std::string_view payload) {
    if (type != amqp::FrameType::method) return;
    const std::string_view arguments = payload.substr(method_id_size);
    const auto id = load<std::uint32_t>(payload.data());
    if (id == basic_ack) {
      confirm(load<std::uint64_t>(arguments.data()), arguments[8] != 0);
    } else if (id == basic_nack) {
      throw std::runtime_error("the broker refuses a message");
    } else if (payload[1] != 10 || payload[3] < 60) {  // not connection.blocked or unblocked
      refuse_method(payload);
    }
  });
}

void Publisher::confirm(std::uint64_t tag, bool multiple) {
  const std::uint64_t first = multiple ? confirmed_count_ + 1 : tag;
  if (measures) {
    const std::uint64_t now = now_ns();
    for (std::uint64_t each = first; each <= tag; ++each)
      confirm_latency.add(now - std::min(now, stamps_[each % stamps_.size()]));
  }
  // Single confirms may come in any order; then their number is what counts.
  confirmed_count_ = multiple ? std::max(confirmed_count_, tag) : confirmed_count_ + 1;
}

Consumer::Consumer(const Address& address, const Options& options)
    : Peer(address), options_(options) {
  if (options_.ack_every != 0 && options_.prefetch_count != 0) {
    link.call<amqp::basic::QosOk>(amqp::basic::Qos{.prefetch_count = options_.prefetch_count});
  }
  link.call<amqp::basic::ConsumeOk>(
      amqp::basic::Consume{.queue = options_.queue, .no_ack = options_.ack_every == 0});
  amqp::append_method(ack_, Link::channel, amqp::basic::Ack{.multiple = options_.ack_every > 1});
  link.start();
}

void Consumer::receive() {
  const std::uint64_t now = measures ? now_ns() : 0;
  link.read([&](amqp::FrameType type, std::string_view payload) { take(type, payload, now); });
}

void Consumer::take(amqp::FrameType type, std::string_view payload, std::uint64_t now) {
  if (type == amqp::FrameType::body) {
    if (is_first_body_ && payload.size() >= stamp_size) {
      std::memcpy(&stamp_, payload.data(), stamp_size);
    }
    is_first_body_ = false;
    body_left_ -= std::min<std::uint64_t>(body_left_, payload.size());
    if (body_left_ == 0) finish(now);
  } else if (type == amqp::FrameType::header) {
    body_left_ = load<std::uint64_t>(payload.data() + body_size_at);
    is_first_body_ = true;
    stamp_ = 0;
    if (body_left_ == 0) finish(now);
  } else if (type == amqp::FrameType::method) {
    if (load<std::uint32_t>(payload.data()) != basic_deliver) refuse_method(payload);
    const auto tag_size = static_cast<std::uint8_t>(payload[method_id_size]);
    tag_ = load<std::uint64_t>(payload.data() + method_id_size + 1 + tag_size);
  }
}

void Consumer::finish(std::uint64_t now) {
  ++consumed_count_;
  if (measures && stamp_ != 0) latency.add(now - std::min(now, stamp_));
  if (options_.ack_every != 0 && ++unacked_count_ >= options_.ack_every) acknowledge();
}

void Consumer::acknowledge() {
  const std::size_t at = link.out.size();
  link.out += ack_;
  amqp::wire::put(link.out.data() + at + amqp::frame_header_size + method_id_size, tag_);
  unacked_count_ = 0;
}

}  // namespace haypile::bench::load
