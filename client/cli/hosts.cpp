#include "hosts.hpp"

#include <algorithm>

namespace haypile::cli {

namespace {

// Whether the text begins with a scheme, such as amqp://.
bool begins_uri(std::string_view text) {
  const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  return end != 0 && end != std::string_view::npos && text.substr(end).starts_with("://");
}

}  // namespace

std::vector<std::string> split_uris(std::string_view text) {
  std::vector<std::string> uris;
  std::size_t start = 0;
  for (std::size_t at = text.find(','); at != std::string_view::npos; at = text.find(',', at + 1)) {
    if (!begins_uri(text.substr(at + 1))) continue;
    uris.emplace_back(text.substr(start, at - start));
    start = at + 1;
  }
  uris.emplace_back(text.substr(start));
  return uris;
}

Hosts::Hosts(const std::vector<std::string>& texts) {
  for (const std::string& text : texts)
    for (const std::string& uri : split_uris(text))
      brokers_.push_back(ConnectionOptions::from_uri(uri));
}

Connection Hosts::connect() {
  std::string said;
  for (std::size_t tried = 0; tried < brokers_.size(); ++tried) {
    const ConnectionOptions& broker = brokers_[next_];
    next_ = (next_ + 1) % brokers_.size();
    try {
      return Connection(broker);
    } catch (const Error& error) {
      if (brokers_.size() == 1) throw;
      said += (said.empty() ? "" : "; ") + broker.host + ":" + std::to_string(broker.port) + ": " +
              error.what();
    }
  }
  throw ConnectionFailed("no broker lets us in: " + said);
}

}  // namespace haypile::cli
