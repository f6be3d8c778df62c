// Compares a declaration with what exists, and says what differs, in RabbitMQ's words.
#pragma once

#include <string>

#include "engine/definitions.hpp"
#include "engine/error.hpp"
#include "engine/exchange.hpp"
#include "engine/queue.hpp"
#include "engine/table_reader.hpp"

namespace haypile::engine {

// Each returns precondition_failed for the first property that differs, or resource_locked for
// `exclusive`. `vhost` is for the text. `alternate` is the wanted alternate exchange, or empty;
// `owner` is 0 if the wanted queue is not exclusive.
Error check_same(const std::string& vhost, const Exchange& exchange,
                 const ExchangeDefinition& wanted, const std::string& alternate);
Error check_same(const std::string& vhost, const TableReader& reader, const Queue& queue,
                 const QueueDefinition& wanted, OwnerId owner);

}  // namespace haypile::engine
