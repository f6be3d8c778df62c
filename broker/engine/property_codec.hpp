// What the engine needs to know of messages' properties without knowing the wire format.
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
  // Since 1970-01-01 UTC, by the clock on the wall.
  TimeMs wall_time = 0;
  // The dead-letter routing key of the queue takes the place of all keys the message had.
  bool keys_replaced = false;
};

// How many copies dead-lettering has made of one message since a consumer rejected it last. Stands
// in the properties of the copies, so that it outlasts whatever becomes of them.
struct CopyMark {
  std::uint64_t original = 0;  // names what they are copies of; 0: it is the only one
  std::uint64_t count = 0;     // how many there were when this one was made
};

// A message after a death.
struct DeadMessage {
  // Empty if it has died in more ways than can be told (dead_letter_count_max): it goes no further.
  std::string properties;
  MessageTraits traits;
  // The routing keys in the header `CC`.
  std::vector<std::string> carbon_copies;
  // Where it has died since a consumer rejected it last, in this death too; the last one first.
  // Empty if this is a rejection.
  std::vector<std::string> queues_passed;
  CopyMark mark;
};

// Handed to the engine by whoever knows the wire. Properties are given as in a MessageView, and
// have been checked when they came in.
class PropertyCodec : public TableReader {
 public:
  virtual MessageTraits traits(std::string_view properties) const = 0;
  // The encoded header table, a view into them.
  virtual std::string_view headers(std::string_view properties) const = 0;
  // `x-death` and `x-first-death-*` say what happened, `expiration` is gone, and `CC` too if the
  // keys are replaced.
  virtual DeadMessage after_death(const MessageView& message, const Death& death) const = 0;
  // How large the properties are without what the broker tells besides (`x-death` and the like).
  virtual std::size_t bare_size(std::string_view properties) const = 0;
  // The same properties with that mark.
  virtual std::string with_mark(std::string_view properties, const CopyMark& mark) const = 0;
};

inline constexpr std::size_t dead_letter_count_max = 256;

}  // namespace haypile::engine
