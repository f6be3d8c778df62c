#include "engine/headers_match.hpp"

#include <algorithm>

namespace haypile::engine {

std::optional<HeadersMatch> HeadersMatch::from_arguments(const TableReader& reader,
                                                         std::string_view arguments) {
  HeadersMatch match;
  bool with_x = false;
  if (reader.find(arguments, "x-match")) {
    const auto mode = reader.text(arguments, "x-match");
    if (!mode) return std::nullopt;
    match.any_ = mode->starts_with("any");
    with_x = mode->ends_with("-with-x");
    if (*mode != "all" && *mode != "any" && *mode != "all-with-x" && *mode != "any-with-x") {
      return std::nullopt;
    }
  }
  for (TableField& field : reader.fields(arguments)) {
    if (field.name == "x-match" || (!with_x && field.name.starts_with("x-"))) continue;
    match.wanted_.push_back({std::string(field.name), std::move(field.value)});
  }
  return match;
}

bool HeadersMatch::matches(const std::vector<TableField>& headers) const {
  const auto has = [&](const Wanted& wanted) {
    auto header =
        std::ranges::lower_bound(headers, std::string_view(wanted.name), {}, &TableField::name);
    for (; header != headers.end() && header->name == wanted.name; ++header) {
      if (wanted.value.empty() || header->value == wanted.value) return true;
    }
    return false;
  };
  return any_ ? std::any_of(wanted_.begin(), wanted_.end(), has)
              : std::all_of(wanted_.begin(), wanted_.end(), has);
}

}  // namespace haypile::engine
