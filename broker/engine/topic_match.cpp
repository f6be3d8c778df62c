#include "engine/topic_match.hpp"

namespace haypile::engine {

namespace {

// Walks over the words of a dotted name. An empty name has no words.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text), done_(text.empty()) {}
  bool done() const { return done_; }
  std::string_view front() const { return rest_.substr(0, rest_.find('.')); }
  void pop() {
    const auto dot = rest_.find('.');
    done_ = dot == std::string_view::npos;
    rest_ = done_ ? std::string_view{} : rest_.substr(dot + 1);
  }

 private:
  std::string_view rest_;
  bool done_;
};

}  // namespace

// Only the last `#` ever needs to take back words, so the work is bounded by words times words.
bool topic_matches(std::string_view pattern_text, std::string_view routing_key) {
  Words pattern(pattern_text);
  Words key(routing_key);
  Words pattern_after_hash({});
  Words key_after_hash({});
  bool has_hash = false;
  while (!key.done()) {
    if (!pattern.done() && pattern.front() == "#") {
      pattern.pop();
      pattern_after_hash = pattern;
      key_after_hash = key;
      has_hash = true;
    } else if (!pattern.done() && (pattern.front() == "*" || pattern.front() == key.front())) {
      pattern.pop();
      key.pop();
    } else if (has_hash) {
      key_after_hash.pop();
      key = key_after_hash;
      pattern = pattern_after_hash;
    } else {
      return false;
    }
  }
  while (!pattern.done() && pattern.front() == "#")
    pattern.pop();
  return pattern.done();
}

}  // namespace haypile::engine
