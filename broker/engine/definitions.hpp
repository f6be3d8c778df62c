// The parts of a durable virtual host as values: the vocabulary that engine and log share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace haypile::engine {

// Names a queue in log records. Ids rise and are never used twice in a virtual host. 0: no queue.
using QueueId = std::uint64_t;

// A byte position in the log of a virtual host. Positions rise for ever and are never used twice.
// 0: not logged.
using LogPosition = std::uint64_t;

// Names a queued message once it has left the log for a pile. Given out by the journal, and valid
// as long as the process runs. 0: the log has it.
using StoredId = std::uint64_t;

// Engine time, in milliseconds. It never jumps and never goes back, whatever happens to the
// machine's clock. The wall clock, in milliseconds since 1970-01-01 UTC, is engine time plus an
// offset, which changes when the machine's clock is set. 0: never, or not known.
using TimeMs = std::uint64_t;

// The longest time to live: ten years, as in RabbitMQ.
inline constexpr TimeMs time_max_ms = 315'360'000'000;

enum class ExchangeType : std::uint8_t { direct = 0, fanout = 1, topic = 2, headers = 3 };
enum class DestinationKind : std::uint8_t { queue = 0, exchange = 1 };

// `arguments` is always an encoded field table without its length prefix, byte for byte as it came.
struct ExchangeDefinition {
  std::string name;
  ExchangeType type = ExchangeType::direct;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  std::string arguments;
  bool operator==(const ExchangeDefinition&) const = default;
};

// An exclusive queue is never durable: it is deleted with its connection, and not logged.
struct QueueDefinition {
  QueueId id = 0;
  std::string name;
  bool durable = false;
  bool auto_delete = false;
  std::string arguments;
  bool operator==(const QueueDefinition&) const = default;
};

// A binding is identified by all of its fields.
struct BindingDefinition {
  std::string source;
  DestinationKind destination_kind = DestinationKind::queue;
  std::string destination;
  std::string routing_key;
  std::string arguments;
  bool operator==(const BindingDefinition&) const = default;
};

// Names a queued message for the journal.
struct QueuedRef {
  QueueId queue = 0;
  LogPosition message = 0;  // 0: not known, since it has left memory
  StoredId stored = 0;
  std::size_t size = 0;  // bytes of the whole message; 0: not known
  std::size_t body_size = 0;
};

// A message as the log sees it. `properties` is the content header's payload from the property
// flags on (AMQP 0-9-1, 4.2.6.1). Views do not own their bytes.
struct MessageView {
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view properties;
  std::string_view body;
  // When the message came to its queues; 0: not known.
  TimeMs published_at = 0;

  // The bytes of all its strings.
  std::size_t size() const {
    return exchange.size() + routing_key.size() + properties.size() + body.size();
  }
};

}  // namespace haypile::engine
