#include "simulation/reference_model.hpp"

#include <algorithm>

namespace haypile::simulation {

namespace {

std::string describe(int index, Number number) {
  return "message " + std::to_string(number) + " in queue " + queue(index).name;
}

}  // namespace

Operation ReferenceModel::operation() {
  if (!in_group_) return ++last_;
  if (group_ == 0) group_ = ++last_;
  return group_;
}

// Changes a definition; `durable` says whether it survives a restart.
void ReferenceModel::set(Operation operation, Key key, bool wanted, bool durable) {
  const bool changed = wanted ? live_.insert(key).second : live_.erase(key) > 0;
  if (changed && durable) toggles_.push_back({operation, key});
}

Operation ReferenceModel::declare_queue(int index) {
  const Operation now = operation();
  set(now, queue_key(index), true, queue(index).durable);
  return now;
}

Operation ReferenceModel::delete_queue(int index) {
  const Operation now = operation();
  remove_all(now, index);
  drop_bindings(now, false, index, false);
  set(now, queue_key(index), false, queue(index).durable);
  return now;
}

Operation ReferenceModel::purge(int index) {
  const Operation now = operation();
  remove_all(now, index);
  return now;
}

void ReferenceModel::remove_all(Operation now, int index) {
  for (auto& [number, entry] : entries(index)) {
    if (entry.present) remove(now, index, number, entry);
  }
}

Operation ReferenceModel::declare_exchange(int index) {
  const Operation now = operation();
  set(now, exchange_key(index), true, true);
  return now;
}

Operation ReferenceModel::delete_exchange(int index) {
  const Operation now = operation();
  drop_bindings(now, true, index, true);
  drop_bindings(now, true, index, false);
  set(now, exchange_key(index), false, true);
  return now;
}

void ReferenceModel::drop_bindings(Operation now, bool to_exchange, int index, bool as_source) {
  for (std::size_t i = 0; i < bindings().size(); ++i) {
    const BindingSpec& binding = bindings()[i];
    const bool meant = as_source
                           ? binding.source == index
                           : binding.to_exchange == to_exchange && binding.destination == index;
    if (!meant) continue;
    const bool durable = binding.to_exchange || queue(binding.destination).durable;
    set(now, binding_key(static_cast<int>(i)), false, durable);
  }
}

Operation ReferenceModel::bind(int index) {
  const Operation now = operation();
  const BindingSpec& binding = bindings()[static_cast<std::size_t>(index)];
  set(now, binding_key(index), true, binding.to_exchange || queue(binding.destination).durable);
  return now;
}

Operation ReferenceModel::unbind(int index) {
  const Operation now = operation();
  const BindingSpec& binding = bindings()[static_cast<std::size_t>(index)];
  set(now, binding_key(index), false, binding.to_exchange || queue(binding.destination).durable);
  return now;
}

void ReferenceModel::route(int exchange, const std::string& key, std::set<int>& targets) const {
  if (exchange == default_exchange) {
    const int index = simulation::find_queue(key);
    if (index != nowhere && has(queue_key(index))) targets.insert(index);
    return;
  }
  for (std::size_t i = 0; i < bindings().size(); ++i) {
    const BindingSpec& binding = bindings()[i];
    if (binding.source != exchange || !has(binding_key(static_cast<int>(i)))) continue;
    if (exchange == direct && binding.key != key) continue;
    if (binding.to_exchange) {
      route(binding.destination, key, targets);
    } else {
      targets.insert(binding.destination);
    }
  }
}

Operation ReferenceModel::publish(const Message& message, std::size_t& count) {
  const Operation now = operation();
  std::set<int> targets;
  route(message.exchange, message.key, targets);
  count = targets.size();
  for (const int index : targets)
    add(now, index, message);
  return now;
}

void ReferenceModel::add(Operation now, int index, const Message& message) {
  if (is_exact(index)) {
    entries(index)[message.number] = {.place = ++last_place_,
                                      .priority = std::min<std::uint8_t>(message.priority, 3),
                                      .present = true,
                                      .persistent = message.persistent};
    if (message.persistent && queue(index).durable) {
      toggles_.push_back({now, entry_key(index, message.number)});
    }
    return;
  }
  wanderers_[message.number] = {
      .origin = index, .published = now, .persistent = message.persistent, .published_at = now_};
}

void ReferenceModel::remove(Operation now, int index, Number number, Entry& entry) {
  entry.present = entry.held = false;
  if (entry.persistent && queue(index).durable) toggles_.push_back({now, entry_key(index, number)});
}

Operation ReferenceModel::settle(int index, Number number, How how) {
  if (!is_exact(index)) return settle_wanderer(index, number, how);
  const Operation now = operation();
  Entry& entry = entries(index).at(number);
  if (!entry.present) return now;  // its queue was deleted
  entry.held = false;
  if (how == How::requeue) return now;
  if (how == How::drop && index == rej) {
    drop_letter(now, number, entry);
  } else {
    remove(now, index, number, entry);
  }
  return now;
}

// Dropping a letter changes nothing in the set of what is durable, because it has the same key in
// both queues.
void ReferenceModel::drop_letter(Operation now, Number number, Entry& entry) {
  entry.present = false;
  entries(dead)[number] = {
      .place = ++last_place_, .present = true, .persistent = entry.persistent, .dropped_at = now};
}

Operation ReferenceModel::settle_wanderer(int index, Number number, How how) {
  const Operation now = operation();
  Wanderer& wanderer = wanderers_.at(number);
  wanderer.held = false;
  if (how == How::requeue) {
    if (index == tries) wanderer.returned.push_back(now);
    return now;
  }
  if (how == How::drop && queue(index).dead_to != nowhere) {
    wanderer.dropped = true;
    return now;
  }
  wanderer.gone = true;
  wanderer.settled = now;
  return now;
}

void ReferenceModel::deliver(int index, Number number, bool redelivered, bool for_good) {
  if (!is_exact(index)) return deliver_wanderer(index, number, for_good);
  const auto found = entries(index).find(number);
  if (found == entries(index).end()) throw Violation{"wrong-queue", describe(index, number)};
  Entry& entry = found->second;
  if (!entry.present) throw Violation{"settled-again", describe(index, number)};
  if (entry.held) throw Violation{"two-holders", describe(index, number)};
  if (entry.delivered && !redelivered) {
    throw Violation{"not-marked-redelivered", describe(index, number)};
  }
  if (!entry.delivered && !entry.in_doubt && redelivered) {
    throw Violation{"marked-redelivered", describe(index, number)};
  }
  entry.held = entry.delivered = true;
  if (index == dead) {
    for (auto& [each, letter] : entries(dead)) {
      if (!letter.present || letter.place > entry.place) continue;
      letter.arrived_at = std::min(letter.arrived_at, last_ + 1);
    }
  }
  if (for_good) settle(index, number, How::ack);
}

void ReferenceModel::deliver_wanderer(int index, Number number, bool for_good) {
  const auto found = wanderers_.find(number);
  if (found == wanderers_.end()) throw Violation{"wrong-queue", describe(index, number)};
  Wanderer& wanderer = found->second;
  if (index != wanderer.origin && index != queue(wanderer.origin).dead_to) {
    throw Violation{"wrong-queue", describe(index, number)};
  }
  if (wanderer.gone || wanderer.refused) throw Violation{"settled-again", describe(index, number)};
  if (wanderer.held) throw Violation{"two-holders", describe(index, number)};
  if (index == fdead && wanderer.origin == ttl && !wanderer.dropped &&
      now_ < wanderer.published_at + ttl_ms) {
    throw Violation{"expired-early", describe(index, number)};
  }
  if (index == tries && wanderer.returned_before + wanderer.returned.size() > tries_max) {
    throw Violation{"tried-too-often", describe(index, number)};
  }
  wanderer.held = true;
  if (for_good) settle(index, number, How::ack);
}

std::uint64_t ReferenceModel::place_of(int index, Number number) const {
  if (!is_exact(index)) return 0;
  return entries(index).at(number).place;
}

void ReferenceModel::refuse(Number number) {
  const auto found = wanderers_.find(number);
  if (found == wanderers_.end() || found->second.origin != full) {
    throw Violation{"nack", "of message " + std::to_string(number)};
  }
  found->second.refused = true;
}

void ReferenceModel::accept(Number number) {
  const auto found = wanderers_.find(number);
  if (found != wanderers_.end()) found->second.accepted = true;
}

void ReferenceModel::doubt(int index) {
  for (auto& [number, entry] : entries(index))
    entry.in_doubt = true;
}

int ReferenceModel::origin_of(Number number, int index) const {
  if (index == dead) return rej;
  const auto found = wanderers_.find(number);
  return index == fdead && found != wanderers_.end() ? found->second.origin : nowhere;
}

Number ReferenceModel::head(int index) const {
  Number first = 0;
  const Entry* best = nullptr;
  for (const auto& [number, entry] : entries(index)) {
    if (!entry.present) continue;
    const bool before = !best || (index == prio && entry.priority != best->priority
                                      ? entry.priority > best->priority
                                      : entry.place < best->place);
    if (!before) continue;
    best = &entry;
    first = number;
  }
  return first;
}

bool ReferenceModel::may_be_underway(int index, Number number) const {
  return index == dead && entries(dead).at(number).arrived_at == never;
}

void ReferenceModel::expect_empty() const {
  for (int index = 0; index < static_cast<int>(queue_count); ++index) {
    if (const Number number = head(index)) throw Violation{"lost", describe(index, number)};
  }
  for (const auto& [number, wanderer] : wanderers_) {
    if (wanderer.gone || wanderer.refused || loosened_.contains(wanderer.origin)) continue;
    if (wanderer.origin == full && wanderer.published > 0 && !wanderer.accepted) continue;
    throw Violation{"lost", describe(wanderer.origin, number)};
  }
}

void ReferenceModel::note_end(engine::LogPosition end) {
  if (ends_.empty() || ends_.back().first != last_) ends_.push_back({last_, end});
}

void ReferenceModel::claim(engine::LogPosition durable) {
  for (const auto& [operation, end] : ends_) {
    if (end <= durable) confirm(operation);
  }
}

}  // namespace haypile::simulation
