#include "engine/withheld.hpp"

namespace haypile::engine {

namespace {
// One node of a map and two nodes of sets.
constexpr std::size_t bytes_beside_entry = 256;
}  // namespace

// Each message is in up to three indexes under its standing: by the queue's order, by how much its
// client must be able to get, and, if it is unsaved, by its position in the log.
void Withheld::add(std::uint8_t level, QueuedMessage&& entry, const MessageTimes& times,
                   std::size_t needed, bool is_unsaved) {
  const Standing standing{level, entry.place};
  bytes_ += entry.body_size();
  by_need_.emplace(needed, standing);
  if (is_unsaved) unsaved_.emplace(entry.message->position(), standing);
  by_order_.emplace(
      standing, Message{std::move(entry), times, needed, MemoryShare(memory_, bytes_beside_entry)});
}

// A client with a high limit gets the messages in their order. A client with a lower one must not
// wait for a message that it cannot get, so it may get a later one that is small enough.
std::optional<Standing> Withheld::next_for(std::size_t properties_max) const {
  const auto first = by_order_.begin();
  if (first->second.needed <= properties_max) return first->first;
  const auto& [needed, standing] = *by_need_.begin();
  return needed <= properties_max ? std::optional(standing) : std::nullopt;
}

void Withheld::take(const Standing& standing, QueuedMessage& out) {
  const auto at = by_order_.find(standing);
  Message& message = at->second;
  bytes_ -= message.entry.body_size();
  by_need_.erase({message.needed, at->first});
  unsaved_.erase({message.entry.message->position(), at->first});
  out = std::move(message.entry);
  by_order_.erase(at);
}

QueuedMessage* Withheld::first_unsaved(LogPosition boundary) {
  if (unsaved_.empty() || unsaved_.begin()->first >= boundary) return nullptr;
  return &by_order_.find(unsaved_.begin()->second)->second.entry;
}

}  // namespace haypile::engine
