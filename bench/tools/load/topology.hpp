// The queues and exchanges for a load: made before it, and removed after it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tools/load/link.hpp"

namespace haypile::bench::load {

// Makes a durable, empty queue. `type` is its x-queue-type, if not empty.
void make_queue(const Address& address, const std::string& name, const std::string& type);
void delete_queue(const Address& address, const std::string& name);

// Makes a durable topic exchange with `binding_count` bindings. Each queue has one that matches its
// key; the others, to the first queue, match nothing. There is at least one binding for each queue.
void make_topic_exchange(const Address& address, const std::string& name,
                         const std::vector<std::string>& queues, std::size_t binding_count);
std::string topic_key_of(const std::string& queue);
void delete_exchange(const Address& address, const std::string& name);

}  // namespace haypile::bench::load
