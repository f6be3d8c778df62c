// How old messages leave the log and memory, a share of a turn at a time.
#include <algorithm>
#include <tuple>
#include <utility>
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
// Of what consumers have in hand: at most so many are looked at in a turn.
constexpr std::size_t in_hand_per_turn = 100'000;
// What is held has grown when it is so much more, as a share of what may be held.
constexpr std::size_t growth_share = 8;
}  // namespace

// What consumers have in hand that is before the boundary and has not been stored yet.
class Engine::UnackedInOrder {
 public:
  UnackedInOrder(LogPosition boundary, std::size_t copies_max)
      : boundary_(boundary), copies_max_(copies_max) {}

  // Goes on with the walk over them.
  void look_at(Unacked& messages) {
    const std::uint64_t place = messages.walk_on([this](UnackedMessage& message) {
      if (looked_at_ == in_hand_per_turn || !has_room()) return false;
      ++looked_at_;
      add(message.queue, message.entry);
      return true;
    });
    walks_.emplace_back(&messages, place);
    is_all_ = is_all_ && place > messages.last_tag();
  }
  void add(Queue* queue, QueuedMessage& entry) {
    const LogPosition position = entry.message->position();
    if (!queue->durable() || position == 0 || position >= boundary_ || entry.stored != 0) return;
    is_all_ = is_all_ && has_room();
    if (has_room() && !HAYPILE_CANARY(in_hand_not_moved)) found_.push_back({queue, &entry});
  }
  // Those that are first in their queues come first.
  void sort() {
    std::ranges::sort(found_, {}, [](const Found& each) {
      const auto [priority, place] = each.queue->order_of(*each.entry);
      return std::tuple(each.queue->definition().id, priority, place);
    });
  }
  // Stores them as long as `may_go_on()`. True if there are no more of them.
  template <class MayGoOn>
  bool store(MayGoOn may_go_on) {
    for (const Found& each : found_) {
      if (!may_go_on()) return false;
      each.queue->store_unacked(*each.entry);
    }
    for (const auto& [messages, place] : walks_)
      messages->go_to(place);
    return is_all_;
  }

 private:
  struct Found {
    Queue* queue;
    QueuedMessage* entry;
  };
  bool has_room() const { return found_.size() < copies_max_; }

  const LogPosition boundary_;
  const std::size_t copies_max_;
  std::vector<Found> found_;
  std::vector<std::pair<Unacked*, std::uint64_t>> walks_;  // and how far each has come
  std::size_t looked_at_ = 0;
  bool is_all_ = true;
};

// What is not waiting in queues, or cannot leave memory.
std::size_t Engine::held_bytes() const {
  return memory_bytes() - std::min(memory_bytes(), movable_bytes());
}

// A move only helps against what has come since the last one.
bool Engine::holds_more() {
  const std::size_t held = held_bytes();
  least_held_bytes_ = std::min(least_held_bytes_, held);
  return held > held_max_bytes_ && held - least_held_bytes_ > held_max_bytes_ / growth_share;
}

bool Engine::move_old_messages() {
  Moves& moves = context_.moves;
  if (!is_moving()) {
    const bool is_memory_short = holds_more() || movable_bytes() > movable_max_bytes_;
    const LogPosition boundary = context_.journal.move_boundary(is_memory_short);
    if (boundary == 0) return false;
    context_.journal.begin_move(boundary);
    moves.begin(boundary);
    for (Subscriptions* channel : subscriptions_)
      channel->unacked_.begin_walk();
    for (SettlingJob& settling : settling_jobs_)
      settling.messages.begin_walk();
  }
  if (!context_.journal.takes_more()) return false;
  move_some();
  return true;
}

// Queues first. What is popped meanwhile, or comes back, is found at the end.
void Engine::move_some() {
  Moves& moves = context_.moves;
  Journal& journal = context_.journal;
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
  const bool is_done = moves.due.empty() && move_unacked(copies_left);
  journal.end_portion();
  for (ReadyMessages* queue : moved)
    queue->moved_out();
  context_.work.spend((copies_per_turn - copies_left) / copies_per_unit);
  if (!is_done) return;
  journal.end_move();
  moves.end();
  least_held_bytes_ = held_bytes();
}

// Channels know what their consumers have in hand, queues do not. True if all of it is stored.
bool Engine::move_unacked(std::size_t& copies_left) {
  UnackedInOrder in_hand(context_.moves.boundary, copies_left);
  for (Subscriptions* channel : subscriptions_) {
    channel->each_held([&](UnackedMessage& message) { in_hand.add(message.queue, message.entry); });
    in_hand.look_at(channel->unacked_);
  }
  for (SettlingJob& settling : settling_jobs_)
    in_hand.look_at(settling.messages);
  context_.letters.each([&](DeadLetter& letter) { in_hand.add(letter.queue, letter.entry); });
  in_hand.sort();
  return in_hand.store([&] {
    if (copies_left == 0 || !context_.journal.takes_more()) return false;
    --copies_left;
    return true;
  });
}

}  // namespace haypile::engine
