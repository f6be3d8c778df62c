// Checks encoded tables completely: the sizes and types of all values, and the limits
// table_depth_max and table_node_count_max.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include <haypile/amqp/table_view.hpp>

#include "layout.hpp"

namespace haypile::amqp::detail {

// Checks all values of a table. Keeps the ends of open tables and arrays in an array instead of
// recursing, so that no input can exhaust the stack. One object is good for one run.
class Validator {
 public:
  // The bytes of a table or, without keys, values that stand in a table or an array of the first
  // level.
  explicit Validator(std::string_view bytes, bool has_keys = true) : bytes_(bytes) {
    open_[0] = {bytes_.size(), has_keys};
  }

  DecodeError run() {
    while (depth_ > 0) {
      if (at_ == innermost().end) {
        --depth_;
        continue;
      }
      const DecodeError error = step();
      if (error != DecodeError::none) return error;
    }
    return DecodeError::none;
  }

  // How many values there are, including nested ones, after a run without an error.
  std::size_t node_count() const { return node_count_; }

 private:
  struct Open {
    std::size_t end;
    bool has_keys;
  };

  const Open& innermost() const { return open_[depth_ - 1]; }
  std::string_view rest() const { return bytes_.substr(at_, innermost().end - at_); }

  // Handles one value: steps over it, or into it if it contains values.
  DecodeError step() {
    if (++node_count_ > table_node_count_max) return DecodeError::too_many;
    if (innermost().has_keys) {
      std::size_t key_size = 0;
      if (!measure_key(rest(), key_size)) return DecodeError::truncated;
      at_ += key_size;
    }
    std::size_t size = 0;
    const DecodeError error = measure_value(rest(), size);
    if (error != DecodeError::none) return error;
    const char tag = bytes_[at_];
    const std::size_t end = at_ + size;
    if (tag != 'F' && tag != 'A') {
      at_ = end;
      return DecodeError::none;
    }
    if (depth_ == open_.size()) return DecodeError::too_deep;
    open_[depth_++] = {end, tag == 'F'};
    at_ += 1 + length_size;
    return DecodeError::none;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t node_count_ = 0;
  std::size_t depth_ = 1;
  std::array<Open, table_depth_max> open_;
};

}  // namespace haypile::amqp::detail
