// How the engine reads and changes message properties without knowing the wire format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/message.hpp"
#include "engine/table_reader.hpp"

namespace haypile::engine {

// Why a queue gave a message up.
enum class DeathReason : std::uint8_t { rejected, expired, maxlen, delivery_limit };

struct Death {
  std::string_view queue;
  DeathReason reason = DeathReason::rejected;
  // When it happened, by the wall clock, since 1970-01-01 UTC.
  TimeMs wall_time = 0;
  // The queue's dead-letter routing key replaces all keys that the message had.
  bool keys_replaced = false;
};

// How many copies dead-lettering has made of one message since a consumer rejected it last. It is
// in the properties of the copies, so that it is kept wherever they go.
struct CopyMark {
  std::uint64_t original = 0;  // names the message they are copies of; 0: there is only one
  std::uint64_t count = 0;     // how many there were when this one was made
};

// A message after a death.
struct DeadMessage {
  // Empty if it has died in more ways than its headers can list (dead_letter_count_max): it is
  // dropped.
  std::string properties;
  MessageTraits traits;
  // The routing keys in the header `CC`.
  std::vector<std::string> carbon_copies;
  // The queues in which it has died since a consumer rejected it last, including this death, the
  // last one first. Empty if this death is a rejection.
  std::vector<std::string> queues_passed;
  CopyMark mark;
};

// Reads and changes properties. Implemented outside the engine. Properties are given as in a
// MessageView, and were checked when they came in.
class PropertyCodec : public TableReader {
 public:
  virtual MessageTraits traits(std::string_view properties) const = 0;
  // The encoded header table, a view into `properties`.
  virtual std::string_view headers(std::string_view properties) const = 0;
  // The message after the death: `x-death` and `x-first-death-*` record it, `expiration` is
  // removed, and `CC` too if the keys are replaced.
  virtual DeadMessage after_death(const MessageView& message, const Death& death) const = 0;
  // The size of the properties without what the broker has added (`x-death` and the like).
  virtual std::size_t bare_size(std::string_view properties) const = 0;
  // The same properties with that mark.
  virtual std::string with_mark(std::string_view properties, const CopyMark& mark) const = 0;
};

inline constexpr std::size_t dead_letter_count_max = 256;

}  // namespace haypile::engine
