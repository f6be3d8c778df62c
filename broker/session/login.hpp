// Who a client claims to be: the SASL mechanisms of connection.start-ok.
#pragma once

#include <optional>
#include <string_view>

namespace haypile::session {

// The list of mechanisms in connection.start.
inline constexpr std::string_view login_mechanisms = "PLAIN AMQPLAIN";

bool is_login_mechanism(std::string_view mechanism);

// User and password, as views into the response.
struct Credentials {
  std::string_view user;
  std::string_view password;
};

// Reads the response of a login mechanism. PLAIN (RFC 4616) is [authzid] NUL user NUL password.
// AMQPLAIN is a field table without its length prefix, with LOGIN and PASSWORD. Returns nothing if
// the response does not have that form.
std::optional<Credentials> parse_login(std::string_view mechanism, std::string_view response);

}  // namespace haypile::session
