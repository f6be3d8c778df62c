// Who a client says it is: the SASL mechanisms of connection.start-ok.
#pragma once

#include <optional>
#include <string_view>

namespace haypile::session {

// As connection.start lists them.
inline constexpr std::string_view login_mechanisms = "PLAIN AMQPLAIN";

bool is_login_mechanism(std::string_view mechanism);

// Views into the response.
struct Credentials {
  std::string_view user;
  std::string_view password;
};

// PLAIN (RFC 4616): [authzid] NUL user NUL password. AMQPLAIN: a field table without its length
// prefix, with LOGIN and PASSWORD. Nothing if the response is not of that form.
std::optional<Credentials> parse_login(std::string_view mechanism, std::string_view response);

}  // namespace haypile::session
