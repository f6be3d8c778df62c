// The bindings of a topic exchange, found by the words of a routing key (AMQP 0-9-1, 3.1.3.3).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/destination.hpp"
#include "engine/flat_index.hpp"
#include "engine/text_hash.hpp"
#include "engine/topic_places.hpp"

namespace haypile::engine {

// Finds the lists of bindings whose patterns match a routing key. Words are separated by dots. In a
// pattern, `*` stands for one word and `#` for any number of words. The empty text has no words,
// "a..b" has an empty word in the middle.
//
// Patterns form a tree. A node has the word on the edge from its parent, and a label: the following
// words, which all patterns behind the node share. There are nodes only where patterns differ or
// end, at most two for each pattern. Edges with literal words are in one hash table for the whole
// tree, with words as numbers. Edges with `*` and `#` are in the nodes.
//
// A match walks down the tree. Before the first `#`, a node can fit at one place of the key only.
// Behind it, a node can fit at many places, which are a set of bits: a word moves all of them at
// once, and the next `#` only needs the first of them. So a match visits each node at most once,
// whatever the patterns and the key are, and only nodes whose words fit the key so far. The
// children of a node are found by the words of the key, or one by one if there are fewer children.
// Literal patterns take time for the words of the key, however many patterns there are. Patterns
// with wildcards before the words that distinguish them can take more: weight() says how much, and
// the caller keeps the sum of weights below a limit.
class TopicTrie {
 public:
  using NodeId = std::uint32_t;

  explicit TopicTrie(TextHash text_hash = TextHash()) : hash_(text_hash) {}

  // The node for that pattern, and for others that mean the same; made if there is none yet. The id
  // is valid until it is pruned.
  NodeId place(std::string_view pattern);
  // The list of a node. Valid until the next call of place() or prune(). If the list becomes empty,
  // call prune().
  Targets& targets(NodeId place) { return nodes_[place].targets; }
  // The list of that node is empty now: removes nodes that are no longer needed.
  void prune(NodeId place);

  // How much a binding with that pattern adds to the longest possible match. Patterns without
  // wildcards add nothing.
  static std::size_t weight(std::string_view pattern);

  // Begins a match: by any number of keys if `several`, otherwise by one.
  void begin_match(bool several);
  // Adds the lists of all patterns that match the key to found(). Returns how many words and nodes
  // it has examined. A key that is longer than a short string matches nothing.
  std::uint64_t match(std::string_view routing_key);
  // The lists that were found, each once. Valid until the next call of any other function.
  const std::vector<const Targets*>& found() const { return found_; }

  // The number of nodes, including the root, and of words. Tests see from them that nothing is
  // left.
  std::size_t node_count() const { return nodes_.size() - free_nodes_.size(); }
  std::size_t word_count() const { return word_index_.size(); }
  // Its memory in bytes, without the lists.
  std::size_t memory_bytes() const;

 private:
  using WordId = std::uint32_t;
  static constexpr NodeId root = 0;
  static constexpr WordId unknown = 0;
  static constexpr WordId star = 1;
  static constexpr WordId hash = 2;
  static constexpr WordId first_literal = 3;  // ids from here on are places in words_

  struct alignas(64) Node {
    NodeId parent = root;
    WordId word = unknown;      // of the edge from the parent
    NodeId star = root;         // the child behind `*`; the root stands for none
    NodeId hash = root;         // the child behind `#`
    NodeId first_child = root;  // the list of children behind literal words
    NodeId next = root;         // in that list of the parent
    NodeId previous = root;
    std::uint16_t label_size = 0;
    bool has_hash = false;       // within the label
    bool has_one_child = false;  // behind a literal word; found without the table
    std::unique_ptr<WordId[]> label;
    Targets targets;
  };
  struct Word {
    std::string text;
    std::uint32_t use_count = 0;  // by edges and labels
  };

  using Words = std::span<const std::string_view>;
  // Narrow is for short keys, Wide for all keys.
  using Narrow = TopicPlaces<1>;
  using Wide = TopicPlaces<topic_key_blocks_max>;

  static std::vector<std::string_view> canonical(std::string_view pattern);
  std::uint32_t edge_hash(NodeId parent, WordId word) const;
  std::uint32_t text_hash(std::string_view text) const;
  std::span<const WordId> label_of(const Node& node) const {
    return {node.label.get(), node.label_size};
  }
  NodeId child(NodeId parent, WordId word) const;
  NodeId literal_child(NodeId parent, WordId word) const;
  NodeId new_node();
  void attach(NodeId id);
  void detach(NodeId id);
  NodeId add_leaf(NodeId parent, Words words);
  NodeId split(NodeId id, std::size_t shared);
  void set_label(Node& node, std::span<const WordId> words);
  void remove_leaf(NodeId id);
  void merge(NodeId id);
  void free_node(NodeId id);
  bool is_leaf(const Node& node) const {
    return node.star == root && node.hash == root && node.first_child == root;
  }
  WordId find_word(std::string_view text) const;
  WordId use_word(std::string_view text);
  void release_word(WordId word);

  // The functions of a match in progress.
  void add_found(NodeId id);
  void visit(NodeId id, std::size_t place);
  void go_behind_hash(NodeId id, std::size_t label_place, std::size_t first);
  template <class P>
  void spread(NodeId id, std::size_t label_place, P places);
  template <class P>
  void spread_to_children(NodeId id, const P& places);
  template <class P>
  void spread_to_child(NodeId id, P places, std::size_t slot);
  static std::size_t hash_place(std::span<const WordId> words);
  bool stands_at(std::size_t place, std::span<const WordId> words) const;
  void prepare_slots();
  bool has_more_children(const Node& node, std::size_t count) const;
  std::size_t slot_of(WordId word) const;

  TextHash hash_;
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::vector<NodeId> free_nodes_;
  std::vector<Word> words_ = std::vector<Word>(first_literal);
  std::vector<WordId> free_words_;
  FlatIndex word_index_;             // of literal words, by their text
  FlatIndex edges_;                  // of nodes behind literal words, by parent and word
  std::size_t label_bytes_ = 0;      // of all nodes
  std::size_t word_text_bytes_ = 0;  // of all words

  std::vector<WordId> key_;  // a `*` or `#` in it equals no word of a pattern
  std::vector<const Targets*> found_;
  std::uint64_t steps_ = 0;
  bool several_ = false;
  std::uint64_t match_ = 0;           // counts begin_match()
  std::vector<std::uint64_t> marks_;  // by node, if `several_`: the last match that found it
  // Slots are the words of the key that occur in patterns, each once. Made at the first `#`.
  static constexpr std::size_t any_word = 0;  // the slot of `*`
  static constexpr std::size_t no_slot = ~std::size_t{0};
  static constexpr std::uint64_t slots_max = 512;
  bool has_slots_ = false;
  std::uint64_t key_number_ = 0;           // counts keys
  std::vector<std::uint64_t> word_slots_;  // by word: the number of the key and the slot in it
  std::vector<WordId> slot_words_;
  std::vector<Wide::Blocks> slot_places_;
};

}  // namespace haypile::engine
