#include "engine/topic_trie.hpp"

#include <algorithm>
#include <cassert>
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

}  // namespace

// In a run of `*` and `#` neither their order matters nor how many `#` there are. One `#` goes to
// the end of the run.
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

std::size_t TopicTrie::weight(std::string_view pattern) {
  constexpr std::size_t label_words_per_node = 16;
  bool has_wildcards = false;
  std::size_t word_count = 0;
  each_word(pattern, [&](std::string_view word) {
    has_wildcards = has_wildcards || word == "*" || word == "#";
    ++word_count;
  });
  return has_wildcards ? 2 + word_count / label_words_per_node : 0;
}

std::uint32_t TopicTrie::edge_hash(NodeId parent, WordId word) const {
  return static_cast<std::uint32_t>(hash_(parent, word));
}

std::uint32_t TopicTrie::text_hash(std::string_view text) const {
  return static_cast<std::uint32_t>(hash_(text));
}

TopicTrie::NodeId TopicTrie::place(std::string_view pattern) {
  assert(pattern.size() <= topic_key_size_max);
  const std::vector<std::string_view> words = canonical(pattern);
  Words rest(words);
  NodeId node = root;
  while (!rest.empty()) {
    NodeId next = child(node, find_word(rest.front()));
    if (next == root) return add_leaf(node, rest);
    rest = rest.subspan(1);
    const std::span<const WordId> label = label_of(nodes_[next]);
    std::size_t shared = 0;
    while (shared < label.size() && shared < rest.size() &&
           label[shared] == find_word(rest[shared]))
      ++shared;
    if (shared < label.size()) next = split(next, shared);
    rest = rest.subspan(shared);
    node = next;
  }
  return node;
}

void TopicTrie::prune(NodeId id) {
  assert(nodes_[id].targets.empty());
  nodes_[id].targets = {};
  while (id != root && nodes_[id].targets.empty() && is_leaf(nodes_[id])) {
    const NodeId parent = nodes_[id].parent;
    remove_leaf(id);
    id = parent;
  }
  if (id != root && nodes_[id].targets.empty()) merge(id);
  if (node_count() > 1) return;
  // Only the root is left, so memory is given back.
  std::vector<Node> nodes(1);
  nodes[root].targets = std::move(nodes_[root].targets);
  nodes_ = std::move(nodes);
  words_ = std::vector<Word>(first_literal);
  free_nodes_ = {};
  free_words_ = {};
  word_slots_ = {};
  marks_ = {};
}

TopicTrie::NodeId TopicTrie::child(NodeId parent, WordId word) const {
  if (word == star) return nodes_[parent].star;
  if (word == hash) return nodes_[parent].hash;
  return word == unknown ? root : literal_child(parent, word);
}

TopicTrie::NodeId TopicTrie::literal_child(NodeId parent, WordId word) const {
  const NodeId first = nodes_[parent].first_child;
  if (nodes_[parent].has_one_child) return nodes_[first].word == word ? first : root;
  if (first == root) return root;
  return edges_.find(edge_hash(parent, word), [&](NodeId id) {
    return nodes_[id].parent == parent && nodes_[id].word == word;
  });
}

TopicTrie::NodeId TopicTrie::new_node() {
  if (free_nodes_.empty()) {
    nodes_.emplace_back();
    return static_cast<NodeId>(nodes_.size() - 1);
  }
  const NodeId id = free_nodes_.back();
  free_nodes_.pop_back();
  return id;
}

// Enters the node in its parent.
void TopicTrie::attach(NodeId id) {
  Node& node = nodes_[id];
  Node& parent = nodes_[node.parent];
  if (node.word == star) {
    parent.star = id;
  } else if (node.word == hash) {
    parent.hash = id;
  } else {
    edges_.insert(edge_hash(node.parent, node.word), id);
    node.previous = root;
    node.next = std::exchange(parent.first_child, id);
    parent.has_one_child = node.next == root;
    if (node.next != root) nodes_[node.next].previous = id;
  }
}

void TopicTrie::detach(NodeId id) {
  const Node& node = nodes_[id];
  Node& parent = nodes_[node.parent];
  if (node.word == star) {
    parent.star = root;
  } else if (node.word == hash) {
    parent.hash = root;
  } else {
    edges_.erase(edge_hash(node.parent, node.word), id);
    (node.previous == root ? parent.first_child : nodes_[node.previous].next) = node.next;
    if (node.next != root) nodes_[node.next].previous = node.previous;
    const NodeId first = parent.first_child;
    parent.has_one_child = first != root && nodes_[first].next == root;
  }
}

// `words` has at least one word, and `parent` has no child for the first one.
TopicTrie::NodeId TopicTrie::add_leaf(NodeId parent, Words words) {
  std::vector<WordId> ids(words.size());
  std::ranges::transform(words, ids.begin(),
                         [this](std::string_view word) { return use_word(word); });
  const NodeId id = new_node();
  nodes_[id].parent = parent;
  nodes_[id].word = ids.front();
  set_label(nodes_[id], std::span(ids).subspan(1));
  attach(id);
  return id;
}

// Divides the node's label behind its first `shared` words, where another pattern differs. Returns
// a new node with these words. The old node becomes its child, has the rest, and keeps its number.
TopicTrie::NodeId TopicTrie::split(NodeId lower, std::size_t shared) {
  const NodeId upper = new_node();
  detach(lower);
  const std::unique_ptr<WordId[]> words = std::move(nodes_[lower].label);
  const std::span<const WordId> label(words.get(), nodes_[lower].label_size);
  label_bytes_ -= label.size_bytes();
  nodes_[lower].label_size = 0;
  nodes_[upper].parent = nodes_[lower].parent;
  nodes_[upper].word = nodes_[lower].word;
  set_label(nodes_[upper], label.first(shared));
  attach(upper);
  nodes_[lower].parent = upper;
  nodes_[lower].word = label[shared];
  set_label(nodes_[lower], label.subspan(shared + 1));
  attach(lower);
  return upper;
}

// No pattern ends at the node. If it has only one child, that child takes over its words and keeps
// its number.
void TopicTrie::merge(NodeId upper) {
  const Node& node = nodes_[upper];
  const NodeId first = node.first_child;
  const bool has_one_child = (node.star != root) + (node.hash != root) + (first != root) == 1 &&
                             (first == root || node.has_one_child);
  if (!has_one_child) return;
  const NodeId lower = first != root ? first : std::max(node.star, node.hash);
  std::vector<WordId> words(node.label.get(), node.label.get() + node.label_size);
  words.push_back(nodes_[lower].word);
  const std::span<const WordId> rest = label_of(nodes_[lower]);
  words.insert(words.end(), rest.begin(), rest.end());
  detach(lower);
  detach(upper);
  nodes_[lower].parent = node.parent;
  nodes_[lower].word = node.word;
  set_label(nodes_[lower], words);
  free_node(upper);
  attach(lower);
}

void TopicTrie::set_label(Node& node, std::span<const WordId> words) {
  label_bytes_ -= label_of(node).size_bytes();
  label_bytes_ += words.size_bytes();
  node.label = words.empty() ? nullptr : std::make_unique<WordId[]>(words.size());
  node.label_size = static_cast<std::uint16_t>(words.size());
  node.has_hash = std::ranges::find(words, hash) != words.end();
  std::ranges::copy(words, node.label.get());
}

void TopicTrie::remove_leaf(NodeId id) {
  detach(id);
  release_word(nodes_[id].word);
  for (const WordId word : label_of(nodes_[id]))
    release_word(word);
  free_node(id);
}

void TopicTrie::free_node(NodeId id) {
  set_label(nodes_[id], {});
  nodes_[id] = {};
  free_nodes_.push_back(id);
}

// Returns `unknown` if no pattern has the word.
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
    word_text_bytes_ += text.size();
    word_index_.insert(text_hash(text), id);
  }
  ++words_[id].use_count;
  return id;
}

void TopicTrie::release_word(WordId id) {
  if (--words_[id].use_count > 0 || id == star || id == hash) return;
  word_text_bytes_ -= words_[id].text.size();
  word_index_.erase(text_hash(words_[id].text), id);
  words_[id] = {};
  free_words_.push_back(id);
}

std::size_t TopicTrie::memory_bytes() const {
  return nodes_.capacity() * sizeof(Node) + label_bytes_ + words_.capacity() * sizeof(Word) +
         word_text_bytes_ + word_index_.memory_bytes() + edges_.memory_bytes() +
         (free_nodes_.capacity() + free_words_.capacity()) * sizeof(NodeId) +
         (marks_.capacity() + word_slots_.capacity()) * sizeof(std::uint64_t);
}

void TopicTrie::begin_match(bool several) {
  found_.clear();
  several_ = several;
  if (!several) return;
  ++match_;
  marks_.resize(nodes_.size());
}

// visit() follows the tree with one place in the key. At the first `#` on the way, go_behind_hash()
// begins with the set of all places behind it, and spread() continues with such sets. A leaf behind
// a `#` whose label has no other `#` needs no set: its words must be the last ones of the key.
std::uint64_t TopicTrie::match(std::string_view routing_key) {
  if (routing_key.size() > topic_key_size_max) return 1;
  key_.clear();
  each_word(routing_key, [this](std::string_view word) { key_.push_back(find_word(word)); });
  steps_ = key_.size();
  has_slots_ = false;
  visit(root, 0);
  return steps_;
}

// With one key each node is visited at most once.
void TopicTrie::add_found(NodeId id) {
  if (nodes_[id].targets.empty()) return;
  if (several_ && std::exchange(marks_[id], match_) == match_) return;
  found_.push_back(&nodes_[id].targets);
}

// `place` is behind the word of the edge to the node.
void TopicTrie::visit(NodeId id, std::size_t place) {
  const Node& node = nodes_[id];
  steps_ += 1 + node.label_size / 16;
  std::span<const WordId> label = label_of(node);
  if (node.has_hash) label = label.first(hash_place(label));
  if (!label.empty() && !stands_at(place, label)) return;
  place += label.size();
  if (node.has_hash) return go_behind_hash(id, label.size() + 1, place);
  if (node.hash != root) go_behind_hash(node.hash, 0, place);
  if (place == key_.size()) return add_found(id);
  if (node.star != root) visit(node.star, place + 1);
  if (key_[place] < first_literal) return;
  if (const NodeId next = literal_child(id, key_[place]); next != root) visit(next, place + 1);
}

// A `#` is just before `label_place` in the label, or just before the node. Its words can end at
// any place from `first` on.
void TopicTrie::go_behind_hash(NodeId id, std::size_t label_place, std::size_t first) {
  const Node& node = nodes_[id];
  const std::span<const WordId> rest = label_of(node).subspan(label_place);
  const bool is_fixed = !node.has_hash || hash_place(rest) == rest.size();
  if (is_fixed && is_leaf(node)) {
    ++steps_;
    const std::size_t left = key_.size() - first;
    if (rest.size() <= left && stands_at(key_.size() - rest.size(), rest)) add_found(id);
    return;
  }
  if (!std::exchange(has_slots_, true)) prepare_slots();
  if (key_.size() <= Narrow::word_count_max) {
    spread(id, label_place, Narrow::between(first, key_.size()));
  } else {
    spread(id, label_place, Wide::between(first, key_.size()));
  }
}

// The place of the first `#`; the size if there is none.
std::size_t TopicTrie::hash_place(std::span<const WordId> words) {
  return static_cast<std::size_t>(std::ranges::find(words, hash) - words.begin());
}

// Whether the key has these words at that place. There is no `#` among them. Eight words at a time
// can be compared with vector instructions.
bool TopicTrie::stands_at(std::size_t place, std::span<const WordId> words) const {
  constexpr std::size_t portion = 8;
  if (key_.size() - place < words.size()) return false;
  const WordId* given = key_.data() + place;
  const auto differs = [&](std::size_t i) { return words[i] != star && words[i] != given[i]; };
  std::size_t i = 0;
  for (; i + portion <= words.size(); i += portion) {
    unsigned differ = 0;
    for (std::size_t k = i; k < i + portion; ++k)
      differ |=
          static_cast<unsigned>(words[k] != star) & static_cast<unsigned>(words[k] != given[k]);
    if (differ != 0) return false;
  }
  while (i < words.size() && !differs(i))
    ++i;
  return i == words.size();
}

// `places` are where in the key the words before `label_place` can end.
template <class P>
void TopicTrie::spread(NodeId id, std::size_t label_place, P places) {
  const Node& node = nodes_[id];
  steps_ += 1 + node.label_size / 16;
  for (; label_place < node.label_size; ++label_place) {
    const WordId word = node.label[label_place];
    if (word == hash) {
      places = P::between(places.first(), key_.size());
      continue;
    }
    const std::size_t slot = slot_of(word);
    if (slot == no_slot) return;
    places.take(slot_places_[slot]);
    if (places.is_empty()) return;
  }
  if (places.has(key_.size())) add_found(id);
  if (node.hash != root) go_behind_hash(node.hash, 0, places.first());
  if (node.star != root) spread_to_child(node.star, places, any_word);
  if (node.first_child != root) spread_to_children(id, places);
}

template <class P>
void TopicTrie::spread_to_children(NodeId id, const P& places) {
  if (has_more_children(nodes_[id], slot_words_.size())) {
    steps_ += slot_words_.size();
    for (std::size_t slot = any_word + 1; slot < slot_words_.size(); ++slot) {
      const NodeId next = literal_child(id, slot_words_[slot]);
      if (next != root) spread_to_child(next, places, slot);
    }
    return;
  }
  for (NodeId next = nodes_[id].first_child; next != root; next = nodes_[next].next) {
    ++steps_;
    const std::size_t slot = slot_of(nodes_[next].word);
    if (slot != no_slot) spread_to_child(next, places, slot);
  }
}

template <class P>
void TopicTrie::spread_to_child(NodeId id, P places, std::size_t slot) {
  places.take(slot_places_[slot]);
  if (!places.is_empty()) spread(id, 0, places);
}

bool TopicTrie::has_more_children(const Node& node, std::size_t count) const {
  NodeId child = node.first_child;
  for (; child != root && count > 0; --count)
    child = nodes_[child].next;
  return child != root;
}

void TopicTrie::prepare_slots() {
  ++key_number_;
  word_slots_.resize(words_.size());
  slot_words_.assign(1, star);
  slot_places_.assign(1, {});
  for (std::size_t place = 0; place < key_.size(); ++place) {
    const std::uint64_t bit = std::uint64_t{1} << place % 64;
    slot_places_[any_word][place / 64] |= bit;
    const WordId word = key_[place];
    if (word < first_literal) continue;
    std::size_t slot = slot_of(word);
    if (slot == no_slot) {
      slot = slot_words_.size();
      slot_words_.push_back(word);
      slot_places_.push_back({});
      word_slots_[word] = key_number_ * slots_max + slot;
    }
    slot_places_[slot][place / 64] |= bit;
  }
}

std::size_t TopicTrie::slot_of(WordId word) const {
  if (word == star) return any_word;
  const std::uint64_t found = word_slots_[word];
  return found / slots_max == key_number_ ? found % slots_max : no_slot;
}

}  // namespace haypile::engine
