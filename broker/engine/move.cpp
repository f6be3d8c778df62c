// How old messages leave the log and memory, a share of a turn at a time.
#include <algorithm>
#include <tuple>
#include <vector>

#include "engine/canary.hpp"
#include "engine/engine.hpp"

namespace haypile::engine {

namespace {
// What one turn stores, in copies; the journal has its own limit in bytes.
constexpr std::size_t copies_per_turn = 10'000;
// What it costs to come to a queue, whatever it has.
constexpr std::size_t copies_per_queue = 10;
constexpr std::size_t copies_per_unit = 10;

struct InHand {
  Queue* queue;
  Entry* entry;
};
}  // namespace

bool Engine::make_room() {
  Moves& moves = surroundings_.moves;
  if (!is_moving()) {
    const bool is_memory_short = surroundings_.movable_bytes > movable_max_bytes_;
    const LogPosition boundary = surroundings_.journal.move_boundary(is_memory_short);
    if (boundary == 0) return false;
    surroundings_.journal.begin_move(boundary);
    moves.begin(boundary);
  }
  if (!surroundings_.journal.takes_more()) return false;
  move_some();
  return true;
}

// Queues first. What is popped meanwhile, or comes back, is found at the end.
void Engine::move_some() {
  Moves& moves = surroundings_.moves;
  Journal& journal = surroundings_.journal;
  std::size_t copies_left = copies_per_turn;
  std::vector<ReadyMessages*> moved;
  while (!moves.due.empty() && copies_left > 0 && journal.takes_more()) {
    auto& queue = static_cast<ReadyMessages&>(moves.due.front());
    copies_left -= std::min(copies_left, copies_per_queue);
    moved.push_back(&queue);
    if (!queue.move_out(moves.boundary, copies_left)) break;
    queue.unlink();
    if (queue.has_movable()) moves.later.add(queue);
  }
  const bool is_done = moves.due.empty() && move_in_hand(copies_left);
  journal.end_portion();
  for (ReadyMessages* queue : moved)
    queue->moved_out();
  surroundings_.work.spend((copies_per_turn - copies_left) / copies_per_unit);
  if (!is_done) return;
  journal.end_move();
  moves.end();
}

// Channels know what their consumers have in hand, queues do not. True if all of it is stored.
bool Engine::move_in_hand(std::size_t& copies_left) {
  std::vector<InHand> found;
  const LogPosition boundary = surroundings_.moves.boundary;
  const auto add = [&](Queue* queue, Entry& entry) {
    if (found.size() > copies_left || HAYPILE_CANARY(in_hand_not_moved)) return;
    const LogPosition position = entry.message->position();
    if (!queue->durable() || position == 0 || position >= boundary || entry.stored != 0) return;
    found.push_back({queue, &entry});
  };
  for (Channel* channel : channels_)
    channel->each_in_hand([&](UnackedMessage& message) { add(message.queue, message.entry); });
  for (Settling& settling : settlings_)
    settling.messages.each([&](UnackedMessage& message) { add(message.queue, message.entry); });
  surroundings_.letters.each([&](DeadLetter& letter) { add(letter.queue, letter.entry); });
  std::ranges::sort(found, {}, [](const InHand& each) {
    const auto [priority, place] = each.queue->order_of(*each.entry);
    return std::tuple(each.queue->definition().id, priority, place);
  });
  for (const InHand& each : found) {
    if (copies_left == 0 || !surroundings_.journal.takes_more()) return false;
    --copies_left;
    each.queue->move_in_hand(*each.entry);
  }
  return true;
}

}  // namespace haypile::engine
