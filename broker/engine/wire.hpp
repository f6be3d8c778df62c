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
  TimeMs time = 0;
  // The dead-letter routing key of the queue takes the place of all keys the message had.
  bool keys_replaced = false;
};

// Handed to the engine by whoever knows the wire. Properties are given as in a MessageView, and
// have been checked when they came in.
class Wire : public TableReader {
 public:
  virtual MessageTraits traits(std::string_view properties) const = 0;
  // The encoded header table, a view into them.
  virtual std::string_view headers(std::string_view properties) const = 0;
  // The routing keys in the header `CC`.
  virtual std::vector<std::string> carbon_copies(std::string_view properties) const = 0;
  // The properties of the message after that death: `x-death` and `x-first-death-*` say what
  // happened, `expiration` is gone, and `CC` too if the keys are replaced. Empty if the message has
  // died in more ways than can be told (dead_letter_count_max): it goes no further.
  virtual std::string after_death(const MessageView& message, const Death& death) const = 0;
  // Whether a message with these properties has died in `queue` before, and nobody has rejected it
  // since.
  virtual bool goes_round(std::string_view properties, std::string_view queue) const = 0;
};

inline constexpr std::size_t dead_letter_count_max = 256;

}  // namespace haypile::engine
