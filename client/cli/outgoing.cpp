#include "outgoing.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include <haypile/error.hpp>

#include "json_values.hpp"
#include "property_names.hpp"

namespace haypile::cli {

namespace {

struct Assignment {
  std::string name;
  std::string_view value;
};

Assignment cut(std::string_view text, const char* option, const char* example) {
  const std::size_t at = text.find('=');
  if (at == std::string_view::npos || at == 0) {
    throw Error(std::string(option) + " '" + std::string(text) + "' is not NAME=VALUE, such as " +
                example);
  }
  return {std::string(text.substr(0, at)), text.substr(at + 1)};
}

template <class Number>
void read_number(const std::string& name, std::string_view text, std::optional<Number>& out) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error("--property " + name + ": '" + std::string(text) +
                "' is not a whole number from 0 to " +
                std::to_string(std::numeric_limits<Number>::max()));
  }
  out = value;
}

}  // namespace

void Outgoing::set_property(std::string_view text) {
  auto [name, value] = cut(text, "--property", "content_type=text/plain");
  std::ranges::replace(name, '-', '_');
  if (name == "headers") throw Error("--property headers: use --header NAME=VALUE");
  bool is_known = false;
  std::string known;
  for_each_property(numbers_, [&, &value = value, &name = name](std::string_view key, auto& field) {
    using Type = typename std::remove_reference_t<decltype(field)>::value_type;
    if (key != "headers") known += (known.empty() ? "" : ", ") + std::string(key);
    if (key != name) return;
    is_known = true;
    if constexpr (std::is_integral_v<Type>) {
      read_number(name, value, field);
    } else if constexpr (std::is_same_v<Type, amqp::Timestamp>) {
      std::optional<std::uint64_t> seconds;
      read_number(name, value, seconds);
      field = amqp::Timestamp{*seconds};
    } else {
      texts_[name] = value;
    }
  });
  if (!is_known) throw Error("there is no property '" + name + "'; there are " + known);
}

void Outgoing::set_header(std::string_view text) {
  auto [name, value] = cut(text, "--header", "kind=picture or width:=640");
  if (!name.ends_with(':')) return headers_.set(name, value);
  name.pop_back();
  const auto json = Json::parse(value, nullptr, false);
  if (json.is_discarded()) {
    throw Error("--header " + name + ": '" + std::string(value) +
                "' is not JSON; for a text use NAME=TEXT");
  }
  headers_.set(name, value_of(json));
}

Properties Outgoing::properties() const {
  Properties properties = numbers_;
  for_each_property(properties, [&](std::string_view key, auto& field) {
    using Type = typename std::remove_reference_t<decltype(field)>::value_type;
    if constexpr (std::is_same_v<Type, std::string_view>) {
      const auto found = texts_.find(key);
      if (found != texts_.end()) field = found->second;
    }
  });
  if (!headers_.empty()) properties.headers = headers_.view();
  return properties;
}

}  // namespace haypile::cli
