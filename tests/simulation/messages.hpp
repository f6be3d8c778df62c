// The messages of a simulation: what is in them follows from their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/random.hpp"

namespace haypile::simulation {

using Number = std::uint32_t;

// How the clients of a seed are.
struct Style {
  std::uint32_t segment_size = 4096;
  bool is_brisk = false;     // few queues, kept short: segments come and go
  bool is_small = false;     // messages of few different sizes: what is torn fits together again
  bool is_prompt = false;    // a turn behind whatever a client does: batches are small
  bool writes_late = false;  // the log's threads have their turns rarely
  bool keeps_late = false;   // the one for maintenance more rarely still
};

struct Message {
  Number number = 0;  // from 1 on
  int exchange = 0;
  std::string key;
  bool mandatory = false;
  bool persistent = true;
  std::uint8_t priority = 0;
  std::size_t size = 0;  // of the body
};

class Messages {
 public:
  // A new one, of any size up to several segments.
  Message& make(Random& random, int exchange, std::string key, const Style& style);
  // Null if there is no such message.
  const Message* find(Number number) const;

 private:
  std::vector<Message> all_;
};

std::string body_of(const Message& message);
// Encoded.
std::string properties_of(const Message& message);

// 0: it is no message's.
Number number_in(std::string_view body);
// Empty if it is the message as it was published; or as a dead letter of `died_in`, if that is not
// empty. Otherwise what is wrong with it. The count of deliveries may have been added.
std::string difference(const Message& message, std::string_view exchange, std::string_view key,
                       std::string_view raw_properties, std::string_view body,
                       std::string_view died_in);

}  // namespace haypile::simulation
