#include "engine/mover.hpp"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/canary.hpp"
#include "engine/queue.hpp"
#include "engine/ready_messages.hpp"

namespace haypile::engine {

namespace {

// How many messages one turn stores; the journal has its own limit in bytes.
constexpr std::size_t messages_per_turn = 10'000;
// Examining a queue counts as this many messages, whatever is in it.
constexpr std::size_t messages_per_queue = 10;
constexpr std::size_t messages_per_unit = 10;
// How many of the messages that consumers have unacked are examined in a turn.
constexpr std::size_t in_hand_per_turn = 100'000;
// Held memory counts as grown if it is more by this share of its limit.
constexpr std::size_t growth_share = 8;

// The unacked messages before the boundary that have not been stored yet, in the order in which
// they are to be stored.
class UnackedInOrder {
 public:
  UnackedInOrder(LogPosition boundary, std::size_t count_max)
      : boundary_(boundary), count_max_(count_max) {}

  // Continues the walk over these messages.
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
  // Queue by queue, and in each queue by level and place, since they take the least room in this
  // order.
  void sort() {
    std::ranges::sort(found_, {}, [](const Found& each) {
      const auto [priority, place] = each.queue->order_of(*each.entry);
      return std::tuple(each.queue->definition().id, priority, place);
    });
  }
  // Stores the messages as long as `may_continue()`. Returns true if there are no more. The walks
  // only move on when everything they found has been stored.
  template <class MayContinue>
  bool store(MayContinue may_continue) {
    for (const Found& each : found_) {
      if (!may_continue()) return false;
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
  bool has_room() const { return found_.size() < count_max_; }

  const LogPosition boundary_;
  const std::size_t count_max_;
  std::vector<Found> found_;
  std::vector<std::pair<Unacked*, std::uint64_t>> walks_;  // each with the tag it has reached
  std::size_t looked_at_ = 0;
  bool is_all_ = true;
};

}  // namespace

// The memory of messages that do not wait in queues, or cannot leave memory.
std::size_t Mover::held_bytes() const {
  return context_.memory.bytes - std::min(context_.memory.bytes, context_.movable_bytes);
}

// A move only helps against memory that has grown since the last one.
bool Mover::holds_more() {
  const std::size_t held = held_bytes();
  least_held_bytes_ = std::min(least_held_bytes_, held);
  return held > held_max_bytes_ && held - least_held_bytes_ > held_max_bytes_ / growth_share;
}

bool Mover::run() {
  if (!is_moving()) {
    const bool is_memory_short = holds_more() || context_.movable_bytes > movable_max_bytes_;
    const LogPosition boundary = context_.journal.move_boundary(is_memory_short);
    if (boundary == 0) return false;
    context_.journal.begin_move(boundary);
    context_.moves.begin(boundary);
    registry_.each([](Subscriptions& subscriptions) { subscriptions.unacked().begin_walk(); });
    registry_.each_job([](SettlingJob& job) { job.messages.begin_walk(); });
  }
  if (!context_.journal.takes_more()) return false;
  continue_move();
  return true;
}

// Queues come first: messages that are popped or come back meanwhile are found at the end.
void Mover::continue_move() {
  Moves& moves = context_.moves;
  Journal& journal = context_.journal;
  std::size_t messages_left = messages_per_turn;
  std::vector<ReadyMessages*> moved;
  while (!moves.due.empty() && messages_left > 0 && journal.takes_more()) {
    auto& queue = static_cast<ReadyMessages&>(moves.due.front());
    messages_left -= std::min(messages_left, messages_per_queue);
    moved.push_back(&queue);
    if (!queue.move_out(moves.boundary, messages_left)) break;
    queue.unlink();
    if (queue.has_movable()) moves.later.add(queue);
  }
  const bool is_done = moves.due.empty() && move_unacked(messages_left);
  journal.end_portion();
  for (ReadyMessages* queue : moved)
    queue->moved_out();
  context_.work.spend((messages_per_turn - messages_left) / messages_per_unit);
  if (!is_done) return;
  journal.end_move();
  moves.end();
  least_held_bytes_ = held_bytes();
}

// Channels know their unacked messages, queues do not. Returns true if all of them are stored.
bool Mover::move_unacked(std::size_t& messages_left) {
  UnackedInOrder in_hand(context_.moves.boundary, messages_left);
  registry_.each([&](Subscriptions& subscriptions) {
    subscriptions.each_held(
        [&](UnackedMessage& message) { in_hand.add(message.queue, message.entry); });
    in_hand.look_at(subscriptions.unacked());
  });
  registry_.each_job([&](SettlingJob& job) { in_hand.look_at(job.messages); });
  context_.letters.each([&](DeadLetter& letter) { in_hand.add(letter.queue, letter.entry); });
  in_hand.sort();
  return in_hand.store([&] {
    if (messages_left == 0 || !context_.journal.takes_more()) return false;
    --messages_left;
    return true;
  });
}

}  // namespace haypile::engine
