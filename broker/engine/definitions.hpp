// What a durable vhost is made of, as values: the vocabulary that engine and log share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace haypile::engine {

// Names a queue in log records. Given out in rising order, never used twice in a vhost; 0 is none.
using QueueId = std::uint64_t;

// A byte position in the log of a vhost; rises for ever, never used twice. 0 is none: the thing
// was not logged.
using LogPosition = std::uint64_t;

// Names a message in one queue once it has left the log for a file of old messages; given out by
// the journal, and valid as long as the process runs. 0 is none: the log has it.
using StoredId = std::uint64_t;

// Engine time: milliseconds on a line of its own that never jumps and never goes back, whatever is
// done to the machine's clock. The wall clock, milliseconds since 1970-01-01 UTC, is engine time
// and an offset, which changes when that clock is set. 0 is never, or not known.
using TimeMs = std::uint64_t;

// The longest time to live: ten years, as RabbitMQ has it.
inline constexpr TimeMs time_max_ms = 315'360'000'000;

enum class ExchangeType : std::uint8_t { direct = 0, fanout = 1, topic = 2, headers = 3 };
enum class DestinationKind : std::uint8_t { queue = 0, exchange = 1 };

// `arguments` is always an encoded field table without its length prefix, kept byte for byte.
struct ExchangeDefinition {
  std::string name;
  ExchangeType type = ExchangeType::direct;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  std::string arguments;
  bool operator==(const ExchangeDefinition&) const = default;
};

// An exclusive queue is never durable state: it dies with its connection and is not logged.
struct QueueDefinition {
  QueueId id = 0;
  std::string name;
  bool durable = false;
  bool auto_delete = false;
  std::string arguments;
  bool operator==(const QueueDefinition&) const = default;
};

// Identity of a binding: all of its fields.
struct BindingDefinition {
  std::string source;
  DestinationKind destination_kind = DestinationKind::queue;
  std::string destination;
  std::string routing_key;
  std::string arguments;
  bool operator==(const BindingDefinition&) const = default;
};

// A message in one queue.
struct QueuedRef {
  QueueId queue = 0;
  LogPosition message = 0;  // 0: not known, of one that has left memory
  StoredId stored = 0;
  std::size_t size = 0;  // of all that makes the message, in bytes; 0: not known
  std::size_t body_size = 0;
};

// A message as the log sees it. `properties` is the content header's payload from the property
// flags on (AMQP 0-9-1, 4.2.6.1). All views; nothing is owned.
struct MessageView {
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view properties;
  std::string_view body;
  // When it came to its queues; 0 if that is not known.
  TimeMs published_at = 0;
};

}  // namespace haypile::engine
