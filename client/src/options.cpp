#include <charconv>
#include <limits>

#include <haypile/error.hpp>
#include <haypile/options.hpp>

namespace haypile {

namespace {

// The text must not contain any part of the URI: if a character is not encoded, any part may be a
// piece of the password.
[[noreturn]] void fail(const std::string& why) {
  throw ConnectionFailed("bad AMQP URI: " + why);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) fail("'%' is not followed by two hexadecimal digits");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

template <class T>
T number(std::string_view text, const std::string& what) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      value > std::numeric_limits<T>::max()) {
    fail(what + " is not a number within 0 to " + std::to_string(std::numeric_limits<T>::max()));
  }
  return static_cast<T>(value);
}

// Cuts off the text before `separator`, and the separator; all of the text if there is none.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view first = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  return first;
}

// Cuts off the scheme.
void parse_scheme(std::string_view& text, ConnectionOptions& options) {
  constexpr std::string_view plain = "amqp://";
  constexpr std::string_view encrypted = "amqps://";
  if (text.starts_with(plain)) {
    text.remove_prefix(plain.size());
  } else if (text.starts_with(encrypted)) {
    text.remove_prefix(encrypted.size());
    options.tls.emplace();
    options.port = 5671;
  } else {
    fail("it does not start with amqp:// or amqps://");
  }
}

void parse_host(std::string_view text, ConnectionOptions& options) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) fail("']' is missing after an IPv6 address");
    options.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (text.empty()) return;
    if (text.front() != ':') fail("unexpected text after ']'");
    text.remove_prefix(1);
  } else {
    const std::size_t colon = text.find(':');
    const std::string host = percent_decode(text.substr(0, colon));
    if (!host.empty()) options.host = host;
    if (colon == std::string_view::npos) return;
    text.remove_prefix(colon + 1);
  }
  if (!text.empty()) options.port = number<std::uint16_t>(text, "port");
}

// One of two words: whether it is `yes`.
bool choice(std::string_view text, std::string_view yes, std::string_view no,
            const std::string& what) {
  if (text != yes && text != no) {
    fail(what + " has to be " + std::string(yes) + " or " + std::string(no));
  }
  return text == yes;
}

// Returns false if there is no such parameter, here and below.
bool parse_parameter(const std::string& key, std::string_view value, ConnectionOptions& options) {
  using std::chrono::milliseconds;
  if (key == "heartbeat") {
    options.heartbeat_s = number<std::uint16_t>(value, key);
  } else if (key == "connection_timeout") {
    options.connection_timeout = milliseconds(number<std::uint32_t>(value, key));
  } else if (key == "publish_timeout") {
    options.publish_timeout = milliseconds(number<std::uint32_t>(value, key));
  } else if (key == "channel_max") {
    options.channel_max = number<std::uint16_t>(value, key);
  } else if (key == "frame_max") {
    options.frame_max_bytes = number<std::uint32_t>(value, key);
  } else if (key == "name") {
    options.connection_name = percent_decode(value);
  } else if (key == "auth_mechanism") {
    options.external_login = choice(value, "external", "plain", key);
  } else {
    return false;
  }
  return true;
}

bool parse_tls_parameter(const std::string& key, std::string_view value, TlsOptions& tls) {
  if (key == "cacertfile") {
    tls.ca_file = percent_decode(value);
  } else if (key == "certfile") {
    tls.certificate_file = percent_decode(value);
  } else if (key == "keyfile") {
    tls.key_file = percent_decode(value);
  } else if (key == "verify") {
    tls.verify = choice(value, "verify_peer", "verify_none", key);
  } else if (key == "server_name_indication") {
    tls.server_name = percent_decode(value);
  } else {
    return false;
  }
  return true;
}

void parse_query(std::string_view text, ConnectionOptions& options) {
  TlsOptions tls;
  while (!text.empty()) {
    std::string_view value = cut(text, '&');
    const std::string key(cut(value, '='));
    if (parse_parameter(key, value, options)) continue;
    if (!parse_tls_parameter(key, value, tls)) {
      fail(
          "unknown parameter; known are heartbeat, connection_timeout, publish_timeout, "
          "channel_max, frame_max, name, auth_mechanism, and with amqps:// cacertfile, certfile, "
          "keyfile, verify, server_name_indication");
    }
    // Somebody who asks for it must not get a connection that everybody can read.
    if (!options.tls) fail(key + " is for amqps://");
  }
  if (options.tls) options.tls = tls;
}

}  // namespace

ConnectionOptions ConnectionOptions::from_uri(std::string_view uri) {
  ConnectionOptions options;
  parse_scheme(uri, options);
  std::string_view rest = cut(uri, '?');
  parse_query(uri, options);
  const std::string_view authority = cut(rest, '/');
  if (!rest.empty()) options.virtual_host = percent_decode(rest);
  if (rest.find('@') != std::string_view::npos) {
    fail("'@' behind '/': in a password '/' is %2F, in a virtual host '@' is %40");
  }
  rest = authority;
  const std::size_t at = rest.rfind('@');
  if (at != std::string_view::npos) {
    std::string_view login = rest.substr(0, at);
    options.user = percent_decode(cut(login, ':'));
    options.password = percent_decode(login);
    rest.remove_prefix(at + 1);
  }
  parse_host(rest, options);
  return options;
}

}  // namespace haypile
