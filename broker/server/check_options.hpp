#pragma once

#include <haypile/broker.hpp>

namespace haypile::server {

// The options with all that was left open filled in. Throws BrokerError for what makes no sense;
// the line says what to change.
BrokerOptions checked(BrokerOptions options);

}  // namespace haypile::server
