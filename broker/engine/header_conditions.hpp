// What the headers of a message are asked for, by any binding of a vhost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/flat_index.hpp"
#include "engine/table_reader.hpp"
#include "engine/text_hash.hpp"

namespace haypile::engine {

// A condition is a header's name and value; an empty value asks only that the header is there. Each
// is kept once and has a number, whoever asks for it. The headers of a message are compared with
// all of them at once: that takes a look or two a header, however many conditions and exchanges
// there are.
class HeaderConditions {
 public:
  using Id = std::uint32_t;

  explicit HeaderConditions(TextHash hash) : hash_(hash) {}

  // Adds a use of the condition.
  Id use(std::string_view name, std::string_view value);
  void release(Id id);

  // Sees which conditions are met; until the next call, or one of use().
  void look_at(const std::vector<TableField>& headers);
  bool is_met(Id id) const { return conditions_[id].met_at == now_; }
  // Those that are met, each once.
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
  std::vector<Condition> conditions_ = std::vector<Condition>(1);  // the first stands for none
  std::vector<Id> free_;
  FlatIndex index_;
  std::size_t text_bytes_ = 0;
  std::uint64_t now_ = 1;  // counts messages
  std::vector<Id> met_;
};

}  // namespace haypile::engine
