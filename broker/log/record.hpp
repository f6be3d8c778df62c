// Records as bytes and back; docs/log-format.md, "Records".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/definitions.hpp"
#include "log/format.hpp"

namespace haypile::log {

// The decoded records. The strings of a publish and of a fragment are views into the decoded bytes.
struct PublishRecord {
  std::vector<engine::QueueId> queues;
  engine::MessageView message;
  // `published_at` counts from the time that the batch has recorded before.
  bool is_relative = false;
};
// The record ack, mark_delivered or delivery_count.
struct MessageRecord {
  RecordType type;
  engine::QueueId queue;
  LogPosition message;
  std::uint32_t delivery_count = 0;  // only for delivery_count
};
// The record drop_stored or note_stored. Piles and indices are explained in log/pile.hpp.
struct StoredRecord {
  RecordType type;
  LogPosition pile;
  std::uint32_t first;
  std::uint32_t count;                        // messages; in note_stored, deliveries
  std::optional<std::uint64_t> body_bytes{};  // of messages that have left, if recorded
};
struct ExchangeRecord {
  engine::ExchangeDefinition definition;
};
struct DeleteExchangeRecord {
  std::string name;
};
struct QueueRecord {
  engine::QueueDefinition definition;
};
struct DeleteQueueRecord {
  engine::QueueId queue;
};
struct UnusedSinceRecord {
  engine::QueueId queue;
  engine::TimeMs time;
};
// Relative times that follow in the batch count from this time.
struct TimeRecord {
  engine::TimeMs time;
};
struct ClockRecord {
  std::int64_t offset_ms;
};
// The record bind or unbind.
struct BindingRecord {
  RecordType type;
  engine::BindingDefinition definition;
};
struct FragmentRecord {
  RecordType type;
  std::string_view bytes;
};
// The record start, clean_stop, seal, group_begin, group_end, move or idle.
struct MarkRecord {
  RecordType type;
};
using Record = std::variant<PublishRecord, MessageRecord, StoredRecord, ExchangeRecord,
                            DeleteExchangeRecord, QueueRecord, DeleteQueueRecord, UnusedSinceRecord,
                            BindingRecord, FragmentRecord, MarkRecord, TimeRecord, ClockRecord>;

// Each function appends one record to `out`. The time of the message is written as the distance
// from `base`, which a time record has given in the same batch. If `base` is 0, the full time is
// written; if the time is 0, none is.
void append_publish(std::string& out, const engine::MessageView& message,
                    std::span<const engine::QueueId> queues, engine::TimeMs base);
void append_time(std::string& out, engine::TimeMs time);
void append_clock(std::string& out, std::int64_t offset_ms);
// `position` is the position of the record itself.
void append_message_record(std::string& out, RecordType type, engine::QueueId queue,
                           LogPosition message, LogPosition position);
void append_delivery_count(std::string& out, engine::QueueId queue, LogPosition message,
                           std::uint32_t count, LogPosition position);
void append_note_stored(std::string& out, LogPosition pile, std::uint32_t index,
                        std::uint32_t count, LogPosition position);
// Without `body_bytes`, the size of the bodies is not recorded.
void append_drop_stored(std::string& out, LogPosition pile, std::uint32_t first,
                        std::uint32_t count, std::optional<std::uint64_t> body_bytes,
                        LogPosition position);
void append_exchange(std::string& out, const engine::ExchangeDefinition& definition);
void append_delete_exchange(std::string& out, std::string_view name);
void append_queue(std::string& out, const engine::QueueDefinition& definition);
void append_delete_queue(std::string& out, engine::QueueId queue);
void append_unused_since(std::string& out, engine::QueueId queue, engine::TimeMs time);
void append_binding(std::string& out, RecordType type, const engine::BindingDefinition& definition);
void append_fragment(std::string& out, RecordType type, std::string_view bytes);
void append_mark(std::string& out, RecordType type);

// The largest number of bytes that a fragment record has besides the bytes it carries.
inline constexpr std::size_t fragment_overhead = 1 + 10;

// The largest number of bytes that append_message_record(), append_delivery_count() and
// append_time() append.
inline constexpr std::size_t message_record_size_max = 1 + 2 * 10;
inline constexpr std::size_t delivery_count_size_max = 1 + 3 * 10;
inline constexpr std::size_t time_size_max = 1 + 10;
// The same limit for append_drop_stored() and append_note_stored().
inline constexpr std::size_t stored_size_max = 1 + 4 * 10;

// An upper bound for the bytes that append_publish() appends.
std::size_t publish_size_max(const engine::MessageView& message, std::size_t queue_count);

// Removes the first record from `bytes`. `position` is its position. Returns false if there is no
// valid record.
bool decode_record(std::string_view& bytes, LogPosition position, Record& record);

}  // namespace haypile::log
