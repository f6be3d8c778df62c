#include "engine/headers_match.hpp"

#include <utility>

namespace haypile::engine {

std::optional<HeadersMatch> HeadersMatch::from_arguments(const TableReader& reader,
                                                         std::string_view arguments) {
  HeadersMatch match;
  bool with_x = false;
  if (reader.find(arguments, "x-match")) {
    const auto mode = reader.text(arguments, "x-match");
    if (!mode) return std::nullopt;
    match.any = mode->starts_with("any");
    with_x = mode->ends_with("-with-x");
    if (*mode != "all" && *mode != "any" && *mode != "all-with-x" && *mode != "any-with-x") {
      return std::nullopt;
    }
  }
  for (TableField& field : reader.fields(arguments)) {
    if (field.name == "x-match" || (!with_x && field.name.starts_with("x-"))) continue;
    match.wanted.push_back(std::move(field));
  }
  return match;
}

}  // namespace haypile::engine
