#include "tools/baseline/core.hpp"

#include <algorithm>
#include <cstring>

#include <haypile/amqp/properties.hpp>

namespace haypile::bench::baseline {

namespace {

constexpr std::uint32_t basic_class = 60U << 16;
constexpr std::uint32_t publish_id = basic_class | 40;
constexpr std::uint32_t ack_id = basic_class | 80;
constexpr std::size_t ack_size = 13;
constexpr std::size_t content_header_size_min = 14;
constexpr std::uint64_t body_size_max = std::uint64_t{128} << 20;
constexpr std::size_t queue_count_max = 65536;
constexpr std::uint16_t only_delivery_mode = 0x1000;

enum class RecordKind : std::uint16_t { publish = 1, settle = 2 };

struct RecordHeader {
  std::uint32_t body_size = 0;
  std::uint32_t properties_size = 0;
  std::uint16_t key_size = 0;
  RecordKind kind = RecordKind::publish;
  std::uint32_t reserved = 0;
  std::uint64_t number = 0;
};
static_assert(sizeof(RecordHeader) == 24);

char* put(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

char* put_frame_header(char* to, amqp::FrameType type, std::uint16_t channel, std::size_t size) {
  const std::uint64_t packed = (static_cast<std::uint64_t>(type) << 56) |
                               (std::uint64_t{channel} << 40) | (std::uint64_t{size} << 8);
  // The eighth octet is overwritten by what follows: at least the end of the frame.
  store64(to, packed);
  return to + amqp::frame_header_size;
}

char* put_body(char* to, std::uint16_t channel, std::string_view body, std::size_t body_frame_max) {
  while (!body.empty()) {
    const std::string_view part = body.substr(0, body_frame_max);
    to = put_frame_header(to, amqp::FrameType::body, channel, part.size());
    to = put(to, part);
    *to++ = amqp::frame_end;
    body.remove_prefix(part.size());
  }
  return to;
}

// Whether the properties are well formed. Nearly all messages have only a delivery mode, or
// nothing.
bool valid_properties(std::string_view raw) {
  const std::uint16_t flags = load16(raw.data());
  if (flags == only_delivery_mode) return raw.size() == 3;
  return amqp::validate_properties(raw) == amqp::DecodeError::none;
}

bool is_persistent(std::string_view raw) {
  if (load16(raw.data()) == only_delivery_mode) return raw[2] == amqp::delivery_mode_persistent;
  return amqp::peek_delivery_mode(raw) == amqp::delivery_mode_persistent;
}

}  // namespace

bool Core::take(Connection& connection) {
  const char* at = connection.inbox.get();
  const char* const end = at + connection.inbox_size;
  if (!connection.greeted) {
    if (connection.inbox_size < amqp::protocol_header.size()) return true;
    if (std::string_view(at, amqp::protocol_header.size()) != amqp::protocol_header) {
      return fail("no AMQP 0-9-1");
    }
    at += amqp::protocol_header.size();
    connection.greeted = true;
    greet(connection);
  }
  while (!connection.finished) {
    const auto left = static_cast<std::size_t>(end - at);
    if (left < amqp::frame_header_size) break;
    const std::size_t payload_size = load32(at + 3);
    if (payload_size > frame_max - amqp::frame_overhead) return fail("frame too large");
    if (left < payload_size + amqp::frame_overhead) break;
    if (at[amqp::frame_header_size + payload_size] != amqp::frame_end) return fail("no frame end");
    if (!take_frame(connection, at, payload_size)) return false;
    at += payload_size + amqp::frame_overhead;
  }
  connection.inbox_size = connection.finished ? 0 : static_cast<std::size_t>(end - at);
  std::memmove(connection.inbox.get(), at, connection.inbox_size);
  return true;
}

bool Core::take_frame(Connection& connection, const char* frame, std::size_t payload_size) {
  const auto type = static_cast<amqp::FrameType>(frame[0]);
  const std::uint16_t number = load16(frame + 1);
  const std::string_view payload(frame + amqp::frame_header_size, payload_size);
  if (type == amqp::FrameType::heartbeat) return true;
  Channel* channel = nullptr;
  if (number < connection.channels.size()) channel = connection.channels[number].get();
  if (channel == nullptr || !channel->open) {
    if (type != amqp::FrameType::method) return fail("content on a channel that is not open");
    return take_method(connection, number, payload);
  }
  switch (type) {
    case amqp::FrameType::method: {
      if (channel->expected != Channel::Expected::method) return fail("method within content");
      if (payload_size < 4) return fail("method cut off");
      const std::uint32_t id = load32(payload.data());
      if (id == publish_id) return take_publish(*channel, payload.substr(4));
      if (id == ack_id && payload_size == ack_size) {
        settle(load64(payload.data() + 4));
        return true;
      }
      return take_method(connection, number, payload);
    }
    case amqp::FrameType::header:
      return take_header(connection, *channel, payload);
    case amqp::FrameType::body:
      return take_body(connection, *channel, payload);
    default:
      return fail("unknown type of frame");
  }
}

// The arguments are a reserved short, the exchange, the routing key and an octet of bits.
bool Core::take_publish(Channel& channel, std::string_view arguments) {
  if (arguments.size() < 5) return fail("basic.publish cut off");
  if (arguments[2] != 0) return fail("only the default exchange is here");
  const auto key_size = static_cast<std::uint8_t>(arguments[3]);
  if (arguments.size() != key_size + 5U) return fail("basic.publish of a wrong size");
  const std::string_view key = arguments.substr(4, key_size);
  if (channel.queue == nullptr || key != channel.key) {
    channel.key = key;
    channel.queue = find_queue(key, false);
  }
  channel.expected = Channel::Expected::header;
  return true;
}

bool Core::take_header(Connection& connection, Channel& channel, std::string_view payload) {
  if (channel.expected != Channel::Expected::header) return fail("unexpected content header");
  if (payload.size() < content_header_size_min) return fail("content header cut off");
  const std::string_view properties = payload.substr(12);
  if (!valid_properties(properties)) return fail("malformed properties");
  channel.body_size = load64(payload.data() + 4);
  if (channel.body_size > body_size_max) return fail("body too large");
  channel.properties.assign(properties);
  channel.body.clear();
  if (channel.body_size == 0) {
    finish_publish(connection, channel, {});
  } else {
    channel.expected = Channel::Expected::body;
  }
  return true;
}

bool Core::take_body(Connection& connection, Channel& channel, std::string_view payload) {
  if (channel.expected != Channel::Expected::body) return fail("unexpected body");
  const std::size_t size = channel.body.size() + payload.size();
  if (size > channel.body_size) return fail("body longer than said");
  if (payload.size() == channel.body_size) {
    finish_publish(connection, channel, payload);
    return true;
  }
  channel.body.append(payload);
  if (size == channel.body_size) finish_publish(connection, channel, channel.body);
  return true;
}

void Core::finish_publish(Connection& connection, Channel& channel, std::string_view body) {
  channel.expected = Channel::Expected::method;
  if (logs_ && is_persistent(channel.properties))
    log_publish(channel.key, channel.properties, body);
  if (channel.confirm) {
    ++channel.publish_count;
    if (!channel.noted) {
      channel.noted = true;
      new_confirms_.push_back({&connection, &channel, 0, 0});
    }
  }
  if (channel.queue != nullptr && !channel.queue->consumers.empty()) {
    deliver(*channel.queue, channel.properties, body);
  }
}

void Core::log_publish(std::string_view key, std::string_view properties, std::string_view body) {
  const RecordHeader header{.body_size = static_cast<std::uint32_t>(body.size()),
                            .properties_size = static_cast<std::uint32_t>(properties.size()),
                            .key_size = static_cast<std::uint16_t>(key.size()),
                            .kind = RecordKind::publish,
                            .number = ++record_count_};
  const std::size_t size = sizeof header + key.size() + properties.size() + body.size();
  char* to = batch_.room(size);
  std::memcpy(to, &header, sizeof header);
  to = put(to + sizeof header, properties);
  to = put(to, key);
  put(to, body);
  batch_.grew(size);
}

void Core::settle(std::uint64_t delivery_tag) {
  if (!logs_) return;
  const RecordHeader header{.kind = RecordKind::settle, .number = delivery_tag};
  std::memcpy(batch_.room(sizeof header), &header, sizeof header);
  batch_.grew(sizeof header);
}

void Core::deliver(Queue& queue, std::string_view properties, std::string_view body) {
  const Consumer& consumer = queue.consumers[queue.next];
  if (++queue.next == queue.consumers.size()) queue.next = 0;
  Connection& connection = *consumer.connection;
  const std::uint16_t channel = consumer.channel->number;
  // A header cannot be split, so a consumer with smaller frames does not get the message.
  if (properties.size() + 12 > connection.body_frame_max) return;
  const std::size_t frame_count =
      (body.size() + connection.body_frame_max - 1) / connection.body_frame_max;
  const std::size_t size = consumer.deliver.size() + amqp::frame_overhead + 12 + properties.size() +
                           body.size() + frame_count * amqp::frame_overhead;
  char* const begin = connection.outbox.room(size);
  char* to = put(begin, consumer.deliver);
  store64(begin + consumer.delivery_tag_offset, ++consumer.channel->delivery_count);
  to = put_frame_header(to, amqp::FrameType::header, channel, 12 + properties.size());
  store32(to, basic_class);  // and a weight of 0
  store64(to + 4, body.size());
  to = put(to + 12, properties);
  *to++ = amqp::frame_end;
  put_body(to, channel, body, connection.body_frame_max);
  connection.outbox.grew(size);
  touch(connection);
}

Queue* Core::find_queue(std::string_view name, bool make) {
  const auto found = queues_.find(name);
  if (found != queues_.end()) return found->second.get();
  if (!make || queues_.size() >= queue_count_max) return nullptr;
  auto queue = std::make_unique<Queue>();
  queue->name = name;
  return queues_.emplace(std::string(name), std::move(queue)).first->second.get();
}

void Core::note_confirms(std::uint64_t batch_number) {
  for (Confirm& confirm : new_confirms_) {
    confirm.channel->noted = false;
    confirm.publish_count = confirm.channel->publish_count;
    confirm.batch_number = batch_number;
    confirms_.push_back(confirm);
  }
  new_confirms_.clear();
}

void Core::confirm(std::uint64_t batch_number) {
  // The size of a basic.ack with `multiple`.
  constexpr std::size_t frame_size = amqp::frame_overhead + ack_size;
  while (confirms_begin_ < confirms_.size()) {
    const Confirm& confirm = confirms_[confirms_begin_];
    if (confirm.batch_number > batch_number) break;
    ++confirms_begin_;
    if (confirm.connection == nullptr) continue;
    char* to = confirm.connection->outbox.room(frame_size);
    to = put_frame_header(to, amqp::FrameType::method, confirm.channel->number, ack_size);
    store32(to, ack_id);
    store64(to + 4, confirm.publish_count);
    to[12] = 1;
    to[13] = amqp::frame_end;
    confirm.connection->outbox.grew(frame_size);
    touch(*confirm.connection);
  }
  // Keeps the memory. Only a few confirms are left.
  constexpr std::size_t stale_count_max = 1024;
  if (confirms_begin_ == confirms_.size() || confirms_begin_ > stale_count_max) {
    confirms_.erase(confirms_.begin(),
                    confirms_.begin() + static_cast<std::ptrdiff_t>(confirms_begin_));
    confirms_begin_ = 0;
  }
}

void Core::close_channel(Connection& connection, Channel& channel) {
  drop_consumers([&](const Consumer& consumer) { return consumer.channel == &channel; });
  std::erase_if(new_confirms_, [&](const Confirm& it) { return it.channel == &channel; });
  for (Confirm& confirm : confirms_) {
    if (confirm.connection == &connection && confirm.channel == &channel) {
      confirm.connection = nullptr;
    }
  }
  const std::uint16_t number = channel.number;
  channel = Channel{};
  channel.number = number;
}

void Core::forget(Connection& connection) {
  for (const auto& channel : connection.channels) {
    if (channel != nullptr && channel->open) close_channel(connection, *channel);
  }
}

}  // namespace haypile::bench::baseline
