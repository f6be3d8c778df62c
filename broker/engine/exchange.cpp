#include "engine/exchange.hpp"

#include <algorithm>

namespace haypile::engine {

bool Exchange::bind(std::unique_ptr<Binding> binding) {
  Bindings& bindings = by_key_[binding->definition.routing_key];
  const auto same = [&](const auto& other) { return other->definition == binding->definition; };
  if (std::any_of(bindings.begin(), bindings.end(), same)) return false;
  binding->source = this;
  (binding->queue ? binding->queue->incoming_ : binding->exchange->incoming_)
      .push_back(binding.get());
  bindings.push_back(std::move(binding));
  ++binding_count_;
  return true;
}

bool Exchange::unbind(const BindingDefinition& definition) {
  const auto key = by_key_.find(definition.routing_key);
  if (key == by_key_.end()) return false;
  Bindings& bindings = key->second;
  const auto found = std::find_if(bindings.begin(), bindings.end(), [&](const auto& binding) {
    return binding->definition == definition;
  });
  if (found == bindings.end()) return false;
  erase(key, found);
  return true;
}

void Exchange::remove(Binding& binding) {
  const auto key = by_key_.find(binding.definition.routing_key);
  Bindings& bindings = key->second;
  erase(key, std::find_if(bindings.begin(), bindings.end(),
                          [&](const auto& held) { return held.get() == &binding; }));
}

void Exchange::erase(StringMap<Bindings>::iterator key, Bindings::iterator binding) {
  Binding* gone = binding->get();
  std::erase(gone->queue ? gone->queue->incoming_ : gone->exchange->incoming_, gone);
  key->second.erase(binding);
  if (key->second.empty()) by_key_.erase(key);
  --binding_count_;
}

void Exchange::unbind_all() {
  while (!by_key_.empty())
    remove(*by_key_.begin()->second.back());
  while (!incoming_.empty())
    incoming_.back()->source->remove(*incoming_.back());
}

}  // namespace haypile::engine
