#include "log/record.hpp"

#include "log/bytes.hpp"

namespace haypile::log {

namespace {

void put_type(std::string& out, RecordType type) {
  out += static_cast<char>(type);
}

PublishRecord read_publish(Reader& in, RecordType type) {
  PublishRecord record;
  record.is_relative = type == RecordType::publish_after;
  const engine::TimeMs published_at = type == RecordType::publish ? 0 : in.varint();
  const std::uint64_t count = in.varint();
  if (count == 0 || count > in.rest().size()) in.fail();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i)
    record.queues.push_back(in.varint());
  record.message = {.exchange = in.string(),
                    .routing_key = in.string(),
                    .properties = in.string(),
                    .body = in.string(),
                    .published_at = published_at};
  if (record.message.exchange.size() > 255 || record.message.routing_key.size() > 255) in.fail();
  return record;
}

MessageRecord read_message_record(Reader& in, RecordType type, LogPosition position) {
  const engine::QueueId queue = in.varint();
  const std::uint64_t distance = in.varint();
  if (distance > position) in.fail();
  return {type, queue, position - distance,
          type == RecordType::delivery_count ? in.varint_32() : 0};
}

StoredRecord read_stored(Reader& in, RecordType type, LogPosition position) {
  const std::uint64_t distance = in.varint();
  if (distance > position) in.fail();
  StoredRecord record{type, position - distance, in.varint_32(), in.varint_32()};
  if (type == RecordType::drop_sized) {
    record.type = RecordType::drop_stored;
    record.body_bytes = in.varint();
  }
  return record;
}

ExchangeRecord read_exchange(Reader& in) {
  ExchangeRecord record;
  record.definition.name = in.string();
  const std::uint8_t type = in.byte();
  if (type > static_cast<std::uint8_t>(engine::ExchangeType::headers)) in.fail();
  record.definition.type = static_cast<engine::ExchangeType>(type);
  record.definition.durable = true;
  record.definition.auto_delete = in.boolean();
  record.definition.internal = in.boolean();
  record.definition.arguments = in.string();
  return record;
}

QueueRecord read_queue(Reader& in) {
  QueueRecord record;
  record.definition.id = in.varint();
  record.definition.name = in.string();
  record.definition.durable = true;
  record.definition.auto_delete = in.boolean();
  record.definition.arguments = in.string();
  return record;
}

BindingRecord read_binding(Reader& in, RecordType type) {
  BindingRecord record{type, {}};
  record.definition.source = in.string();
  record.definition.destination_kind =
      in.boolean() ? engine::DestinationKind::exchange : engine::DestinationKind::queue;
  record.definition.destination = in.string();
  record.definition.routing_key = in.string();
  record.definition.arguments = in.string();
  return record;
}

}  // namespace

// The body is appended separately: it may be long, and extend() would first fill its room with
// zeros.
void append_publish(std::string& out, const engine::MessageView& message,
                    std::span<const engine::QueueId> queues, engine::TimeMs base) {
  char* to = extend(out, 1 + varint_size_max * (2 + queues.size()) + strings_size_max(message));
  if (message.published_at == 0) {
    *to++ = static_cast<char>(RecordType::publish);
  } else if (base != 0) {
    *to++ = static_cast<char>(RecordType::publish_after);
    to = put_varint(to, message.published_at - base);
  } else {
    *to++ = static_cast<char>(RecordType::timed_publish);
    to = put_varint(to, message.published_at);
  }
  to = put_varint(to, queues.size());
  for (const engine::QueueId queue : queues)
    to = put_varint(to, queue);
  cut(out, put_strings(to, message));
  out += message.body;
}

std::size_t publish_size_max(const engine::MessageView& message, std::size_t queue_count) {
  return 1 + varint_size_max * (6 + queue_count) + message.size();
}

void append_message_record(std::string& out, RecordType type, engine::QueueId queue,
                           LogPosition message, LogPosition position) {
  char bytes[message_record_size_max];
  bytes[0] = static_cast<char>(type);
  char* to = put_varint(bytes + 1, queue);
  to = put_varint(to, position - message);
  out.append(bytes, to);
}

void append_delivery_count(std::string& out, engine::QueueId queue, LogPosition message,
                           std::uint32_t count, LogPosition position) {
  append_message_record(out, RecordType::delivery_count, queue, message, position);
  put_varint(out, count);
}

void append_note_stored(std::string& out, LogPosition pile, std::uint32_t index,
                        std::uint32_t count, LogPosition position) {
  put_type(out, RecordType::note_stored);
  put_varint(out, position - pile);
  put_varint(out, index);
  put_varint(out, count);
}

void append_drop_stored(std::string& out, LogPosition pile, std::uint32_t first,
                        std::uint32_t count, std::optional<std::uint64_t> body_bytes,
                        LogPosition position) {
  char* to = extend(out, 1 + 4 * varint_size_max);
  *to++ = static_cast<char>(body_bytes ? RecordType::drop_sized : RecordType::drop_stored);
  to = put_varint(to, position - pile);
  to = put_varint(to, first);
  to = put_varint(to, count);
  if (body_bytes) to = put_varint(to, *body_bytes);
  cut(out, to);
}

void append_exchange(std::string& out, const engine::ExchangeDefinition& definition) {
  put_type(out, RecordType::declare_exchange);
  put_string(out, definition.name);
  out += static_cast<char>(definition.type);
  out += static_cast<char>(definition.auto_delete);
  out += static_cast<char>(definition.internal);
  put_string(out, definition.arguments);
}

void append_delete_exchange(std::string& out, std::string_view name) {
  put_type(out, RecordType::delete_exchange);
  put_string(out, name);
}

void append_queue(std::string& out, const engine::QueueDefinition& definition) {
  put_type(out, RecordType::declare_queue);
  put_varint(out, definition.id);
  put_string(out, definition.name);
  out += static_cast<char>(definition.auto_delete);
  put_string(out, definition.arguments);
}

void append_delete_queue(std::string& out, engine::QueueId queue) {
  put_type(out, RecordType::delete_queue);
  put_varint(out, queue);
}

void append_unused_since(std::string& out, engine::QueueId queue, engine::TimeMs time) {
  put_type(out, RecordType::unused_since);
  put_varint(out, queue);
  put_varint(out, time);
}

void append_time(std::string& out, engine::TimeMs time) {
  put_type(out, RecordType::time);
  put_varint(out, time);
}

// The sign is the lowest bit.
void append_clock(std::string& out, std::int64_t offset_ms) {
  put_type(out, RecordType::clock);
  const auto bits = static_cast<std::uint64_t>(offset_ms);
  put_varint(out, offset_ms < 0 ? ~(bits << 1) : bits << 1);
}

void append_binding(std::string& out, RecordType type,
                    const engine::BindingDefinition& definition) {
  put_type(out, type);
  put_string(out, definition.source);
  out += static_cast<char>(definition.destination_kind);
  put_string(out, definition.destination);
  put_string(out, definition.routing_key);
  put_string(out, definition.arguments);
}

void append_fragment(std::string& out, RecordType type, std::string_view bytes) {
  put_type(out, type);
  put_string(out, bytes);
}

void append_mark(std::string& out, RecordType type) {
  put_type(out, type);
}

// The first byte is the type, and decides the form of the rest. Positions are written as distances
// back from the record's own position, since a near position takes fewer bytes. Decoding checks the
// form only: sizes, ranges, no distance beyond the beginning. Whether a record makes sense in its
// place is for its reader (Catalog, LiveMessages).
bool decode_record(std::string_view& bytes, LogPosition position, Record& record) {
  Reader in(bytes);
  const auto type = static_cast<RecordType>(in.byte());
  switch (type) {
    case RecordType::publish:
    case RecordType::timed_publish:
    case RecordType::publish_after:
      record = read_publish(in, type);
      break;
    case RecordType::ack:
    case RecordType::mark_delivered:
    case RecordType::delivery_count:
      record = read_message_record(in, type, position);
      break;
    case RecordType::drop_stored:
    case RecordType::drop_sized:
    case RecordType::note_stored:
      record = read_stored(in, type, position);
      break;
    case RecordType::declare_exchange:
      record = read_exchange(in);
      break;
    case RecordType::delete_exchange:
      record = DeleteExchangeRecord{std::string(in.string())};
      break;
    case RecordType::declare_queue:
      record = read_queue(in);
      break;
    case RecordType::delete_queue:
      record = DeleteQueueRecord{in.varint()};
      break;
    case RecordType::unused_since: {
      const engine::QueueId queue = in.varint();
      record = UnusedSinceRecord{queue, in.varint()};
      break;
    }
    case RecordType::time:
      record = TimeRecord{in.varint()};
      break;
    case RecordType::clock: {
      const std::uint64_t bits = in.varint();
      record = ClockRecord{static_cast<std::int64_t>(bits >> 1 ^ (0 - (bits & 1)))};
      break;
    }
    case RecordType::bind:
    case RecordType::unbind:
      record = read_binding(in, type);
      break;
    case RecordType::first_fragment:
    case RecordType::fragment:
    case RecordType::last_fragment:
      record = FragmentRecord{type, in.string()};
      break;
    case RecordType::start:
    case RecordType::clean_stop:
    case RecordType::seal:
    case RecordType::group_begin:
    case RecordType::group_end:
    case RecordType::move:
    case RecordType::idle:
      record = MarkRecord{type};
      break;
    default:
      return false;
  }
  bytes = in.rest();
  return in.ok();
}

}  // namespace haypile::log
