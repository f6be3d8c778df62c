#include "engine/removals.hpp"

#include <algorithm>
#include <utility>

#include "engine/invariant.hpp"

namespace haypile::engine {

namespace {

// A binding is removed from several tables, which are mostly not in the cache; a durable one also
// from tables of the journal.
constexpr std::uint64_t unbind_units = 2;
constexpr std::uint64_t release_units = 3;

Binding* last_of(const std::vector<Binding*>& bindings) {
  return bindings.empty() ? nullptr : bindings.back();
}

// A binding from or to what has been deleted, which is one of the two; null if none is left.
Binding* next_binding(Queue* queue, Exchange* exchange) {
  if (queue) return last_of(queue->incoming());
  return exchange->in_use() ? &exchange->first_binding() : last_of(exchange->incoming());
}

}  // namespace

void Removals::add_queue(std::unique_ptr<Queue> deleted) {
  Queue& queue = *deleted;
  deleted_.emplace(&queue, std::move(deleted));
  if (queue.ready_count() > 0) discarding_.push_back(&queue);
  const std::size_t others = unbinding_.size();
  unbinding_.push_back({.queue = &queue});
  unbind_since(others, Portion(context_.work, units_at_once));
  if (discarding_.size() == 1) continue_discarding(Portion(context_.work, units_at_once));
}

void Removals::add_exchange(std::unique_ptr<Exchange> exchange) {
  unbinding_.push_back({.exchange = std::move(exchange)});
}

void Removals::add_owner(OwnerId owner, const Queue* first) {
  if (!first) return;
  gone_owners_.push_back(owner);
  continue_removing(Portion(context_.work, units_at_once));
}

bool Removals::is_gone(OwnerId owner) const {
  return std::ranges::find(gone_owners_, owner) != gone_owners_.end();
}

void Removals::unbind_since(std::size_t count_before, const Portion& portion) {
  while (unbinding_.size() > count_before && !portion.is_used_up()) {
    Job& last = unbinding_.back();
    if (Binding* binding = next_binding(last.queue, last.exchange.get())) {
      Exchange& source = *binding->source;
      drop(*binding);
      owner_.binding_left(source);
      continue;
    }
    context_.work.spend(1);
    const Job done = std::move(last);
    unbinding_.pop_back();
    if (!done.queue) continue;
    done.queue->set_unbound();
    free_if_finished(*done.queue);
  }
}

// The journal has deleted the binding with one of its ends, but still has it in memory.
void Removals::drop(Binding& binding) {
  context_.work.spend(unbind_units);
  if (binding.is_durable()) {
    context_.work.spend(release_units);
    context_.journal.release_binding(binding.definition);
  }
  binding.source->remove(binding);
}

bool Removals::is_in_use(Exchange& exchange, const Portion& portion) {
  while (exchange.in_use() && !portion.is_used_up()) {
    Binding& binding = exchange.first_binding();
    if (!binding.is_gone()) return true;
    drop(binding);
  }
  return false;
}

void Removals::continue_discarding(const Portion& portion) {
  while (!discarding_.empty() && !portion.is_used_up()) {
    Queue& queue = *discarding_.front();
    queue.discard_ready(portion);
    if (queue.ready_count() > 0) return;
    discarding_.pop_front();
    free_if_finished(queue);
  }
}

void Removals::continue_removing(const Portion& portion) {
  while (!gone_owners_.empty()) {
    Queue* queue = owner_.owned_queue(gone_owners_.front());
    if (!queue) {
      gone_owners_.pop_front();
      continue;
    }
    if (portion.is_used_up()) return;
    owner_.remove_owned(*queue);
  }
}

void Removals::check_invariants() const {
  for (const auto& [pointer, queue] : deleted_) {
    expect_invariant(queue->closed() && !queue->is_finished(),
                     "a deleted queue is kept as long as something of it is left, and no longer");
  }
  for (const Job& each : unbinding_) {
    expect_invariant(each.queue ? deleted_.contains(each.queue) : each.exchange->closed(),
                     "what is deleted is unbound");
  }
}

}  // namespace haypile::engine
