// The bindings of a topic exchange, found by the words of a routing key (AMQP 0-9-1, 3.1.3.3).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/flat_index.hpp"

namespace haypile::engine {

struct Binding;
class Queue;

// How a binding stands in a list: with its destination at hand, if that is a queue.
struct Target {
  Queue* queue;
  Binding* binding;
};

// Words are parted by dots; `*` in a pattern stands for one word, `#` for any number of them. The
// empty text has no words, "a..b" has an empty one in the middle.
//
// Patterns form a tree with an edge a word. A key is matched word by word against the set of nodes
// that its words so far lead to, all at once: each node is in that set once, so that the work is
// bounded by the key's words times the nodes they lead to, whatever the patterns. The number of
// other bindings does not count. Edges to words are in one hash table for the whole tree, with
// words as numbers; those to `*` and `#` are in the nodes. Where a pattern goes on alone and
// without a `#`, what is left of it is kept as it is, without nodes: most of many patterns do so
// after a few words, and what is not in the tree need not come into the cache.
class TopicTrie {
 public:
  using Targets = std::vector<Target>;

  // The list of those bound with that pattern or another one that means the same; made if need be.
  // Valid until the next call of list() or prune(). Empty lists are to be pruned.
  Targets& list(std::string_view pattern);
  // Its list is empty now.
  void prune(std::string_view pattern);

  // The lists of all patterns that match, each once. Valid until the next call of any function.
  const std::vector<const Targets*>& match(std::string_view routing_key);

  // How many nodes, the root among them, and words there are: what bindings leave behind.
  std::size_t node_count() const { return nodes_.size() - free_nodes_.size(); }
  std::size_t word_count() const { return word_index_.size(); }

 private:
  using NodeId = std::uint32_t;
  using WordId = std::uint32_t;
  static constexpr NodeId root = 0;
  static constexpr WordId unknown = 0;
  static constexpr WordId star = 1;
  static constexpr WordId hash = 2;
  static constexpr WordId first_literal = 3;  // from here on ids are places in words_

  struct alignas(64) Node {
    NodeId parent = root;
    WordId word = 0;                // of the edge from the parent
    NodeId star = root;             // the child behind `*`; the root stands for none
    NodeId hash = root;             // the child behind `#`
    std::uint32_t child_count = 0;  // of all kinds
    std::uint32_t tail_size = 0;
    std::unique_ptr<WordId[]> tail;  // what the bindings ask for behind this node, which is a leaf
    std::uint64_t mark = 0;          // behind `#` only: the last match that came here
    Targets targets;
  };
  struct Word {
    std::string text;
    std::uint32_t use_count = 0;  // by edges and tails
  };

  using Words = std::span<const std::string_view>;

  static std::vector<std::string_view> canonical(std::string_view pattern);
  static std::uint32_t edge_hash(NodeId parent, WordId word);
  NodeId child(NodeId parent, WordId word) const;
  NodeId literal_child(NodeId parent, WordId word) const;
  NodeId add_child(NodeId parent, WordId word);
  NodeId add_path(NodeId node, Words words);
  bool has_tail(const Node& node, Words words) const;
  void split(NodeId node);
  void remove_leaf(NodeId node);
  WordId find_word(std::string_view text) const;
  WordId use_word(std::string_view text);
  void release_word(WordId word);
  void step(WordId word);
  void enter(NodeId node);
  bool tail_matches(const Node& node) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::vector<NodeId> free_nodes_;
  std::vector<Word> words_ = std::vector<Word>(first_literal);
  std::vector<WordId> free_words_;
  FlatIndex word_index_;  // of literal words, by their text
  FlatIndex edges_;       // of the nodes behind literal words, by parent and word

  // Of the match at hand.
  std::uint64_t mark_ = 0;
  std::vector<WordId> key_;       // its words; a `*` or `#` among them is no literal
  std::size_t position_ = 0;      // how many of them have been taken
  std::vector<NodeId> reached_;   // by these, but for those behind a `#`; only those with children
  std::vector<NodeId> next_;      // as reached_, by one word more
  std::vector<NodeId> floating_;  // behind a `#` and with children: reached by all words to come
  std::vector<const Targets*> found_;
};

}  // namespace haypile::engine
