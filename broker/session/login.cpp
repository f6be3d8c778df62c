#include "session/login.hpp"

#include <haypile/amqp/table.hpp>

namespace haypile::session {

namespace {

std::optional<Credentials> parse_plain(std::string_view response) {
  const std::size_t user = response.find('\0');
  if (user == std::string_view::npos) return std::nullopt;
  const std::size_t password = response.find('\0', user + 1);
  if (password == std::string_view::npos) return std::nullopt;
  return Credentials{response.substr(user + 1, password - user - 1), response.substr(password + 1)};
}

std::optional<Credentials> parse_amqplain(std::string_view response) {
  amqp::TableView table;
  if (amqp::TableView::parse(response, table) != amqp::DecodeError::none) return std::nullopt;
  const auto text = [&](std::string_view key) {
    const auto value = table.find(key);
    return value ? value->as_string() : std::nullopt;
  };
  const auto user = text("LOGIN");
  const auto password = text("PASSWORD");
  if (!user || !password) return std::nullopt;
  return Credentials{*user, *password};
}

}  // namespace

bool is_login_mechanism(std::string_view mechanism) {
  return mechanism == "PLAIN" || mechanism == "AMQPLAIN";
}

std::optional<Credentials> parse_login(std::string_view mechanism, std::string_view response) {
  return mechanism == "PLAIN" ? parse_plain(response) : parse_amqplain(response);
}

}  // namespace haypile::session
