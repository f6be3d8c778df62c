#include "engine/headers_index.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace haypile::engine {

HeadersIndex::~HeadersIndex() {
  assert(rule_count() == 0);
}

std::uint32_t HeadersIndex::hash_of(bool any, const std::vector<ConditionId>& conditions) const {
  std::size_t hash = any ? 1 : 0;
  for (const ConditionId id : conditions)
    hash = hash_(hash, id);
  return static_cast<std::uint32_t>(hash);
}

// A rule keeps one use of each of its conditions. Where a condition is listed twice, or the rule
// exists already, the additional uses are released again.
HeadersIndex::RuleId HeadersIndex::place(const HeadersMatch& match) {
  std::vector<ConditionId> wanted;
  wanted.reserve(match.wanted.size());
  for (const TableField& field : match.wanted)
    wanted.push_back(conditions_.use(field.name, field.value));
  std::ranges::sort(wanted);
  const auto twice =
      std::unique(wanted.begin(), wanted.end(), [this](ConditionId a, ConditionId b) {
        if (a == b) conditions_.release(b);
        return a == b;
      });
  wanted.erase(twice, wanted.end());
  const std::uint32_t hash = hash_of(match.any, wanted);
  const RuleId known = index_.find(hash, [&](RuleId id) {
    return rules_[id].any == match.any && rules_[id].conditions == wanted;
  });
  if (known != 0) {
    for (const ConditionId id : wanted)
      conditions_.release(id);
    return known;
  }
  const RuleId id = new_rule();
  Rule& rule = rules_[id];
  rule.any = match.any;
  condition_count_ += wanted.size();
  rule.conditions = std::move(wanted);
  index_.insert(hash, id);
  if (rule.any) {
    rule.places.resize(rule.conditions.size());
    for (std::uint32_t i = 0; i < rule.conditions.size(); ++i)
      file(id, i);
  } else if (rule.conditions.empty()) {
    always_ = id;
  } else {
    rule.places.resize(1);
    rule.filed_under = rarest(rule);
    file(id, rule.filed_under);
  }
  return id;
}

HeadersIndex::RuleId HeadersIndex::new_rule() {
  if (free_rules_.empty()) {
    rules_.emplace_back();
    return static_cast<RuleId>(rules_.size() - 1);
  }
  const RuleId id = free_rules_.back();
  free_rules_.pop_back();
  return id;
}

std::uint32_t HeadersIndex::rarest(const Rule& rule) const {
  const auto size_under = [this](ConditionId id) {
    const auto found = files_.find(id);
    return found == files_.end() ? 0 : found->second.size();
  };
  const auto found = std::ranges::min_element(rule.conditions, {}, size_under);
  return static_cast<std::uint32_t>(found - rule.conditions.begin());
}

// Rule and file refer to each other, so that take_out() finds the entry without a search: the rule
// has its place in the file, the entry has the condition's place in the rule.
void HeadersIndex::file(RuleId id, std::uint32_t condition) {
  Rule& rule = rules_[id];
  File& file = files_[rule.conditions[condition]];
  rule.places[place_index(rule, condition)] = static_cast<std::uint32_t>(file.size());
  file.push_back({id, condition});
}

void HeadersIndex::take_out(RuleId id, std::uint32_t condition) {
  const Rule& rule = rules_[id];
  const auto found = files_.find(rule.conditions[condition]);
  File& file = found->second;
  const std::uint32_t place = rule.places[place_index(rule, condition)];
  Rule& last = rules_[file.back().rule];
  last.places[place_index(last, file.back().condition)] = place;
  file[place] = file.back();
  file.pop_back();
  if (file.empty()) files_.erase(found);
}

void HeadersIndex::prune(RuleId id) {
  Rule& rule = rules_[id];
  assert(rule.targets.empty());
  if (rule.any) {
    for (std::uint32_t i = 0; i < rule.conditions.size(); ++i)
      take_out(id, i);
  } else if (rule.conditions.empty()) {
    always_ = 0;
  } else {
    take_out(id, rule.filed_under);
  }
  index_.erase(hash_of(rule.any, rule.conditions), id);
  condition_count_ -= rule.conditions.size();
  for (const ConditionId condition : rule.conditions)
    conditions_.release(condition);
  rule = {};
  free_rules_.push_back(id);
  if (rule_count() > 0) return;
  rules_ = std::vector<Rule>(1);
  free_rules_ = {};
  files_ = {};
}

// The conditions that the message meets are known (HeaderConditions::look_at()). The match examines
// either them or all files, whichever are fewer.
const std::vector<const Targets*>& HeadersIndex::match() {
  ++match_;
  steps_ = 0;
  found_.clear();
  if (always_ != 0) add_found(rules_[always_]);
  const std::vector<ConditionId>& met = conditions_.met();
  steps_ += std::min(met.size(), files_.size());
  if (met.size() <= files_.size()) {
    for (const ConditionId id : met) {
      if (const auto file = files_.find(id); file != files_.end()) look_into(file->second);
    }
  } else {
    for (const auto& [id, file] : files_) {
      if (conditions_.is_met(id)) look_into(file);
    }
  }
  return found_;
}

// The file's condition is met.
void HeadersIndex::look_into(const File& file) {
  steps_ += file.size();
  for (const Filed& filed : file) {
    Rule& rule = rules_[filed.rule];
    if (rule.any) {
      add_found(rule);
      continue;
    }
    const auto missing = std::ranges::find_if_not(
        rule.conditions, [this](ConditionId id) { return conditions_.is_met(id); });
    steps_ += static_cast<std::uint64_t>(missing - rule.conditions.begin());
    if (missing == rule.conditions.end()) add_found(rule);
  }
}

void HeadersIndex::add_found(Rule& rule) {
  if (std::exchange(rule.found_at, match_) != match_) found_.push_back(&rule.targets);
}

std::size_t HeadersIndex::memory_bytes() const {
  // A node of the table of files, and the file in it.
  constexpr std::size_t file_bytes = sizeof(File) + 4 * sizeof(void*);
  return rules_.capacity() * sizeof(Rule) + free_rules_.capacity() * sizeof(RuleId) +
         index_.memory_bytes() + files_.size() * file_bytes +
         condition_count_ * (sizeof(ConditionId) + sizeof(std::uint32_t) + sizeof(Filed));
}

}  // namespace haypile::engine
