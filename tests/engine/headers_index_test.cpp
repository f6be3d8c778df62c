#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/exchange.hpp"
#include "engine/headers_index.hpp"

using namespace haypile;
using engine::HeadersMatch;
using engine::TableField;

namespace {

// Names and values. An empty value matches every value.
using Fields = std::vector<std::pair<std::string, std::string>>;

struct Asked {
  bool any = false;
  Fields wanted;
  bool operator<(const Asked& other) const {
    return std::tie(any, wanted) < std::tie(other.any, other.wanted);
  }
};

std::vector<TableField> table(const Fields& fields) {
  std::vector<TableField> table;
  table.reserve(fields.size());
  for (const auto& [name, value] : fields)
    table.push_back({name, value});
  return table;
}

// Does the same as the index, in the simplest way.
bool matches(const Asked& asked, const Fields& headers) {
  const auto has = [&](const auto& wanted) {
    return std::ranges::any_of(headers, [&](const auto& header) {
      return header.first == wanted.first &&
             (wanted.second.empty() || header.second == wanted.second);
    });
  };
  return asked.any ? std::ranges::any_of(asked.wanted, has)
                   : std::ranges::all_of(asked.wanted, has);
}

// What bindings ask for: one binding for each rule.
class Rules {
 public:
  void add(const Asked& asked) {
    Held& held = held_[asked];
    held.place = index.place({asked.any, table(asked.wanted)});
    index.targets(held.place).push_back({nullptr, &held.binding});
    asked_[&held.binding] = &held_.find(asked)->first;
  }
  void remove(const Asked& asked) {
    Held& held = held_.at(asked);
    auto& list = index.targets(held.place);
    std::erase_if(list, [&](const auto& target) { return target.binding == &held.binding; });
    if (list.empty()) index.prune(held.place);
    asked_.erase(&held.binding);
    held_.erase(asked);
  }
  ~Rules() {
    while (!held_.empty())
      remove(Asked(held_.begin()->first));
  }
  bool contains(const Asked& asked) const { return held_.contains(asked); }

  std::vector<Asked> found(const Fields& headers) {
    conditions.look_at(table(headers));
    std::vector<Asked> found;
    for (const auto* targets : index.match()) {
      for (const auto& target : *targets)
        found.push_back(*asked_.at(target.binding));
    }
    std::ranges::sort(found, std::less<>());
    return found;
  }
  std::vector<Asked> expected(const Fields& headers) const {
    std::vector<Asked> expected;
    for (const auto& [asked, held] : held_) {
      if (matches(asked, headers)) expected.push_back(asked);
    }
    return expected;
  }

  engine::HeaderConditions conditions{engine::TextHash(1)};
  engine::HeadersIndex index{engine::TextHash(1), conditions};

 private:
  struct Held {
    engine::Binding binding;
    engine::HeadersIndex::RuleId place = 0;
  };
  std::map<Asked, Held> held_;
  std::map<const engine::Binding*, const Asked*> asked_;
};

bool same(const std::vector<Asked>& a, const std::vector<Asked>& b) {
  return std::ranges::equal(a, b,
                            [](const Asked& x, const Asked& y) { return !(x < y) && !(y < x); });
}

Fields random_fields(std::mt19937& random, std::size_t count_max) {
  Fields fields;
  for (std::size_t count = random() % (count_max + 1); count > 0; --count) {
    const std::string name(1, static_cast<char>('a' + random() % 5));
    const std::size_t value = random() % 4;
    fields.emplace_back(name, value == 0 ? "" : "i" + std::to_string(value));
  }
  return fields;
}

}  // namespace

TEST_CASE("rules found are those a plain matcher finds, whatever comes and goes") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    Rules rules;
    for (int round = 0; round < 300; ++round) {
      const Asked asked{random() % 2 == 0, random_fields(random, 4)};
      if (rules.contains(asked)) {
        rules.remove(asked);
      } else {
        rules.add(asked);
      }
      const Fields headers = random_fields(random, 6);
      INFO("seed ", seed, ", round ", round);
      CHECK(same(rules.found(headers), rules.expected(headers)));
    }
  }
}

TEST_CASE("all of nothing always matches, any of nothing never") {
  Rules rules;
  rules.add({false, {}});
  rules.add({true, {}});
  CHECK(rules.found({}).size() == 1);
  CHECK_FALSE(rules.found({{"a", "i1"}}).front().any);
}

TEST_CASE("nothing is left of rules that are gone") {
  Rules rules;
  std::vector<Asked> added;
  std::mt19937 random(3);
  for (int i = 0; i < 1000; ++i) {
    const Asked asked{i % 2 == 0, random_fields(random, 6)};
    if (rules.contains(asked)) continue;
    rules.add(asked);
    added.push_back(asked);
  }
  std::ranges::shuffle(added, random);
  for (const Asked& asked : added)
    rules.remove(asked);
  CHECK(rules.index.rule_count() == 0);
  CHECK(rules.conditions.size() == 0);
}

TEST_CASE("those that ask for the same share a rule, in any order and twice") {
  Rules rules;
  rules.add({false, {{"a", "i1"}, {"b", "i2"}}});
  rules.add({false, {{"b", "i2"}, {"a", "i1"}}});
  rules.add({false, {{"a", "i1"}, {"b", "i2"}, {"a", "i1"}}});
  CHECK(rules.index.rule_count() == 1);
  CHECK(rules.found({{"b", "i2"}, {"a", "i1"}}).size() == 3);
}

// A step is one rule or condition that is checked.
TEST_CASE("a match costs those that can match") {
  Rules rules;
  for (int i = 0; i < 10'000; ++i) {
    const std::string value = "i" + std::to_string(i);
    rules.add({false, {{"type", "spdf"}, {"id", value}}});
    rules.add({true, {{"colour", value}, {"shape", value}}});
  }
  CHECK(rules.found({{"type", "spdf"}, {"id", "i7"}}).size() == 1);
  CHECK(rules.index.steps() < 20);
  CHECK(rules.found({{"type", "spdf"}, {"id", "absent"}}).empty());
  CHECK(rules.index.steps() < 20);
  CHECK(rules.found({{"colour", "i7"}, {"shape", "i7"}, {"shape", "i8"}}).size() == 2);
  CHECK(rules.index.steps() < 20);
}

TEST_CASE("a message of many headers costs an index of few conditions no more than these") {
  Rules many;
  Fields headers;
  for (int i = 0; i < 10'000; ++i) {
    headers.emplace_back("h" + std::to_string(i), "i1");
    many.add({false, {headers.back()}});
  }
  CHECK(many.found(headers).size() == 10'000);
  // The few rules belong to another exchange of the same vhost.
  engine::HeadersIndex few(engine::TextHash(1), many.conditions);
  const auto place = few.place({false, table({{"h7", "i1"}})});
  engine::Binding binding;
  few.targets(place).push_back({nullptr, &binding});
  many.conditions.look_at(table(headers));
  CHECK(few.match().size() == 1);
  CHECK(few.steps() < 5);
  few.targets(place).clear();
  few.prune(place);
}
