// An exchange: where publishers send, and the bindings that say which queues get it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/definitions.hpp"
#include "engine/destination.hpp"
#include "engine/header_conditions.hpp"
#include "engine/headers_index.hpp"
#include "engine/headers_match.hpp"
#include "engine/message.hpp"
#include "engine/text_hash.hpp"
#include "engine/topic_trie.hpp"

namespace haypile::engine {

class Exchange;
class Queue;

// Owned by its source. Exactly one of the destinations is set.
struct Binding {
  // Whether its destination has been deleted. Then it leads nowhere, and is on its way out.
  bool is_gone() const;
  // As both of its ends are.
  bool is_durable() const;

  BindingDefinition definition;
  Exchange* source = nullptr;
  Queue* queue = nullptr;
  Exchange* exchange = nullptr;

  // Kept by the source: the list it is in (of topic and headers exchanges), its places there and
  // in the destination's incoming(), and what it adds to the source's weight.
  std::uint32_t list = 0;
  std::uint32_t place = 0;
  std::uint32_t incoming_place = 0;
  std::uint32_t weight = 0;
};

// Bindings by their definitions, less the source, which is the same for all in one set.
struct BindingHash {
  using is_transparent = void;
  TextHash hash;
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

// What the exchanges of a vhost share. Outlives them, and `memory` outlives it.
struct ExchangeContext {
  ExchangeContext(TextHash text_hash, MemoryUse& memory_use)
      : hash(text_hash), conditions(text_hash), memory(memory_use) {}
  TextHash hash;
  HeaderConditions conditions;
  MemoryUse& memory;
  std::size_t counted_bytes = 0;  // of the conditions
};

// Binding and unbinding take the same time however many bindings there are.
class Exchange final : public Destination {
 public:
  // The longest a match may get, in nodes and conditions looked at: ten milliseconds, several times
  // that where caches are too small. Whoever binds more than that to one exchange is refused, since
  // otherwise each message to it would hold up everybody. Bindings without wildcards and conditions
  // weigh nothing.
  static constexpr std::size_t weight_max = 1'000'000;

  // `alternate` names the exchange that gets what no binding matches; empty: there is none.
  Exchange(ExchangeDefinition definition, std::string alternate, ExchangeContext& context);
  // Its bindings, both ways, go first: unbind_all().
  ~Exchange();
  // Deleted; its bindings, both ways, are left to be removed.
  void close() { set_closed(); }

  const ExchangeDefinition& definition() const { return definition_; }
  const std::string& name() const { return definition_.name; }
  const std::string& alternate() const { return alternate_; }
  // Whether anything is bound to it, also what is gone.
  bool in_use() const { return !bindings_.empty(); }
  std::size_t binding_count() const { return bindings_.size(); }
  // What it takes in memory, its bindings included. It is part of the vhost's definition_bytes.
  std::size_t memory_bytes() const;

  // Null if there is none. It may be gone, but for its place here.
  Binding* find(const BindingDefinition& definition) const;
  bool has(const BindingDefinition& definition) const {
    const Binding* binding = find(definition);
    return binding && !binding->is_gone();
  }
  // What such a binding would add to the weight. `headers` is what its arguments ask for, if this
  // is a headers exchange.
  std::size_t weight_of(const BindingDefinition& definition, const HeadersMatch& headers) const;
  std::size_t weight() const { return weight_; }
  // False when that very binding is there already. `headers` as above. The weight is not looked at:
  // what was accepted once is accepted again.
  bool bind(std::unique_ptr<Binding> binding, const HeadersMatch& headers = {});
  // False when there is no such binding, or it is gone.
  bool unbind(const BindingDefinition& definition);
  // Takes one of its own bindings out, and frees it.
  void remove(Binding& binding);
  // Any of its own; it has one.
  Binding& first_binding() const { return **bindings_.begin(); }
  void unbind_all();

 private:
  friend class Router;

  // The bindings of a direct exchange with one key.
  struct Keyed {
    Targets targets;
    std::uint64_t routing_mark = 0;  // the last routing that found it
  };

  void count();
  Targets& new_list_for(Binding& binding, const HeadersMatch& headers);
  Targets& list_of(const Binding& binding);
  void drop_list_of(const Binding& binding);

  ExchangeContext& context_;
  ExchangeDefinition definition_;
  std::string alternate_;
  std::unordered_set<std::unique_ptr<Binding>, BindingHash, BindingEqual> bindings_;
  // The same, as its type looks for them; the others are empty.
  StringMap<Keyed> by_key_;  // direct
  TopicTrie by_pattern_;     // topic
  HeadersIndex by_headers_;  // headers
  Targets all_;              // fanout
  std::size_t weight_ = 0;
  std::size_t binding_bytes_ = 0;
  std::size_t counted_bytes_ = 0;  // in the vhost's memory
};

}  // namespace haypile::engine
