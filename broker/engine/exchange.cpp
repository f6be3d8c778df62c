#include "engine/exchange.hpp"

#include <functional>
#include <utility>

namespace haypile::engine {

namespace {

// The last one takes the place of the one at `place`.
template <class T>
void take_out(std::vector<T>& list, std::size_t place) {
  list[place] = list.back();
  list.pop_back();
}

}  // namespace

std::size_t BindingHash::operator()(const BindingDefinition& definition) const {
  std::size_t hash = static_cast<std::size_t>(definition.destination_kind);
  for (const std::string* text :
       {&definition.destination, &definition.routing_key, &definition.arguments}) {
    hash = hash * 0x9E37'79B9'7F4A'7C15 + std::hash<std::string_view>{}(*text);
  }
  return hash;
}

bool Exchange::bind(std::unique_ptr<Binding> binding) {
  const auto [held, is_new] = bindings_.insert(std::move(binding));
  if (!is_new) return false;
  Binding& added = **held;
  added.source = this;
  Targets& list = list_for(added.definition.routing_key);
  added.place = list.size();
  list.push_back({added.queue, &added});
  auto& incoming = added.queue ? added.queue->incoming_ : added.exchange->incoming_;
  added.incoming_place = incoming.size();
  incoming.push_back(&added);
  return true;
}

bool Exchange::unbind(const BindingDefinition& definition) {
  const auto found = bindings_.find(definition);
  if (found == bindings_.end()) return false;
  remove(**found);
  return true;
}

void Exchange::remove(Binding& binding) {
  Targets& list = list_for(binding.definition.routing_key);
  list.back().binding->place = binding.place;
  take_out(list, binding.place);
  if (list.empty()) drop_list(binding.definition.routing_key);
  auto& incoming = binding.queue ? binding.queue->incoming_ : binding.exchange->incoming_;
  incoming.back()->incoming_place = binding.incoming_place;
  take_out(incoming, binding.incoming_place);
  bindings_.erase(bindings_.find(binding.definition));
}

// Where bindings with that key stand; made if need be.
Exchange::Targets& Exchange::list_for(const std::string& routing_key) {
  switch (definition_.type) {
    case ExchangeType::direct:
      return by_key_[routing_key];
    case ExchangeType::topic:
      return by_pattern_.list(routing_key);
    case ExchangeType::fanout:
    case ExchangeType::headers:
      break;
  }
  return all_;
}

// It is empty.
void Exchange::drop_list(const std::string& routing_key) {
  if (definition_.type == ExchangeType::direct) by_key_.erase(routing_key);
  if (definition_.type == ExchangeType::topic) by_pattern_.prune(routing_key);
}

void Exchange::unbind_all() {
  while (!bindings_.empty())
    remove(**bindings_.begin());
  while (!incoming_.empty())
    incoming_.back()->source->remove(*incoming_.back());
}

}  // namespace haypile::engine
