// What messages go through: made before the load comes, and removed behind it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "load/link.hpp"

namespace haypile::bench::load {

// Durable and empty. `type`: x-queue-type, unless it is empty.
void make_queue(const Address& address, const std::string& name, const std::string& type);
void delete_queue(const Address& address, const std::string& name);

// A durable topic exchange with `binding_count` bindings, at least one a queue: with that one it
// gets what is published with its key. The others, to the first queue, match nothing.
class TopicExchange {
 public:
  static constexpr const char* name = "haypile-perf";

  static void make(const Address& address, const std::vector<std::string>& queues,
                   std::size_t binding_count);
  static void remove(const Address& address);
  static std::string key_of(const std::string& queue) { return "perf." + queue + ".work"; }
};

}  // namespace haypile::bench::load
