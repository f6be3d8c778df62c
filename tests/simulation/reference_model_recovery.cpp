// What may be there after a start.
#include <algorithm>
#include <unordered_map>

#include "simulation/reference_model.hpp"

namespace haypile::simulation {

namespace {

std::string describe(Key key) {
  const Key kind = key >> 60;
  const auto index = static_cast<int>(key & 0xFFFFFFFF);
  if (kind == 1) return "queue " + queue(index).name;
  if (kind == 2) return "exchange " + exchange_name(index);
  if (kind == 3) {
    const BindingSpec& binding = bindings()[static_cast<std::size_t>(index)];
    return "binding of " + exchange_name(binding.source) + " to " +
           (binding.to_exchange ? exchange_name(binding.destination)
                                : queue(binding.destination).name) +
           " by '" + binding.key + "'";
  }
  return "message " + std::to_string(index) + " in queue " +
         queue(static_cast<int>(key >> 32)).name;
}

bool is_definition(Key key) {
  return key >> 60 != 0;
}

}  // namespace

// Goes through all operations, beginning with the state at the start, and counts the keys in which
// that state differs from what was found.
ReferenceModel::Match ReferenceModel::match(const Found& found) const {
  struct Sides {
    bool in_books = false;
    bool found = false;
  };
  std::unordered_map<Key, Sides> sides;
  std::unordered_set<Key> all = found.definitions;
  for (int index = 0; index < static_cast<int>(queue_count); ++index) {
    if (!is_exact(index)) continue;
    for (const Found::Entry& entry : found.entries[static_cast<std::size_t>(index)]) {
      if (all.insert(entry_key(index, entry.number)).second) continue;
      throw Violation{"twice", describe(entry_key(index, entry.number))};
    }
  }
  for (const Key key : base_)
    sides[key].in_books = true;
  for (const Key key : all)
    sides[key].found = true;
  std::ptrdiff_t differences = std::ranges::count_if(
      sides, [](const auto& side) { return side.second.in_books != side.second.found; });
  Match match;
  bool matched = false;
  std::size_t next = 0;
  for (Operation operation = 0; operation <= last_; ++operation) {
    for (; next < toggles_.size() && toggles_[next].operation == operation; ++next) {
      Sides& side = sides[toggles_[next].key];
      side.in_books = !side.in_books;
      differences += side.in_books == side.found ? -1 : 1;
    }
    if (operation < must_ || differences != 0) continue;
    if (!std::exchange(matched, true)) match.first = operation;
    match.last = operation;
  }
  if (!matched) explain(all);
  return match;
}

// Throws the simplest description of what is wrong.
void ReferenceModel::explain(const std::unordered_set<Key>& found) const {
  std::unordered_set<Key> state = base_;
  std::unordered_set<Key> ever;
  std::unordered_set<Key> always;
  std::size_t next = 0;
  for (Operation operation = 0; operation <= last_; ++operation) {
    for (; next < toggles_.size() && toggles_[next].operation == operation; ++next) {
      const Key key = toggles_[next].key;
      if (state.erase(key) == 0) state.insert(key);
      if (state.contains(key)) ever.insert(key);
      if (!state.contains(key)) always.erase(key);
    }
    if (operation < must_) continue;
    if (operation == must_) ever = always = state;
  }
  for (const Key key : always) {
    if (found.contains(key)) continue;
    throw Violation{is_definition(key) ? "definition-lost" : "lost", describe(key)};
  }
  for (const Key key : found) {
    if (ever.contains(key)) continue;
    throw Violation{is_definition(key) ? "definition-is-back" : "settled-is-back", describe(key)};
  }
  throw Violation{"not-a-prefix", "between " + std::to_string(must_) + " and " +
                                      std::to_string(last_) + " of the operations"};
}

void ReferenceModel::check_order(int index, const std::vector<Found::Entry>& found) const {
  std::uint64_t last = 0;
  for (const Found::Entry& entry : found) {
    const std::uint64_t place = place_of(index, entry.number);
    if (place < last) throw Violation{"order", describe(entry_key(index, entry.number))};
    last = place;
  }
}

void ReferenceModel::check_letters(const Found& found, const Match& match) const {
  for (const Found::Entry& entry : found.entries[dead]) {
    if (entries(dead).at(entry.number).dropped_at <= match.last) continue;
    throw Violation{"not-a-prefix", describe(entry_key(dead, entry.number))};
  }
  for (const Found::Entry& entry : found.entries[rej]) {
    const auto letter = entries(dead).find(entry.number);
    if (letter == entries(dead).end() || letter->second.arrived_at > match.first) continue;
    throw Violation{"letter-is-back", describe(entry_key(rej, entry.number))};
  }
}

void ReferenceModel::check_wanderers(const Found& found, const Match& match) {
  std::map<Number, int> places;
  for (int index = 0; index < static_cast<int>(queue_count); ++index) {
    if (is_exact(index)) continue;
    for (const Found::Entry& entry : found.entries[static_cast<std::size_t>(index)]) {
      if (places.emplace(entry.number, index).second) continue;
      throw Violation{"in-two-queues", describe(entry_key(index, entry.number))};
    }
  }
  for (auto& [number, wanderer] : wanderers_) {
    const auto place = places.find(number);
    check_wanderer(number, wanderer, place == places.end() ? nowhere : place->second, match);
    const bool is_there = place != places.end();
    wanderer.returned_before += static_cast<std::size_t>(std::ranges::count_if(
        wanderer.returned, [&](Operation each) { return each <= match.first; }));
    wanderer.returned.clear();
    // One return too many is possible: the message was on its way when the broker ended, and has
    // one more try.
    if (is_there && place->second == tries) {
      wanderer.returned_before = std::min(wanderer.returned_before, tries_max);
    }
    wanderer.published = 0;
    wanderer.settled = 0;
    wanderer.gone = !is_there;
    wanderer.held = false;
    wanderer.refused = false;
    if (is_there) places.erase(place);
  }
  if (places.empty()) return;
  throw Violation{"unknown-message",
                  describe(entry_key(places.begin()->second, places.begin()->first))};
}

void ReferenceModel::check_wanderer(Number number, const Wanderer& wanderer, int place,
                                    const Match& match) const {
  const std::string text = describe(entry_key(wanderer.origin, number));
  if (place == nowhere) {
    if (!wanderer.persistent || wanderer.gone || wanderer.refused) return;
    if (wanderer.published > match.first || loosened_.contains(wanderer.origin)) return;
    if (wanderer.origin == full && wanderer.published > 0 && !wanderer.accepted) return;
    throw Violation{"lost", text};
  }
  if (place != wanderer.origin && place != queue(wanderer.origin).dead_to) {
    throw Violation{"wrong-queue", text};
  }
  if (!wanderer.persistent) throw Violation{"transient-survived", text};
  if (wanderer.refused) throw Violation{"refused-is-there", text};
  if (wanderer.published > match.last) throw Violation{"not-a-prefix", text};
  if (wanderer.gone && wanderer.settled <= match.first) {
    throw Violation{"settled-is-back", text};
  }
  if (place == fdead && wanderer.origin == ttl && !wanderer.dropped &&
      now_ < wanderer.published_at + ttl_ms) {
    throw Violation{"expired-early", text};
  }
}

void ReferenceModel::take_over(int index, const std::vector<Found::Entry>& found, bool clean) {
  auto& all = entries(index);
  std::unordered_map<Number, bool> marks;
  for (const Found::Entry& entry : found)
    marks[entry.number] = entry.redelivered;
  for (auto& [number, entry] : all) {
    const auto mark = marks.find(number);
    entry.present = mark != marks.end();
    entry.held = false;
    if (index == dead) entry.dropped_at = entry.arrived_at = entry.present ? 0 : never;
    if (!entry.present) continue;
    const bool redelivered = mark->second;
    if (!redelivered && (entry.delivered || !clean)) {
      throw Violation{"not-marked-redelivered", describe(entry_key(index, number))};
    }
    if (redelivered && clean && !entry.delivered && !entry.in_doubt) {
      throw Violation{"marked-redelivered", describe(entry_key(index, number))};
    }
    entry.delivered = redelivered;
    entry.in_doubt = false;
  }
}

void ReferenceModel::recovered(const Found& found) {
  for (int index = 0; index < static_cast<int>(queue_count); ++index) {
    for (const Found::Entry& entry : found.entries[static_cast<std::size_t>(index)]) {
      if (!found.clean && !entry.redelivered) {
        throw Violation{"not-marked-redelivered", describe(entry_key(index, entry.number))};
      }
      if (is_exact(index) && !entries(index).contains(entry.number)) {
        throw Violation{"wrong-queue", describe(entry_key(index, entry.number))};
      }
    }
  }
  const Match match = this->match(found);
  for (int index = 0; index < static_cast<int>(queue_count); ++index) {
    const auto& entries = found.entries[static_cast<std::size_t>(index)];
    if (!is_exact(index)) continue;
    check_order(index, entries);
  }
  check_letters(found, match);
  for (int index = 0; index < static_cast<int>(queue_count); ++index) {
    if (is_exact(index))
      take_over(index, found.entries[static_cast<std::size_t>(index)], found.clean);
  }
  check_wanderers(found, match);
  base_ = live_ = found.definitions;
  for (int index = 0; index < static_cast<int>(queue_count); ++index) {
    if (!is_exact(index)) continue;
    for (const Found::Entry& entry : found.entries[static_cast<std::size_t>(index)])
      base_.insert(entry_key(index, entry.number));
  }
  toggles_.clear();
  ends_.clear();
  loosened_.clear();
  end();
  last_ = must_ = 0;
}

}  // namespace haypile::simulation
