// An exchange: where publishers send, and the bindings that say which queues get it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/definitions.hpp"
#include "engine/headers_match.hpp"
#include "engine/queue.hpp"
#include "engine/table_reader.hpp"

namespace haypile::engine {

class Exchange;

// Owned by its source. Exactly one of the destinations is set.
struct Binding {
  BindingDefinition definition;
  Exchange* source = nullptr;
  Queue* queue = nullptr;
  Exchange* exchange = nullptr;
  HeadersMatch headers;  // of bindings to a headers exchange
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

class Exchange {
 public:
  explicit Exchange(ExchangeDefinition definition) : definition_(std::move(definition)) {}
  // Its bindings, both ways, go first: unbind_all().
  ~Exchange() { unbind_all(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const ExchangeDefinition& definition() const { return definition_; }
  const std::string& name() const { return definition_.name; }
  // Whether anything is bound to it.
  bool in_use() const { return binding_count_ > 0; }
  const std::vector<Binding*>& incoming() const { return incoming_; }

  // False when that very binding is there already.
  bool bind(std::unique_ptr<Binding> binding);
  // False when there is no such binding.
  bool unbind(const BindingDefinition& definition);
  // Takes one of its own bindings out; `binding` is gone afterwards.
  void remove(Binding& binding);
  void unbind_all();

 private:
  friend class Router;

  using Bindings = std::vector<std::unique_ptr<Binding>>;
  void erase(StringMap<Bindings>::iterator key, Bindings::iterator binding);

  ExchangeDefinition definition_;
  StringMap<Bindings> by_key_;
  std::size_t binding_count_ = 0;
  std::vector<Binding*> incoming_;  // owned by their sources
  std::uint64_t routing_mark_ = 0;  // the last routing that came by
};

}  // namespace haypile::engine
