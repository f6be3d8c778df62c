#include "environment.hpp"

#include <algorithm>
#include <type_traits>

#include "json_values.hpp"
#include "property_names.hpp"

namespace haypile::cli {

namespace {

// Empty if the name has a character that cannot be in a variable's name.
std::string variable_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'a' && c <= 'z') {
      out += static_cast<char>(c - 'a' + 'A');
    } else if (c == '-' || c == '.') {
      out += '_';
    } else if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_') {
      out += c;
    } else {
      return "";
    }
  }
  return out;
}

class Variables {
 public:
  void add(const std::string& prefix, std::string_view name, std::string_view value) {
    const std::string variable = variable_name(name);
    if (variable.empty() || value.size() > environment_value_max_bytes ||
        value.find('\0') != std::string_view::npos) {
      return;
    }
    const std::string start = prefix + variable + "=";
    const std::size_t size = start.size() + value.size();
    if (bytes_ + size > environment_max_bytes) return;
    const auto has_name = [&](const std::string& other) { return other.starts_with(start); };
    if (std::ranges::any_of(list_, has_name)) return;
    bytes_ += size;
    list_.push_back(start + std::string(value));
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
  std::size_t bytes_ = 0;
};

}  // namespace

std::vector<std::string> message_environment(const Properties& properties, std::uint64_t attempt) {
  Variables variables;
  variables.add("HAYPILE_MESSAGE_", "attempt", std::to_string(attempt));
  for_each_property(properties, [&](std::string_view name, const auto& field) {
    using Type = typename std::remove_cvref_t<decltype(field)>::value_type;
    if (!field) return;
    if constexpr (std::is_integral_v<Type>) {
      variables.add("HAYPILE_PROPERTY_", name, std::to_string(*field));
    } else if constexpr (std::is_same_v<Type, amqp::Timestamp>) {
      variables.add("HAYPILE_PROPERTY_", name, std::to_string(field->seconds));
    } else if constexpr (std::is_same_v<Type, std::string_view>) {
      variables.add("HAYPILE_PROPERTY_", name, *field);
    }
  });
  if (!properties.headers) return variables.take();
  for (const amqp::Field& field : *properties.headers) {
    const auto text = field.value.as_string();
    variables.add("HAYPILE_HEADER_", field.key, text ? *text : line_of(json_of(field.value)));
  }
  return variables.take();
}

bool is_about_message(std::string_view variable) {
  return variable.starts_with("HAYPILE_MESSAGE_") || variable.starts_with("HAYPILE_PROPERTY_") ||
         variable.starts_with("HAYPILE_HEADER_");
}

}  // namespace haypile::cli
