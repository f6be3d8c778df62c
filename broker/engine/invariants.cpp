// Checks the invariants of a virtual host: what its parts count must agree.
#include <unordered_map>
#include <unordered_set>

#include "engine/engine.hpp"
#include "engine/invariant.hpp"

namespace haypile::engine {

namespace {

// Counts all messages that it is shown.
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
  registry_.each([&](Subscriptions& subscriptions) {
    subscriptions.check_invariants();
    if (subscriptions.is_limited()) ++limited_count;
    subscriptions.each_in_hand(add_unacked);
  });
  registry_.each_job([&](SettlingJob& job) {
    job.messages.check_invariants();
    job.messages.each(add_unacked);
  });
  context_.letters.each([&](const DeadLetter& letter) { count.add_letter(letter); });
  const auto check = [&](Queue& queue) {
    queue.check_invariants(count.unacked(queue), count.letters(queue));
    queue.each_ready([&](const QueuedMessage& entry) { count.add(entry); });
  };
  topology_.check_invariants();
  topology_.each_queue(check);
  topology_.removals().each_queue(check);
  expect_invariant(limited_count == registry_.limited_count(), "who has enough in hand is known");
  // Sessions may hold more messages.
  expect_invariant(count.bytes() <= memory_bytes(), "what is held is counted");
}

}  // namespace haypile::engine
