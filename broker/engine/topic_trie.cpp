#include "engine/topic_trie.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace haypile::engine {

namespace {

template <class Visit>
void each_word(std::string_view text, Visit visit) {
  if (text.empty()) return;
  for (;;) {
    const std::size_t dot = text.find('.');
    visit(text.substr(0, dot));
    if (dot == std::string_view::npos) return;
    text.remove_prefix(dot + 1);
  }
}

std::uint32_t text_hash(std::string_view text) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(text));
}

}  // namespace

// In a run of `*` and `#` their order does not matter, nor how many `#` there are: the one `#`
// goes to the end. So a node behind a `#` has children behind literal words only.
std::vector<std::string_view> TopicTrie::canonical(std::string_view pattern) {
  std::vector<std::string_view> words;
  bool hash_due = false;
  each_word(pattern, [&](std::string_view word) {
    if (word == "#") {
      hash_due = true;
      return;
    }
    if (hash_due && word != "*") {
      words.push_back("#");
      hash_due = false;
    }
    words.push_back(word);
  });
  if (hash_due) words.push_back("#");
  return words;
}

std::uint32_t TopicTrie::edge_hash(NodeId parent, WordId word) {
  std::uint64_t mixed = (std::uint64_t{parent} << 32 | word) * 0x9E37'79B9'7F4A'7C15;
  mixed ^= mixed >> 32;
  return static_cast<std::uint32_t>((mixed * 0xD6E8'FEB8'6659'FD93) >> 32);
}

TopicTrie::Targets& TopicTrie::list(std::string_view pattern) {
  const std::vector<std::string_view> words = canonical(pattern);
  Words rest(words);
  NodeId node = root;
  for (;;) {
    if (nodes_[node].tail_size > 0) {
      if (has_tail(nodes_[node], rest)) return nodes_[node].targets;
      split(node);
    }
    if (rest.empty()) return nodes_[node].targets;
    const NodeId next = child(node, find_word(rest.front()));
    if (next == root) return nodes_[add_path(node, rest)].targets;
    node = next;
    rest = rest.subspan(1);
  }
}

void TopicTrie::prune(std::string_view pattern) {
  NodeId node = root;
  for (const std::string_view word : canonical(pattern)) {
    if (nodes_[node].tail_size > 0) break;
    node = child(node, find_word(word));
  }
  nodes_[node].targets = {};
  while (node != root && nodes_[node].child_count == 0 && nodes_[node].targets.empty()) {
    const NodeId parent = nodes_[node].parent;
    remove_leaf(node);
    node = parent;
  }
}

TopicTrie::NodeId TopicTrie::child(NodeId parent, WordId word) const {
  if (word == star) return nodes_[parent].star;
  if (word == hash) return nodes_[parent].hash;
  return word == unknown ? root : literal_child(parent, word);
}

TopicTrie::NodeId TopicTrie::literal_child(NodeId parent, WordId word) const {
  return edges_.find(edge_hash(parent, word), [&](NodeId id) {
    return nodes_[id].parent == parent && nodes_[id].word == word;
  });
}

// Takes over one use of the word.
TopicTrie::NodeId TopicTrie::add_child(NodeId parent, WordId word) {
  NodeId id;
  if (free_nodes_.empty()) {
    id = static_cast<NodeId>(nodes_.size());
    nodes_.emplace_back();
  } else {
    id = free_nodes_.back();
    free_nodes_.pop_back();
  }
  nodes_[id].parent = parent;
  nodes_[id].word = word;
  ++nodes_[parent].child_count;
  if (word == star) {
    nodes_[parent].star = id;
  } else if (word == hash) {
    nodes_[parent].hash = id;
  } else {
    edges_.insert(edge_hash(parent, word), id);
  }
  return id;
}

// `words`: at least one, the first of them no child of `node` yet.
TopicTrie::NodeId TopicTrie::add_path(NodeId node, Words words) {
  for (;;) {
    const WordId word = use_word(words.front());
    node = add_child(node, word);
    words = words.subspan(1);
    if (words.empty()) return node;
    if (word != hash && std::find(words.begin(), words.end(), "#") == words.end()) break;
  }
  auto tail = std::make_unique<WordId[]>(words.size());
  std::transform(words.begin(), words.end(), tail.get(),
                 [this](std::string_view word) { return use_word(word); });
  nodes_[node].tail = std::move(tail);
  nodes_[node].tail_size = static_cast<std::uint32_t>(words.size());
  return node;
}

bool TopicTrie::has_tail(const Node& node, Words words) const {
  return std::equal(words.begin(), words.end(), node.tail.get(), node.tail.get() + node.tail_size,
                    [this](std::string_view text, WordId word) { return find_word(text) == word; });
}

// Another pattern goes on from here: the first word of the tail becomes an edge.
void TopicTrie::split(NodeId id) {
  const std::unique_ptr<WordId[]> tail = std::move(nodes_[id].tail);
  const std::uint32_t rest_size = std::exchange(nodes_[id].tail_size, 0) - 1;
  Node& leaf = nodes_[add_child(id, tail[0])];
  leaf.targets.swap(nodes_[id].targets);
  if (rest_size == 0) return;
  leaf.tail = std::make_unique<WordId[]>(rest_size);
  leaf.tail_size = rest_size;
  std::copy_n(tail.get() + 1, rest_size, leaf.tail.get());
}

void TopicTrie::remove_leaf(NodeId id) {
  Node& node = nodes_[id];
  Node& parent = nodes_[node.parent];
  --parent.child_count;
  if (node.word == star) {
    parent.star = root;
  } else if (node.word == hash) {
    parent.hash = root;
  } else {
    edges_.erase(edge_hash(node.parent, node.word), id);
    release_word(node.word);
  }
  for (std::uint32_t i = 0; i < node.tail_size; ++i)
    release_word(node.tail[i]);
  node = {};
  free_nodes_.push_back(id);
}

// `unknown` if no pattern has it.
TopicTrie::WordId TopicTrie::find_word(std::string_view text) const {
  if (text == "*") return star;
  if (text == "#") return hash;
  return word_index_.find(text_hash(text), [&](WordId id) { return words_[id].text == text; });
}

TopicTrie::WordId TopicTrie::use_word(std::string_view text) {
  WordId id = find_word(text);
  if (id == unknown) {
    if (free_words_.empty()) {
      id = static_cast<WordId>(words_.size());
      words_.emplace_back();
    } else {
      id = free_words_.back();
      free_words_.pop_back();
    }
    words_[id].text = text;
    word_index_.insert(text_hash(text), id);
  }
  ++words_[id].use_count;
  return id;
}

void TopicTrie::release_word(WordId id) {
  if (--words_[id].use_count > 0 || id == star || id == hash) return;
  word_index_.erase(text_hash(words_[id].text), id);
  words_[id] = {};
  free_words_.push_back(id);
}

const std::vector<const TopicTrie::Targets*>& TopicTrie::match(std::string_view routing_key) {
  ++mark_;
  key_.clear();
  next_.clear();
  floating_.clear();
  found_.clear();
  each_word(routing_key, [this](std::string_view word) { key_.push_back(find_word(word)); });
  position_ = 0;
  enter(root);
  while (position_ < key_.size() && !(next_.empty() && floating_.empty())) {
    reached_.swap(next_);
    next_.clear();
    step(key_[position_++]);
  }
  return found_;
}

// A node that is not behind a `#` is reached from its parent alone, and so once a word.
void TopicTrie::step(WordId word) {
  const bool is_literal = word >= first_literal;
  const std::size_t floating_count = floating_.size();
  for (const NodeId id : reached_) {
    if (const NodeId behind_star = nodes_[id].star; behind_star != root) enter(behind_star);
    if (!is_literal) continue;
    if (const NodeId next = literal_child(id, word); next != root) enter(next);
  }
  // Those that this word has added stand before the next one.
  for (std::size_t i = 0; is_literal && i < floating_count; ++i) {
    if (const NodeId next = literal_child(floating_[i], word); next != root) enter(next);
  }
}

// A `#` takes no word as well as any: what is behind it is reached with its parent and for good.
void TopicTrie::enter(NodeId id) {
  const Node& node = nodes_[id];
  if (node.tail_size > 0) {
    if (tail_matches(node)) found_.push_back(&node.targets);
    return;
  }
  const bool at_end = position_ == key_.size();
  if (at_end && !node.targets.empty()) found_.push_back(&node.targets);
  if (node.child_count == 0) return;
  if (!at_end) next_.push_back(id);
  if (node.hash == root) return;
  Node& behind_hash = nodes_[node.hash];
  if (behind_hash.mark == mark_) return;
  behind_hash.mark = mark_;
  if (!behind_hash.targets.empty()) found_.push_back(&behind_hash.targets);
  if (behind_hash.child_count > 0) floating_.push_back(node.hash);
}

bool TopicTrie::tail_matches(const Node& node) const {
  const WordId* word = key_.data() + position_;
  return std::equal(node.tail.get(), node.tail.get() + node.tail_size, word,
                    key_.data() + key_.size(),
                    [](WordId wanted, WordId given) { return wanted == star || wanted == given; });
}

}  // namespace haypile::engine
