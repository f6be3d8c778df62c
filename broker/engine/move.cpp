// How old messages leave the log and memory.
#include <map>
#include <vector>

#include "engine/canary.hpp"
#include "engine/engine.hpp"

namespace haypile::engine {

void Engine::make_room() {
  const bool is_memory_short = surroundings_.movable_bytes > movable_max_bytes_;
  const LogPosition boundary = surroundings_.journal.move_boundary(is_memory_short);
  if (boundary != 0) move_out(boundary);
}

// Channels know what their consumers have in hand, queues do not.
void Engine::move_out(LogPosition boundary) {
  std::unordered_map<Queue*, std::vector<Entry*>> in_hand;
  const auto add = [&](Queue* queue, Entry& entry) {
    if (HAYPILE_CANARY(in_hand_not_moved)) return;
    const LogPosition position = entry.message->position();
    if (!queue->durable() || position == 0 || position >= boundary || entry.stored != 0) return;
    in_hand[queue].push_back(&entry);
  };
  for (Channel* channel : channels_)
    channel->each_in_hand([&](UnackedMessage& message) { add(message.queue, message.entry); });
  for (Settling& settling : settlings_) {
    settling.messages.each([&](UnackedMessage& message) { add(message.queue, message.entry); });
  }
  surroundings_.letters.each([&](DeadLetter& letter) { add(letter.queue, letter.entry); });

  Journal& journal = surroundings_.journal;
  journal.begin_move(boundary);
  const auto move = [&](Queue& queue) { queue.move_out(boundary, in_hand[&queue]); };
  for (const auto& [name, queue] : queues_) {
    if (queue->durable() && (queue->ready_count() > 0 || in_hand.contains(queue.get()))) {
      move(*queue);
    }
  }
  for (const auto& [pointer, queue] : deleted_) {
    if (in_hand.contains(queue.get())) move(*queue);
  }
  journal.end_move();
  for (const auto& [name, queue] : queues_) {
    if (queue->durable()) queue->moved_out();
  }
}

}  // namespace haypile::engine
