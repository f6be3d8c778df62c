// What a binding to a headers exchange asks of a message.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/table_reader.hpp"

namespace haypile::engine {

// The arguments of a binding, read: `x-match` says whether `all` (default) or `any` of the other
// arguments must be among the message's headers with the same value. Names that begin with `x-` do
// not count, unless `x-match` is `all-with-x` or `any-with-x`. The names are views into the
// arguments.
struct HeadersMatch {
  bool any = false;
  std::vector<TableField> wanted;

  // Returns nothing if `x-match` has an unknown value.
  static std::optional<HeadersMatch> from_arguments(const TableReader& reader,
                                                    std::string_view arguments);
};

}  // namespace haypile::engine
