// An exchange and its bindings to queues and other exchanges.
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

// A binding. Its source owns it. Exactly one of the two destinations is set.
struct Binding {
  // Whether its destination has been deleted: then it leads nowhere, and will be removed.
  bool is_gone() const;
  // Whether both of its ends are durable.
  bool is_durable() const;

  BindingDefinition definition;
  Exchange* source = nullptr;
  Queue* queue = nullptr;
  Exchange* exchange = nullptr;

  // Kept by the source: the list that the binding is in (topic and headers exchanges), its place
  // there, and its part of the source's weight.
  std::uint32_t list = 0;
  std::uint32_t place = 0;
  std::uint32_t weight = 0;
  // Kept by the destination: its place in incoming().
  std::uint32_t incoming_place = 0;
};

// Hashes bindings by their definitions without the source, which is the same for all in one set.
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

// State that the exchanges of a virtual host share. Must outlive them, and `memory` must outlive
// it.
struct ExchangeContext {
  ExchangeContext(TextHash text_hash, MemoryUse& memory_use)
      : hash(text_hash), conditions(text_hash), memory(memory_use) {}
  TextHash hash;
  HeaderConditions conditions;
  MemoryUse& memory;
  std::size_t counted_bytes = 0;  // of the conditions
};

// Holds the bindings of one exchange and finds them the way its type asks for. The time for binding
// and unbinding does not depend on the number of bindings.
class Exchange final : public Destination {
 public:
  // The most that one match may examine, in nodes and conditions: this takes about ten
  // milliseconds, or several times that where caches are small. A binding that would exceed it is
  // refused, since each message to the exchange would delay everybody. Bindings without wildcards
  // and without conditions weigh nothing.
  static constexpr std::size_t weight_max = 1'000'000;

  // `alternate` names the exchange that gets messages that no binding matches; empty: none.
  Exchange(ExchangeDefinition definition, std::string alternate, ExchangeContext& context);
  // Removes the bindings from and to the exchange: unbind_all().
  ~Exchange();
  // The exchange is deleted. The caller removes its bindings, in both directions.
  void close() { set_closed(); }

  const ExchangeDefinition& definition() const { return definition_; }
  const std::string& name() const { return definition_.name; }
  const std::string& alternate() const { return alternate_; }
  // Whether it has bindings, including those whose destinations are deleted.
  bool in_use() const { return !bindings_.empty(); }
  std::size_t binding_count() const { return bindings_.size(); }
  // Its memory with its bindings, in bytes. It is part of the virtual host's definition_bytes.
  std::size_t memory_bytes() const;

  // Null if there is none. The binding's destination may be deleted: is_gone().
  Binding* find(const BindingDefinition& definition) const;
  bool has(const BindingDefinition& definition) const {
    const Binding* binding = find(definition);
    return binding && !binding->is_gone();
  }
  // What such a binding would add to the weight. `headers` is what its arguments ask for if this is
  // a headers exchange.
  std::size_t weight_of(const BindingDefinition& definition, const HeadersMatch& headers) const;
  std::size_t weight() const { return weight_; }
  // Returns false if an equal binding exists. `headers` as above. Does not check the weight: what
  // was accepted once is accepted again by recovery.
  bool bind(std::unique_ptr<Binding> binding, const HeadersMatch& headers = {});
  // Returns false if there is no such binding, or its destination is deleted.
  bool unbind(const BindingDefinition& definition);
  // Removes and frees one of the exchange's own bindings.
  void remove(Binding& binding);
  // Any binding of the exchange, which must have one.
  Binding& first_binding() const { return **bindings_.begin(); }
  void unbind_all();

  // The bindings of a direct exchange with one key.
  struct Keyed {
    Targets targets;
    std::uint64_t routing = 0;  // the last one that found it
  };
  // The bindings as the exchange's type finds them; all others are empty.
  StringMap<Keyed>& by_key() { return by_key_; }       // direct
  TopicTrie& by_pattern() { return by_pattern_; }      // topic
  HeadersIndex& by_headers() { return by_headers_; }   // headers
  const Targets& all_targets() const { return all_; }  // fanout

 private:
  void count();
  Targets& new_list_for(Binding& binding, const HeadersMatch& headers);
  Targets& list_of(const Binding& binding);
  void drop_list_of(const Binding& binding);

  ExchangeContext& context_;
  ExchangeDefinition definition_;
  std::string alternate_;
  std::unordered_set<std::unique_ptr<Binding>, BindingHash, BindingEqual> bindings_;
  StringMap<Keyed> by_key_;
  TopicTrie by_pattern_;
  HeadersIndex by_headers_;
  Targets all_;
  std::size_t weight_ = 0;
  std::size_t binding_bytes_ = 0;
  std::size_t counted_bytes_ = 0;  // as added to the virtual host's memory
};

}  // namespace haypile::engine
