// What a binding to a headers exchange asks of a message.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/table_reader.hpp"

namespace haypile::engine {

// Built from a binding's arguments: `x-match` says `all` (default) or `any` of the others must be
// among the message's headers with the same value. Names that begin with `x-` do not count, unless
// `all-with-x` or `any-with-x` says so.
class HeadersMatch {
 public:
  HeadersMatch() = default;
  // Nothing when `x-match` has a value that means nothing.
  static std::optional<HeadersMatch> from_arguments(const TableReader& reader,
                                                    std::string_view arguments);

  // `headers` in the order of their names.
  bool matches(const std::vector<TableField>& headers) const;

 private:
  struct Wanted {
    std::string name;
    std::string value;
  };
  bool any_ = false;
  std::vector<Wanted> wanted_;
};

}  // namespace haypile::engine
