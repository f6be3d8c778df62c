#include "engine/header_conditions.hpp"

namespace haypile::engine {

HeaderConditions::Id HeaderConditions::find(std::uint32_t hash, std::string_view name,
                                            std::string_view value) const {
  return index_.find(hash, [&](Id id) {
    const Condition& condition = conditions_[id];
    const std::string_view text = condition.text;
    return condition.name_size == name.size() && text.substr(0, name.size()) == name &&
           text.substr(name.size()) == value;
  });
}

HeaderConditions::Id HeaderConditions::use(std::string_view name, std::string_view value) {
  const std::uint32_t hash = hash_of(name, value);
  Id id = find(hash, name, value);
  if (id == 0) {
    if (free_.empty()) {
      id = static_cast<Id>(conditions_.size());
      conditions_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    Condition& condition = conditions_[id];
    condition.text.reserve(name.size() + value.size());
    condition.text.append(name).append(value);
    condition.name_size = static_cast<std::uint32_t>(name.size());
    text_bytes_ += condition.text.size();
    index_.insert(hash, id);
  }
  ++conditions_[id].use_count;
  return id;
}

void HeaderConditions::release(Id id) {
  Condition& condition = conditions_[id];
  if (--condition.use_count > 0) return;
  const std::string_view text = condition.text;
  index_.erase(hash_of(text.substr(0, condition.name_size), text.substr(condition.name_size)), id);
  text_bytes_ -= text.size();
  condition = {};
  free_.push_back(id);
  if (index_.size() > 0) return;
  conditions_ = std::vector<Condition>(1);
  free_ = {};
}

void HeaderConditions::look_at(const std::vector<TableField>& headers) {
  ++now_;
  met_.clear();
  for (const TableField& header : headers) {
    note(header.name, {});
    if (!header.value.empty()) note(header.name, header.value);
  }
}

void HeaderConditions::note(std::string_view name, std::string_view value) {
  const Id id = find(hash_of(name, value), name, value);
  if (id == 0 || conditions_[id].met_at == now_) return;
  conditions_[id].met_at = now_;
  met_.push_back(id);
}

}  // namespace haypile::engine
