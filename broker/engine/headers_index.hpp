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

// Finds the lists of bindings that a message's headers fulfil. Bindings that ask for the same
// conditions share a rule. A rule that needs all of its conditions is filed under one of them, the
// one with the fewest rules at that time; a rule that needs any of them is filed under each. A
// match examines only the rules under conditions that the message meets; so it takes time for
// these, and for the conditions of those that need all.
class HeadersIndex {
 public:
  using RuleId = std::uint32_t;

  // The conditions must outlive the index.
  HeadersIndex(TextHash hash, HeaderConditions& conditions)
      : hash_(hash), conditions_(conditions) {}
  ~HeadersIndex();
  HeadersIndex(const HeadersIndex&) = delete;
  HeadersIndex& operator=(const HeadersIndex&) = delete;

  // The rule for what `match` asks; made if there is none yet. The id is valid until it is pruned.
  RuleId place(const HeadersMatch& match);
  // The list of a rule. Valid until the next call of place() or prune(). If the list becomes empty,
  // call prune().
  Targets& targets(RuleId place) { return rules_[place].targets; }
  // The list of that rule is empty now: removes the rule.
  void prune(RuleId place);

  // The lists of all rules that the message fulfils, each once; HeaderConditions::look_at() was
  // called with its headers. Valid until the next call of any other function.
  const std::vector<const Targets*>& match();
  // How many rules and conditions the last match has examined.
  std::uint64_t steps() const { return steps_; }

  std::size_t rule_count() const { return rules_.size() - free_rules_.size() - 1; }
  // Its memory in bytes, without the lists and the texts of the conditions.
  std::size_t memory_bytes() const;

 private:
  using ConditionId = HeaderConditions::Id;

  struct Rule {
    bool any = false;
    std::vector<ConditionId> conditions;  // sorted, each once
    // Where it is in the files: one place for each condition, or one for filed_under.
    std::vector<std::uint32_t> places;
    std::uint32_t filed_under = 0;  // which condition, if it needs all
    std::uint64_t found_at = 0;     // the last match that found it
    Targets targets;
  };
  // A rule in the file of a condition; `condition` is that condition's place in the rule.
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
  RuleId always_ = 0;  // the rule that needs all of no conditions
  std::size_t condition_count_ = 0;
  std::uint64_t match_ = 0;  // counts matches
  std::uint64_t steps_ = 0;
  std::vector<const Targets*> found_;
};

}  // namespace haypile::engine
