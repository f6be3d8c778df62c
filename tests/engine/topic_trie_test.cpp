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

// Says the same in the plainest way: matches[i][j], the first i words of the pattern and the first
// j words of the key.
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

// Patterns by name, one binding each.
class Patterns {
 public:
  void add(const std::string& pattern) {
    engine::Binding& binding = bindings_[pattern];
    binding.definition.routing_key = pattern;
    trie.list(pattern).push_back({nullptr, &binding});
  }
  void remove(const std::string& pattern) {
    auto& list = trie.list(pattern);
    std::erase_if(list, [&](const engine::Target& target) {
      return target.binding == &bindings_.at(pattern);
    });
    if (list.empty()) trie.prune(pattern);
    bindings_.erase(pattern);
  }
  bool contains(const std::string& pattern) const { return bindings_.contains(pattern); }
  std::size_t size() const { return bindings_.size(); }

  // Sorted; a pattern that is found twice is there twice.
  std::vector<std::string> found(const std::string& key) {
    std::vector<std::string> found;
    for (const auto* list : trie.match(key)) {
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

 private:
  std::map<std::string, engine::Binding> bindings_;
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
  CHECK(patterns.trie.node_count() == 4);  // the root, `*`, `#`, x
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

// Each would take longer than the universe if ways through a pattern were tried one by one.
TEST_CASE("patterns made to be slow are not") {
  Patterns patterns;
  patterns.add(repeat("#.a", 60) + ".b");
  patterns.add(repeat("#.*", 60) + ".b");
  patterns.add(repeat("#", 120) + ".b");
  patterns.add(repeat("*.#.a", 40));
  CHECK(patterns.found(repeat("a", 20'000)) == Names{repeat("*.#.a", 40)});
  CHECK(patterns.found(repeat("a", 20'000) + ".b").size() == 3);
}
