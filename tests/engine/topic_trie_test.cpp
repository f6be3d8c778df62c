#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine/exchange.hpp"
#include "engine/topic_trie.hpp"

using namespace haypile;

namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  if (text.empty()) return words;
  std::size_t start = 0;
  for (;;) {
    const std::size_t dot = text.find('.', start);
    words.push_back(text.substr(start, dot - start));
    if (dot == std::string::npos) return words;
    start = dot + 1;
  }
}

// Does the same as the trie, in the simplest way: matches[i][j] is for the first i words of the
// pattern and the first j words of the key.
bool matches(const std::string& pattern_text, const std::string& key_text) {
  const auto pattern = words_of(pattern_text);
  const auto key = words_of(key_text);
  std::vector<std::vector<bool>> matches(pattern.size() + 1,
                                         std::vector<bool>(key.size() + 1, false));
  matches[0][0] = true;
  for (std::size_t i = 1; i <= pattern.size(); ++i) {
    const std::string& word = pattern[i - 1];
    for (std::size_t j = 0; j <= key.size(); ++j) {
      if (word == "#") {
        matches[i][j] = matches[i - 1][j] || (j > 0 && matches[i][j - 1]);
      } else if (j > 0 && (word == "*" || word == key[j - 1])) {
        matches[i][j] = matches[i - 1][j - 1];
      }
    }
  }
  return matches[pattern.size()][key.size()];
}

// Patterns by name, with one binding each.
class Patterns {
 public:
  void add(const std::string& pattern) {
    engine::Binding& binding = bindings_[pattern];
    binding.definition.routing_key = pattern;
    places_[pattern] = trie.place(pattern);
    trie.targets(places_[pattern]).push_back({nullptr, &binding});
  }
  void remove(const std::string& pattern) {
    const engine::TopicTrie::NodeId place = places_.at(pattern);
    auto& list = trie.targets(place);
    std::erase_if(list, [&](const engine::Target& target) {
      return target.binding == &bindings_.at(pattern);
    });
    if (list.empty()) trie.prune(place);
    bindings_.erase(pattern);
    places_.erase(pattern);
  }
  bool contains(const std::string& pattern) const { return bindings_.contains(pattern); }
  std::size_t size() const { return bindings_.size(); }

  // The sorted result. A pattern that is found twice is in it twice.
  std::vector<std::string> found(const std::string& key) {
    trie.begin_match(false);
    steps = trie.match(key);
    return found_patterns();
  }
  std::vector<std::string> found_by_all(const std::vector<std::string>& keys) {
    trie.begin_match(true);
    for (const std::string& key : keys)
      trie.match(key);
    return found_patterns();
  }
  std::vector<std::string> found_patterns() const {
    std::vector<std::string> found;
    for (const auto* list : trie.found()) {
      CHECK_FALSE(list->empty());
      for (const engine::Target& target : *list)
        found.push_back(target.binding->definition.routing_key);
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<std::string> expected(const std::string& key) const {
    std::vector<std::string> expected;
    for (const auto& [pattern, binding] : bindings_) {
      if (matches(pattern, key)) expected.push_back(pattern);
    }
    return expected;
  }

  engine::TopicTrie trie;
  std::uint64_t steps = 0;  // the last match's

 private:
  std::map<std::string, engine::Binding> bindings_;
  std::map<std::string, engine::TopicTrie::NodeId> places_;
};

std::string random_name(std::mt19937& random, const std::vector<std::string>& words,
                        std::size_t count_max) {
  std::string name;
  for (std::size_t count = random() % (count_max + 1); count > 0; --count)
    name += words[random() % words.size()] + (count > 1 ? "." : "");
  return name;
}

using Names = std::vector<std::string>;

std::string repeat(const std::string& word, int count) {
  std::string text = word;
  for (int i = 1; i < count; ++i)
    text += "." + word;
  return text;
}

}  // namespace

TEST_CASE("what matches is what a plain matcher finds, whatever comes and goes") {
  const Names key_words{"a", "b", "c", "", "*", "#"};
  const Names pattern_words{"a", "b", "", "*", "*", "#", "#"};
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    Patterns patterns;
    const std::size_t count_max = 1 + seed * 4;
    for (int round = 0; round < 400; ++round) {
      const std::string pattern = random_name(random, pattern_words, 7);
      if (patterns.contains(pattern)) {
        patterns.remove(pattern);
      } else if (patterns.size() < count_max) {
        patterns.add(pattern);
      }
      const std::string key = random_name(random, key_words, 8);
      INFO("seed ", seed, ", key ", key);
      CHECK(patterns.found(key) == patterns.expected(key));
    }
  }
}

TEST_CASE("words: none in the empty name, empty ones between and behind dots") {
  Patterns patterns;
  for (const char* pattern : {"", "#", "*", "*.*", ".", "a..b", "a.*.b", "a.#.b", "a."})
    patterns.add(pattern);
  CHECK(patterns.found("") == Names{"", "#"});
  CHECK(patterns.found("a") == Names{"#", "*"});
  CHECK(patterns.found(".") == Names{"#", "*.*", "."});
  CHECK(patterns.found("a.") == Names{"#", "*.*", "a."});
  CHECK(patterns.found("a..b") == Names{"#", "a.#.b", "a.*.b", "a..b"});
}

TEST_CASE("patterns that mean the same share their nodes, and are told apart nevertheless") {
  Patterns patterns;
  for (const char* pattern : {"#.*.x", "*.#.x", "#.#.*.x", "#.*.#.x"})
    patterns.add(pattern);
  CHECK(patterns.trie.node_count() == 2);  // the root, and "*.#.x"
  CHECK(patterns.found("x").empty());
  CHECK(patterns.found("a.x").size() == 4);
  patterns.remove("#.*.x");
  CHECK(patterns.found("a.b.x") == Names{"#.#.*.x", "#.*.#.x", "*.#.x"});
}

TEST_CASE("what is left of a lonely pattern takes no nodes, until others go on from there") {
  Patterns patterns;
  patterns.add("a.b.*.d");
  CHECK(patterns.trie.node_count() == 2);
  CHECK(patterns.found("a.b.c.d") == Names{"a.b.*.d"});
  CHECK(patterns.found("a.b.c").empty());
  CHECK(patterns.found("a.b.c.d.e").empty());
  patterns.add("a.b");
  patterns.add("a.b.#.d");
  patterns.add("a.b.c.x");
  CHECK(patterns.found("a.b") == Names{"a.b"});
  CHECK(patterns.found("a.b.c.d") == Names{"a.b.#.d", "a.b.*.d"});
  CHECK(patterns.found("a.b.c.x") == Names{"a.b.c.x"});
  for (const char* pattern : {"a.b", "a.b.*.d", "a.b.#.d"})
    patterns.remove(pattern);
  CHECK(patterns.found("a.b.c.x") == Names{"a.b.c.x"});
  CHECK(patterns.trie.word_count() == 4);
}

TEST_CASE("nothing is left of patterns that are gone") {
  std::mt19937 random(1);
  Patterns patterns;
  Names added;
  for (int i = 0; i < 2000; ++i) {
    const std::string pattern =
        random_name(random, {"a", "b", "*", "#", "n" + std::to_string(i)}, 8);
    if (patterns.contains(pattern)) continue;
    patterns.add(pattern);
    added.push_back(pattern);
  }
  CHECK(patterns.trie.word_count() > 1000);
  std::shuffle(added.begin(), added.end(), random);
  for (const std::string& pattern : added)
    patterns.remove(pattern);
  CHECK(patterns.trie.node_count() == 1);
  CHECK(patterns.trie.word_count() == 0);
  CHECK(patterns.found("a.b").empty());
}

TEST_CASE("several keys: what any of them finds, each once") {
  const Names key_words{"a", "b", ""};
  const Names pattern_words{"a", "b", "", "*", "#"};
  std::mt19937 random(1);
  Patterns patterns;
  for (int i = 0; i < 60; ++i) {
    const std::string pattern = random_name(random, pattern_words, 6);
    if (!patterns.contains(pattern)) patterns.add(pattern);
  }
  for (int round = 0; round < 200; ++round) {
    Names keys;
    Names expected;
    for (std::size_t i = random() % 5; i > 0; --i) {
      keys.push_back(random_name(random, key_words, 6));
      for (const std::string& pattern : patterns.expected(keys.back()))
        expected.push_back(pattern);
    }
    std::sort(expected.begin(), expected.end());
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    CHECK(patterns.found_by_all(keys) == expected);
  }
}

TEST_CASE("long keys and patterns: 64 words, 128, and nothing but dots") {
  Patterns patterns;
  const Names lengths{repeat("*", 62),  repeat("*", 63),  repeat("*", 64),      repeat("*", 65),
                      repeat("*", 127), repeat("*", 128), std::string(255, '.')};
  for (const std::string& pattern : lengths)
    patterns.add(pattern);
  const Names others{
      "#.b",     "#.b.#",           "#.b.*.#.b", "*.#.a.b", repeat("*", 63) + ".#",
      "#.a.#.b", repeat("#.a", 63), "..#..",     "#..#.b",  "#..." + std::string(60, '.')};
  for (const std::string& pattern : others)
    patterns.add(pattern);
  Names keys = lengths;
  for (const int count : {62, 63, 64, 65, 126, 127}) {
    keys.push_back(repeat("a", count));
    keys.push_back(repeat("a", count) + ".b");
    keys.push_back("b." + repeat("a", count - 1) + ".b");
  }
  for (int dots = 60; dots <= 254; ++dots)
    keys.push_back(std::string(static_cast<std::size_t>(dots), '.') + "b");
  for (const std::string& key : keys) {
    INFO(key);
    CHECK(patterns.found(key) == patterns.expected(key));
  }
  CHECK(patterns.found(std::string(256, '.')).empty());  // no key is as long
}

TEST_CASE("a place stays, whatever other patterns come and go") {
  engine::TopicTrie trie;
  engine::Binding binding;
  const auto place = trie.place("a.b.c.d.e");
  trie.targets(place).push_back({nullptr, &binding});
  std::vector<engine::TopicTrie::NodeId> others;
  for (const char* pattern : {"a", "a.b", "a.b.x", "a.b.c.*", "a.#", "a.b.c.d.e.f", ""}) {
    others.push_back(trie.place(pattern));
    trie.targets(others.back()).push_back({nullptr, &binding});
  }
  CHECK(trie.place("a.b.c.d.e") == place);
  for (const auto other : others) {
    trie.targets(other).clear();
    trie.prune(other);
  }
  CHECK(trie.place("a.b.c.d.e") == place);
  CHECK(trie.node_count() == 2);
}

// Each of these would take longer than the age of the universe if the ways through a pattern were
// tried one by one.
TEST_CASE("patterns made to be slow are not") {
  Patterns patterns;
  patterns.add(repeat("#.a", 60) + ".b");
  patterns.add(repeat("#.*", 60) + ".b");
  patterns.add(repeat("#", 120) + ".b");
  patterns.add(repeat("*.#.a", 40));
  CHECK(patterns.found(repeat("a", 120)) == Names{repeat("*.#.a", 40)});
  CHECK(patterns.found(repeat("a", 120) + ".b").size() == 3);
  CHECK(patterns.steps < 1000);
}

namespace {

// Adds all patterns of `count` words from `words`, followed by `rest`.
void add_all(Patterns& patterns, const Names& words, int count, const std::string& rest,
             const std::string& before = {}) {
  if (count == 0) return patterns.add(before + rest);
  for (const std::string& word : words)
    add_all(patterns, words, count - 1, rest, before + word + ".");
}

}  // namespace

// The test counts the visited nodes, so that it does not depend on the machine.
TEST_CASE("a match looks at no node twice, whatever the patterns and the words of the key") {
  const Names rests{"#.z", "#.z.#", "#.y.#.z", "*.#.z.*.z", "#.{y}.#.z.#.y"};
  const Names keys{repeat("a", 10) + ".z", repeat("a", 10) + "." + repeat("z", 100),
                   repeat("a", 120), repeat("a", 60) + "." + repeat("y.z", 30),
                   repeat("a", 30) + "." + repeat("y", 60) + ".x"};
  for (const std::string& rest : rests) {
    Patterns patterns;
    add_all(patterns, {"*", "a"}, 10, rest);
    for (const std::string& key : keys) {
      INFO(rest, " and ", key);
      CHECK(patterns.found(key) == patterns.expected(key));
      CHECK(patterns.steps < 2 * patterns.trie.node_count() + key.size());
    }
  }
}

TEST_CASE("what lies behind a # is looked for by the words of the key, or by the patterns'") {
  Patterns patterns;
  for (int i = 0; i < 10'000; ++i)
    patterns.add("#.w" + std::to_string(i) + ".x.#");
  CHECK(patterns.found("a.w7.x.b") == Names{"#.w7.x.#"});
  CHECK(patterns.steps < 100);
  Patterns few;
  add_all(few, {"*", "a"}, 10, "#.x.#");
  std::string key = repeat("a", 10);
  for (int i = 0; i < 60; ++i) {
    key += "." + std::string(1, static_cast<char>('0' + i));
    few.add(std::string(1, static_cast<char>('0' + i)));  // all are words of some pattern
  }
  CHECK(few.found(key).empty());
  CHECK(few.steps < 2 * few.trie.node_count() + key.size());
}

TEST_CASE("patterns take two nodes at most, and what they weigh is what a match can cost") {
  std::mt19937 random(7);
  Patterns patterns;
  std::size_t weight = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string pattern = random_name(random, {"a", "b", "*", "*", "#"}, 40) + ".*";
    if (patterns.contains(pattern)) continue;
    patterns.add(pattern);
    weight += engine::TopicTrie::weight(pattern);
  }
  CHECK(patterns.trie.node_count() <= 1 + 2 * patterns.size());
  for (int i = 0; i < 100; ++i) {
    const std::string key = random_name(random, {"a", "b"}, 100);
    patterns.found(key);
    CHECK(patterns.steps <= 2 * weight + key.size() + 2);
  }
  CHECK(engine::TopicTrie::weight("a.b.c") == 0);
}
