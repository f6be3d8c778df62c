// The bindings of a headers exchange, found by the headers of a message.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "engine/destination.hpp"
#include "engine/flat_index.hpp"
#include "engine/header_conditions.hpp"
#include "engine/headers_match.hpp"
#include "engine/text_hash.hpp"

namespace haypile::engine {

// Bindings that ask for the same conditions share a rule. A rule that wants all of them is filed
// under the one with the fewest rules so far, and one that wants any of them under each. Only rules
// filed under a condition that the message meets are looked at, so that a match costs those that
// can match, and the conditions of those that want all.
class HeadersIndex {
 public:
  using RuleId = std::uint32_t;

  // The conditions outlive the index.
  HeadersIndex(TextHash hash, HeaderConditions& conditions)
      : hash_(hash), conditions_(conditions) {}
  ~HeadersIndex();
  HeadersIndex(const HeadersIndex&) = delete;
  HeadersIndex& operator=(const HeadersIndex&) = delete;

  // Where those stand that ask for that; made if need be. It stays so until it is pruned.
  RuleId place(const HeadersMatch& match);
  // Valid until the next call of place() or prune(). Empty lists are to be pruned.
  Targets& targets(RuleId place) { return rules_[place].targets; }
  // Its list is empty now.
  void prune(RuleId place);

  // The lists of all rules that the message fulfils which the conditions have looked at, each once.
  // Valid until the next call of any other function.
  const std::vector<const Targets*>& match();
  // How many rules and conditions the match has looked at.
  std::uint64_t steps() const { return steps_; }

  std::size_t rule_count() const { return rules_.size() - free_rules_.size() - 1; }
  // What it takes in memory, without the lists and the conditions' texts.
  std::size_t memory_bytes() const;

 private:
  using ConditionId = HeaderConditions::Id;

  struct Rule {
    bool any = false;
    std::vector<ConditionId> conditions;  // sorted, each once
    // Where it is filed: under each of its conditions, or one of them.
    std::vector<std::uint32_t> places;
    std::uint32_t filed_under = 0;  // of one that wants all: which of its conditions
    std::uint64_t found_at = 0;     // the last match that found it
    Targets targets;
  };
  // A rule under one of its conditions, by that condition's place in the rule.
  struct Filed {
    RuleId rule;
    std::uint32_t condition;
  };
  using File = std::vector<Filed>;

  std::uint32_t hash_of(bool any, const std::vector<ConditionId>& conditions) const;
  RuleId new_rule();
  void file(RuleId id, std::uint32_t condition);
  void take_out(RuleId id, std::uint32_t condition);
  std::uint32_t rarest(const Rule& rule) const;
  void look_into(const File& file);
  void add_found(Rule& rule);
  static std::uint32_t place_index(const Rule& rule, std::uint32_t condition) {
    return rule.any ? condition : 0;
  }

  TextHash hash_;
  HeaderConditions& conditions_;
  std::vector<Rule> rules_ = std::vector<Rule>(1);  // the first one stands for none
  std::vector<RuleId> free_rules_;
  FlatIndex index_;  // of rules, by what they ask
  std::unordered_map<ConditionId, File> files_;
  RuleId always_ = 0;  // the rule that wants all of nothing
  std::size_t condition_count_ = 0;
  std::uint64_t match_ = 0;  // counts matches
  std::uint64_t steps_ = 0;
  std::vector<const Targets*> found_;
};

}  // namespace haypile::engine
