// An exchange: where publishers send, and the bindings that say which queues get it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/definitions.hpp"
#include "engine/headers_match.hpp"
#include "engine/queue.hpp"
#include "engine/table_reader.hpp"
#include "engine/topic_trie.hpp"

namespace haypile::engine {

class Exchange;

// Owned by its source. Exactly one of the destinations is set.
struct Binding {
  BindingDefinition definition;
  Exchange* source = nullptr;
  Queue* queue = nullptr;
  Exchange* exchange = nullptr;
  HeadersMatch headers;  // of bindings to a headers exchange

  // Kept by the source: where it stands in the source's list and in the destination's incoming().
  std::size_t place = 0;
  std::size_t incoming_place = 0;
};

// Lets the string maps of the engine be searched with views.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

// Bindings by their definitions, less the source, which is the same for all in one set.
struct BindingHash {
  using is_transparent = void;
  std::size_t operator()(const BindingDefinition& definition) const;
  std::size_t operator()(const std::unique_ptr<Binding>& binding) const {
    return (*this)(binding->definition);
  }
};
struct BindingEqual {
  using is_transparent = void;
  using Held = std::unique_ptr<Binding>;
  bool operator()(const Held& a, const Held& b) const { return a->definition == b->definition; }
  bool operator()(const BindingDefinition& a, const Held& b) const { return a == b->definition; }
};

// Binding and unbinding take the same time however many bindings there are.
class Exchange {
 public:
  // `alternate` names the exchange that gets what no binding matches; empty: there is none.
  explicit Exchange(ExchangeDefinition definition, std::string alternate = {})
      : definition_(std::move(definition)), alternate_(std::move(alternate)) {}
  // Its bindings, both ways, go first: unbind_all().
  ~Exchange() { unbind_all(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const ExchangeDefinition& definition() const { return definition_; }
  const std::string& name() const { return definition_.name; }
  const std::string& alternate() const { return alternate_; }
  // Whether anything is bound to it.
  bool in_use() const { return !bindings_.empty(); }
  const std::vector<Binding*>& incoming() const { return incoming_; }

  bool has(const BindingDefinition& definition) const { return bindings_.contains(definition); }
  // False when that very binding is there already.
  bool bind(std::unique_ptr<Binding> binding);
  // False when there is no such binding.
  bool unbind(const BindingDefinition& definition);
  // Takes one of its own bindings out; `binding` is gone afterwards.
  void remove(Binding& binding);
  void unbind_all();

 private:
  friend class Router;

  using Targets = std::vector<Target>;
  Targets& list_for(const std::string& routing_key);
  void drop_list(const std::string& routing_key);

  ExchangeDefinition definition_;
  std::string alternate_;
  std::unordered_set<std::unique_ptr<Binding>, BindingHash, BindingEqual> bindings_;
  // The same, as its type looks for them; the others are empty.
  StringMap<Targets> by_key_;       // direct
  TopicTrie by_pattern_;            // topic
  Targets all_;                     // fanout, headers
  std::vector<Binding*> incoming_;  // owned by their sources
  std::uint64_t routing_mark_ = 0;  // the last routing that came by
};

}  // namespace haypile::engine
