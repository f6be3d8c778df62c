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

// Words are parted by dots; `*` in a pattern stands for one word, `#` for any number of them. The
// empty text has no words, "a..b" has an empty one in the middle.
//
// Patterns form a tree. A node has the word of the edge to it and a label, the words on which all
// patterns behind it go on: only where patterns part, or end, is there a node, at most two for each
// pattern. Edges to words are in one hash table for the whole tree, with words as numbers; those to
// `*` and `#` are in the nodes.
//
// A match walks down the tree. Up to the first `#` a node fits at one place of the key only; behind
// it, at a set of places, which is a set of bits: a word takes them all along at once, and the next
// `#` asks only for the first of them. So a match comes to each node once at most, whatever the
// patterns and the key, and only to those whose words so far fit the key. The children of a node
// are looked for by the words of the key or one by one, whichever are fewer. Literal patterns cost
// the words of the key, whatever their number; what can cost more is those with wildcards before
// the words that tell them apart. weight() says how much, and whoever binds keeps their sum below a
// limit.
class TopicTrie {
 public:
  using NodeId = std::uint32_t;

  explicit TopicTrie(TextHash text_hash = TextHash()) : hash_(text_hash) {}

  // Where those stand that are bound with that pattern or with another one that means the same;
  // made if need be. It stays so until it is pruned.
  NodeId place(std::string_view pattern);
  // Valid until the next call of place() or prune(). Empty lists are to be pruned.
  Targets& targets(NodeId place) { return nodes_[place].targets; }
  // Its list is empty now.
  void prune(NodeId place);

  // What a binding with that pattern adds to the longest match there can be; none without
  // wildcards.
  static std::size_t weight(std::string_view pattern);

  // Begins a match, by any number of keys if `several`, else by one.
  void begin_match(bool several);
  // Adds the lists of all patterns that match to found(). Returns how many words and nodes it has
  // looked at. A key that is longer than any can be matches nothing.
  std::uint64_t match(std::string_view routing_key);
  // Each list once. Valid until the next call of any other function.
  const std::vector<const Targets*>& found() const { return found_; }

  // How many nodes, the root among them, and words there are: what bindings leave behind.
  std::size_t node_count() const { return nodes_.size() - free_nodes_.size(); }
  std::size_t word_count() const { return word_index_.size(); }
  // What it takes in memory, without the lists.
  std::size_t memory_bytes() const;

 private:
  using WordId = std::uint32_t;
  static constexpr NodeId root = 0;
  static constexpr WordId unknown = 0;
  static constexpr WordId star = 1;
  static constexpr WordId hash = 2;
  static constexpr WordId first_literal = 3;  // from here on ids are places in words_

  struct alignas(64) Node {
    NodeId parent = root;
    WordId word = unknown;      // of the edge from the parent
    NodeId star = root;         // the child behind `*`; the root stands for none
    NodeId hash = root;         // the child behind `#`
    NodeId first_child = root;  // the children behind literal words are a list
    NodeId next = root;         // in that list of the parent
    NodeId previous = root;
    std::uint16_t label_size = 0;
    bool has_hash = false;       // within the label
    bool has_one_child = false;  // behind a literal word: it is found without the table
    std::unique_ptr<WordId[]> label;
    Targets targets;
  };
  struct Word {
    std::string text;
    std::uint32_t use_count = 0;  // by edges and labels
  };

  using Words = std::span<const std::string_view>;
  // For short keys, and for all.
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

  // The match at hand.
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
  FlatIndex edges_;                  // of the nodes behind literal words, by parent and word
  std::size_t label_bytes_ = 0;      // of all nodes
  std::size_t word_text_bytes_ = 0;  // of all words

  std::vector<WordId> key_;  // a `*` or `#` among its words is no literal
  std::vector<const Targets*> found_;
  std::uint64_t steps_ = 0;
  bool several_ = false;
  std::uint64_t match_ = 0;           // counts begin_match()
  std::vector<std::uint64_t> marks_;  // of nodes, if `several_`: the last match that found them
  // The words of the key that patterns have, each once, once a `#` has been met: slots.
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
