// What queues have given up and nobody has passed on yet, and how far it may spread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/message.hpp"
#include "engine/property_codec.hpp"

namespace haypile::engine {

class Queue;

// A message that its queue has given up, and that goes to the queue's dead-letter exchange. Until
// then the journal has it in that queue.
struct DeadLetter {
  Queue* queue = nullptr;
  QueuedMessage entry;
  DeathReason reason = DeathReason::rejected;
};

// In the order in which they are to be passed on. What a letter causes is next, before its
// siblings, so that few wait even where letters multiply.
class DeadLetters {
 public:
  bool empty() const { return fresh_.empty() && waiting_.empty(); }
  std::size_t size() const { return fresh_.size() + waiting_.size(); }
  bool has_fresh() const { return !fresh_.empty(); }
  // Whether any were left by an earlier call.
  bool has_waiting() const { return !waiting_.empty(); }
  // With so many, a queue keeps what it is not asked to give up just now.
  bool is_full() const { return size() >= full_size; }

  void add(DeadLetter letter);
  // Those that were added since take their places: behind all others, or before them.
  void line_up_last() { line_up(waiting_.end()); }
  void line_up_first() { line_up(waiting_.begin()); }
  // The next one of those that have a place; false if there is none.
  bool take(DeadLetter& out);

  template <class Visit>
  void each(Visit visit) {
    for (DeadLetter& letter : waiting_)
      visit(letter);
    for (DeadLetter& letter : fresh_)
      visit(letter);
  }

  static constexpr std::size_t full_size = 1000;

 private:
  void line_up(std::deque<DeadLetter>::const_iterator before);

  std::deque<DeadLetter> waiting_;
  std::vector<DeadLetter> fresh_;
};

// Dead letters that went no further, since somebody asked last.
struct StoppedLetters {
  std::uint64_t by_hops = 0;    // messages
  std::uint64_t by_copies = 0;  // copies that were not made
  // Of the queues that gave them up; some, if there are many.
  std::vector<std::string> queues;
  bool any() const { return by_hops + by_copies > 0; }
};

// For the log of the broker.
std::string to_text(const StoppedLetters& cut);

// A message may go through so many queues, and be copied so often, without a consumer that rejects
// it in between. A topology that leads on and on ends here, whoever has made it.
class DeadLetterLimits {
 public:
  static constexpr std::size_t hops_max = 64;
  static constexpr std::uint64_t copies_max = 100'000;

  // Whether a message that has died in so many queues may go on; `queue` is the last one.
  bool may_go_on(std::size_t hops, const std::string& queue);
  // How many of `wanted` copies may be made, and takes note of them; `mark` is the message's, and
  // that of the copies afterwards.
  std::size_t grant_copies(std::size_t wanted, CopyMark& mark, TimeMs now,
                           const std::string& queue);
  StoppedLetters take_stopped();

 private:
  std::uint64_t& count_of(CopyMark& mark, TimeMs now);
  void note(const std::string& queue);

  // What is forgotten begins with what the message's own mark says.
  static constexpr std::size_t originals_max = 10'000;
  static constexpr std::size_t names_max = 10;

  std::unordered_map<std::uint64_t, std::uint64_t> counts_;  // by original
  std::deque<std::uint64_t> originals_;                      // the oldest first
  std::uint64_t last_original_ = 0;
  StoppedLetters stopped_;
};

}  // namespace haypile::engine
