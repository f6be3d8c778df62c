// The headers that bindings of a virtual host ask for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/flat_index.hpp"
#include "engine/table_reader.hpp"
#include "engine/text_hash.hpp"

namespace haypile::engine {

// Compares the headers of a message with the conditions of all bindings at once. A condition is a
// header's name and value; an empty value only asks that the header exists. Each condition is kept
// once and has a number. A message takes one or two look-ups for each header, however many
// conditions and exchanges there are.
class HeaderConditions {
 public:
  using Id = std::uint32_t;

  explicit HeaderConditions(TextHash hash) : hash_(hash) {}

  // Returns the number of the condition and counts a use of it.
  Id use(std::string_view name, std::string_view value);
  void release(Id id);

  // Finds out which conditions these headers meet. The result is valid until the next call of this
  // function or of use().
  void look_at(const std::vector<TableField>& headers);
  bool is_met(Id id) const { return conditions_[id].met_at == now_; }
  // The conditions that are met, each once.
  const std::vector<Id>& met() const { return met_; }

  std::size_t size() const { return index_.size(); }
  std::size_t memory_bytes() const {
    return conditions_.capacity() * sizeof(Condition) + text_bytes_ + index_.memory_bytes() +
           free_.capacity() * sizeof(Id);
  }

 private:
  struct Condition {
    std::string text;  // name and value
    std::uint32_t name_size = 0;
    std::uint32_t use_count = 0;
    std::uint64_t met_at = 0;
  };

  std::uint32_t hash_of(std::string_view name, std::string_view value) const {
    return static_cast<std::uint32_t>(hash_(hash_(name), hash_(value)));
  }
  Id find(std::uint32_t hash, std::string_view name, std::string_view value) const;
  void note(std::string_view name, std::string_view value);

  TextHash hash_;
  std::vector<Condition> conditions_ = std::vector<Condition>(1);  // the first one stands for none
  std::vector<Id> free_;
  FlatIndex index_;
  std::size_t text_bytes_ = 0;
  std::uint64_t now_ = 1;  // counts messages
  std::vector<Id> met_;
};

}  // namespace haypile::engine
