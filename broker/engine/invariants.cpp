// That the books of a virtual host agree with each other.
#include <unordered_map>
#include <unordered_set>

#include "engine/engine.hpp"
#include "engine/invariant.hpp"

namespace haypile::engine {

namespace {

// Goes through all that there is, and adds it up.
class Count {
 public:
  void add(const QueuedMessage& entry) {
    expect_invariant(static_cast<bool>(entry.message), "an entry has a message");
    bytes_ += MessagePtr::entry_bytes;
    if (entry.message->is_absent()) return;
    if (seen_.insert(&*entry.message).second) bytes_ += entry.message->size();
  }
  void add_unacked(const UnackedMessage& message) {
    add(message.entry);
    ++unacked_[message.queue];
  }
  void add_letter(const DeadLetter& letter) {
    add(letter.entry);
    ++letters_[letter.queue];
  }
  std::size_t unacked(const Queue& queue) { return unacked_[&queue]; }
  std::size_t letters(const Queue& queue) { return letters_[&queue]; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::unordered_set<const Message*> seen_;
  std::unordered_map<const Queue*, std::size_t> unacked_;
  std::unordered_map<const Queue*, std::size_t> letters_;
  std::size_t bytes_ = 0;
};

}  // namespace

void Engine::check_invariants() {
  Count count;
  const auto add_unacked = [&](const UnackedMessage& message) { count.add_unacked(message); };
  std::size_t limited_count = 0;
  for (Subscriptions* channel : subscriptions_) {
    channel->check_invariants();
    if (channel->is_limited_) ++limited_count;
    channel->each_in_hand(add_unacked);
  }
  for (SettlingJob& settling : settling_jobs_) {
    settling.messages.check_invariants();
    settling.messages.each(add_unacked);
  }
  context_.letters.each([&](const DeadLetter& letter) { count.add_letter(letter); });
  const auto check = [&](Queue& queue) {
    queue.check_invariants(count.unacked(queue), count.letters(queue));
    queue.each_ready([&](const QueuedMessage& entry) { count.add(entry); });
  };
  for (const auto& [name, queue] : queues_) {
    expect_invariant(!queue->closed() && queue->name() == name, "a queue is known by its name");
    check(*queue);
  }
  for (const auto& [pointer, queue] : deleted_) {
    expect_invariant(queue->closed() && !queue->is_finished(),
                     "a deleted queue is kept as long as something of it is left, and no longer");
    check(*queue);
  }
  for (const auto& [name, exchange] : exchanges_) {
    expect_invariant(!exchange->closed() && exchange->name() == name,
                     "an exchange is known by its name");
  }
  for (const UnbindingJob& each : unbinding_) {
    expect_invariant(each.queue ? deleted_.contains(each.queue) : each.exchange->closed(),
                     "what is deleted is unbound");
  }
  expect_invariant(limited_count == limited_.size() + limits_to_lift_.size(),
                   "who has enough in hand is known");
  // Sessions may hold more.
  expect_invariant(count.bytes() <= memory_bytes(), "what is held is counted");
}

}  // namespace haypile::engine
