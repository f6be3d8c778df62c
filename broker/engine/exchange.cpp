#include "engine/exchange.hpp"

#include <utility>

#include "engine/queue.hpp"

namespace haypile::engine {

namespace {

// Removes the element at `place`. The last element takes its place.
template <class T>
void take_out(std::vector<T>& list, std::size_t place) {
  list[place] = list.back();
  list.pop_back();
}

Destination& destination_of(const Binding& binding) {
  return binding.queue ? static_cast<Destination&>(*binding.queue) : *binding.exchange;
}

// What the allocator adds to each block.
constexpr std::size_t block_bytes = 16;

std::size_t memory_of(const std::string& text) {
  constexpr std::size_t held_inside_max = 15;
  return text.size() <= held_inside_max ? 0 : text.size() + 1 + block_bytes;
}

// A key's memory in the table of a direct exchange, with its list.
std::size_t memory_of_key(const std::string& key) {
  constexpr std::size_t entry_bytes = sizeof(std::string) + sizeof(Targets) + 4 * sizeof(void*);
  return entry_bytes + 2 * block_bytes + memory_of(key);
}

// A binding's memory, with its entries in the set of bindings, in a list of targets and in the
// destination's incoming().
std::size_t memory_of(const Binding& binding) {
  constexpr std::size_t set_node_bytes = 4 * sizeof(void*) + block_bytes;
  constexpr std::size_t list_bytes = 2 * (sizeof(Target) + sizeof(void*));
  const BindingDefinition& definition = binding.definition;
  return sizeof(Binding) + block_bytes + set_node_bytes + list_bytes +
         memory_of(definition.source) + memory_of(definition.destination) +
         memory_of(definition.routing_key) + memory_of(definition.arguments);
}

}  // namespace

void Destination::add_incoming(Binding& binding) {
  binding.incoming_place = static_cast<std::uint32_t>(incoming_.size());
  incoming_.push_back(&binding);
}

void Destination::remove_incoming(const Binding& binding) {
  incoming_.back()->incoming_place = binding.incoming_place;
  take_out(incoming_, binding.incoming_place);
}

bool Binding::is_gone() const {
  return destination_of(*this).closed();
}

bool Binding::is_durable() const {
  return source->definition().durable &&
         (queue ? queue->durable() : exchange->definition().durable);
}

std::size_t BindingHash::operator()(const BindingDefinition& definition) const {
  std::uint64_t result = static_cast<std::uint64_t>(definition.destination_kind);
  for (const std::string* text :
       {&definition.destination, &definition.routing_key, &definition.arguments}) {
    result = hash(result, hash(*text));
  }
  return result;
}

Exchange::Exchange(ExchangeDefinition definition, std::string alternate, ExchangeContext& context)
    : Destination(false),
      context_(context),
      definition_(std::move(definition)),
      alternate_(std::move(alternate)),
      bindings_(0, BindingHash{context.hash}),
      by_key_(0, context.hash),
      by_pattern_(context.hash),
      by_headers_(context.hash, context.conditions) {
  count();
}

Exchange::~Exchange() {
  unbind_all();
  context_.memory.definition_bytes -= counted_bytes_;
}

void Exchange::count() {
  std::size_t& counted = context_.memory.definition_bytes;
  const std::size_t bytes = memory_bytes();
  counted += bytes - std::exchange(counted_bytes_, bytes);
  const std::size_t shared = context_.conditions.memory_bytes();
  counted += shared - std::exchange(context_.counted_bytes, shared);
}

std::size_t Exchange::memory_bytes() const {
  return sizeof(Exchange) + block_bytes + memory_of(definition_.name) +
         memory_of(definition_.arguments) + memory_of(alternate_) + binding_bytes_ +
         by_pattern_.memory_bytes() + by_headers_.memory_bytes();
}

std::size_t Exchange::weight_of(const BindingDefinition& definition,
                                const HeadersMatch& headers) const {
  if (definition_.type == ExchangeType::topic) return TopicTrie::weight(definition.routing_key);
  return definition_.type == ExchangeType::headers ? headers.wanted.size() : 0;
}

bool Exchange::bind(std::unique_ptr<Binding> binding, const HeadersMatch& headers) {
  const auto [held, is_new] = bindings_.insert(std::move(binding));
  if (!is_new) return false;
  Binding& added = **held;
  added.source = this;
  added.weight = static_cast<std::uint32_t>(weight_of(added.definition, headers));
  weight_ += added.weight;
  binding_bytes_ += memory_of(added);
  Targets& list = new_list_for(added, headers);
  added.place = static_cast<std::uint32_t>(list.size());
  Destination& destination = destination_of(added);
  list.push_back({&destination, &added});
  destination.add_incoming(added);
  count();
  return true;
}

Binding* Exchange::find(const BindingDefinition& definition) const {
  const auto found = bindings_.find(definition);
  return found == bindings_.end() ? nullptr : found->get();
}

bool Exchange::unbind(const BindingDefinition& definition) {
  Binding* binding = find(definition);
  if (!binding || binding->is_gone()) return false;
  remove(*binding);
  return true;
}

void Exchange::remove(Binding& binding) {
  weight_ -= binding.weight;
  binding_bytes_ -= memory_of(binding);
  Targets& list = list_of(binding);
  list.back().binding->place = binding.place;
  take_out(list, binding.place);
  if (list.empty()) drop_list_of(binding);
  destination_of(binding).remove_incoming(binding);
  bindings_.erase(bindings_.find(binding.definition));
  count();
}

// Makes the list if there is none yet.
Targets& Exchange::new_list_for(Binding& binding, const HeadersMatch& headers) {
  switch (definition_.type) {
    case ExchangeType::topic:
      binding.list = by_pattern_.place(binding.definition.routing_key);
      break;
    case ExchangeType::headers:
      binding.list = by_headers_.place(headers);
      break;
    case ExchangeType::direct:
      if (by_key_.try_emplace(binding.definition.routing_key).second) {
        binding_bytes_ += memory_of_key(binding.definition.routing_key);
      }
      break;
    case ExchangeType::fanout:
      break;
  }
  return list_of(binding);
}

Targets& Exchange::list_of(const Binding& binding) {
  switch (definition_.type) {
    case ExchangeType::topic:
      return by_pattern_.targets(binding.list);
    case ExchangeType::headers:
      return by_headers_.targets(binding.list);
    case ExchangeType::direct:
      return by_key_.find(binding.definition.routing_key)->second.targets;
    case ExchangeType::fanout:
      break;
  }
  return all_;
}

// Removes the list, which is empty.
void Exchange::drop_list_of(const Binding& binding) {
  switch (definition_.type) {
    case ExchangeType::topic:
      return by_pattern_.prune(binding.list);
    case ExchangeType::headers:
      return by_headers_.prune(binding.list);
    case ExchangeType::direct:
      binding_bytes_ -= memory_of_key(binding.definition.routing_key);
      by_key_.erase(by_key_.find(binding.definition.routing_key));
      break;
    case ExchangeType::fanout:
      all_ = {};
      break;
  }
}

void Exchange::unbind_all() {
  while (!bindings_.empty())
    remove(first_binding());
  while (!incoming().empty())
    incoming().back()->source->remove(*incoming().back());
}

}  // namespace haypile::engine
