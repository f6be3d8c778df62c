#pragma once

#include <haypile/broker.hpp>

namespace haypile::server {

// Returns the options with all defaults filled in. Throws BrokerError if an option makes no sense;
// the text says what to change.
BrokerOptions checked(BrokerOptions options);

}  // namespace haypile::server
