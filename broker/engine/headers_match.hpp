// What a binding to a headers exchange asks of a message.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/table_reader.hpp"

namespace haypile::engine {

// Read from a binding's arguments: `x-match` says `all` (default) or `any` of the others must be
// among the message's headers with the same value. Names that begin with `x-` do not count, unless
// `all-with-x` or `any-with-x` says so. A view into the arguments, as far as names go.
struct HeadersMatch {
  bool any = false;
  std::vector<TableField> wanted;

  // Nothing when `x-match` has a value that means nothing.
  static std::optional<HeadersMatch> from_arguments(const TableReader& reader,
                                                    std::string_view arguments);
};

}  // namespace haypile::engine
