// The messages of a simulation: their content follows from their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/random.hpp"

namespace haypile::simulation {

using Number = std::uint32_t;

// How the clients of a seed behave.
struct Style {
  std::uint32_t segment_size = 4096;
  bool is_brisk = false;     // few, short queues: segments come and go
  bool is_small = false;     // few different sizes: torn parts fit together again
  bool is_prompt = false;    // a turn after each action of a client: small batches
  bool writes_late = false;  // the log's threads rarely have their turn
  bool keeps_late = false;   // the maintenance thread has its turn even more rarely
};

struct Message {
  Number number = 0;  // beginning with 1
  int exchange = 0;
  std::string key;
  bool mandatory = false;
  bool persistent = true;
  std::uint8_t priority = 0;
  std::size_t size = 0;  // the body's
};

// All messages of a simulation; the number of a message is its place, from 1 on.
class Messages {
 public:
  // Makes a new message of any size up to several segments.
  Message& make(Random& random, int exchange, std::string key, const Style& style);
  // Null if there is no such message.
  const Message* find(Number number) const;

 private:
  std::vector<Message> all_;
};

std::string body_of(const Message& message);
// The encoded properties.
std::string properties_of(const Message& message);

// Returns 0 if the body belongs to no message.
Number number_in(std::string_view body);
// Returns what is wrong with a message, or nothing if it is as it was published. If `died_in` is
// not empty, it must be a dead letter of that queue. A delivery count may have been added.
std::string difference(const Message& message, std::string_view exchange, std::string_view key,
                       std::string_view raw_properties, std::string_view body,
                       std::string_view died_in);

}  // namespace haypile::simulation
