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

// Decoded; strings of a publish and of a fragment are views into the bytes that were decoded.
struct PublishRecord {
  std::vector<engine::QueueId> queues;
  engine::MessageView message;
  // `published_at` counts from the time that was noted before in the batch.
  bool is_relative = false;
};
// Of ack, mark_delivered and delivery_count.
struct MessageRecord {
  RecordType type;
  engine::QueueId queue;
  LogPosition message;
  std::uint32_t delivery_count = 0;  // of delivery_count only
};
// Of drop_stored and note_stored; what is meant by pile and index: log/pile.hpp.
struct StoredRecord {
  RecordType type;
  LogPosition pile;
  std::uint32_t first;
  std::uint32_t count;                        // of messages; of deliveries in note_stored
  std::optional<std::uint64_t> body_bytes{};  // of the messages that have left, if it is said
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
// From here on in the batch, what is relative counts from then.
struct TimeRecord {
  engine::TimeMs time;
};
struct ClockRecord {
  std::int64_t offset_ms;
};
// Of bind and unbind.
struct BindingRecord {
  RecordType type;
  engine::BindingDefinition definition;
};
struct FragmentRecord {
  RecordType type;
  std::string_view bytes;
};
// Of start, clean_stop, seal, group_begin, group_end, move and idle.
struct MarkRecord {
  RecordType type;
};
using Record = std::variant<PublishRecord, MessageRecord, StoredRecord, ExchangeRecord,
                            DeleteExchangeRecord, QueueRecord, DeleteQueueRecord, UnusedSinceRecord,
                            BindingRecord, FragmentRecord, MarkRecord, TimeRecord, ClockRecord>;

// Each appends one record to `out`. The message's time is written as the distance from `base`,
// which a time record has noted in the batch; as it is if `base` is 0; and not at all if it is 0.
void append_publish(std::string& out, const engine::MessageView& message,
                    std::span<const engine::QueueId> queues, engine::TimeMs base);
void append_time(std::string& out, engine::TimeMs time);
void append_clock(std::string& out, std::int64_t offset_ms);
// `position` is where the record itself goes.
void append_message_record(std::string& out, RecordType type, engine::QueueId queue,
                           LogPosition message, LogPosition position);
void append_delivery_count(std::string& out, engine::QueueId queue, LogPosition message,
                           std::uint32_t count, LogPosition position);
void append_note_stored(std::string& out, LogPosition pile, std::uint32_t index,
                        std::uint32_t count, LogPosition position);
// Nothing is said of the bodies if their size is not known.
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

// The most bytes a fragment record has beyond those it carries.
inline constexpr std::size_t fragment_overhead = 1 + 10;

// What append_message_record() appends at most, and append_delivery_count().
inline constexpr std::size_t message_record_size_max = 1 + 2 * 10;
inline constexpr std::size_t delivery_count_size_max = 1 + 3 * 10;
inline constexpr std::size_t time_size_max = 1 + 10;
// And append_drop_stored(), append_note_stored().
inline constexpr std::size_t stored_size_max = 1 + 4 * 10;

// An upper bound of what append_publish() appends.
std::size_t publish_size_max(const engine::MessageView& message, std::size_t queue_count);

// Cuts the first record, which is at `position`, off `bytes`. False if it is none.
bool decode_record(std::string_view& bytes, LogPosition position, Record& record);

}  // namespace haypile::log
