// What messages go through: made before the load comes, and removed behind it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tools/load/link.hpp"

namespace haypile::bench::load {

// Durable and empty. `type`: x-queue-type, unless it is empty.
void make_queue(const Address& address, const std::string& name, const std::string& type);
void delete_queue(const Address& address, const std::string& name);

// A durable topic exchange with `binding_count` bindings, at least one a queue, which then gets
// what is published with its key. The others, to the first queue, match nothing.
void make_topic_exchange(const Address& address, const std::string& name,
                         const std::vector<std::string>& queues, std::size_t binding_count);
std::string topic_key_of(const std::string& queue);
void delete_exchange(const Address& address, const std::string& name);

}  // namespace haypile::bench::load
