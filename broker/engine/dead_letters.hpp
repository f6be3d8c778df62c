// The messages that queues have given up and that nobody has passed on yet, and the limits for
// them.
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
// it is passed on, the journal has it in that queue.
struct DeadLetter {
  Queue* queue = nullptr;
  QueuedMessage entry;
  DeathReason reason = DeathReason::rejected;
};

// Holds dead letters in the order in which they are passed on. The letters that a letter causes
// come next, before its siblings, so that few wait even where letters multiply.
class DeadLetters {
 public:
  bool empty() const { return fresh_.empty() && waiting_.empty(); }
  std::size_t size() const { return fresh_.size() + waiting_.size(); }
  bool has_fresh() const { return !fresh_.empty(); }
  // Whether letters of earlier calls wait.
  bool has_waiting() const { return !waiting_.empty(); }
  // Whether so many letters wait that a queue should keep what it need not give up now.
  bool is_full() const { return size() >= full_size; }

  void add(DeadLetter letter);
  // Move the fresh letters into the line: behind all letters there, or before them.
  void line_up_last() { line_up(waiting_.end()); }
  void line_up_first() { line_up(waiting_.begin()); }
  // Takes the first letter in the line. Returns false if there is none.
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

// Counts dead letters that were stopped by limits since take_stopped() was called last.
struct StoppedLetters {
  std::uint64_t by_hops = 0;    // messages
  std::uint64_t by_copies = 0;  // copies that were not made
  // The queues that gave them up, up to a small number.
  std::vector<std::string> queues;
  bool any() const { return by_hops + by_copies > 0; }
};

// The text for the broker's log.
std::string to_text(const StoppedLetters& cut);

// Limits through how many queues a message may go as a dead letter, and how many copies may be made
// of it, since a consumer rejected it last. This ends what a topology that leads in circles would
// continue for ever.
class DeadLetterLimits {
 public:
  static constexpr std::size_t hops_max = 64;
  static constexpr std::uint64_t copies_max = 100'000;

  // Whether a message that has died in that many queues may be passed on. `queue` is the last of
  // them.
  bool may_go_on(std::size_t hops, const std::string& queue);
  // Returns how many of `wanted` copies may be made, and counts them. `mark` is the message's mark;
  // afterwards it is the mark for the copies.
  std::size_t grant_copies(std::size_t wanted, CopyMark& mark, TimeMs now,
                           const std::string& queue);
  StoppedLetters take_stopped();

 private:
  std::uint64_t& count_of(CopyMark& mark, TimeMs now);
  void note(const std::string& queue);

  // A forgotten original continues with the count in its message's own mark.
  static constexpr std::size_t originals_max = 10'000;
  static constexpr std::size_t names_max = 10;

  std::unordered_map<std::uint64_t, std::uint64_t> counts_;  // copies by original
  std::deque<std::uint64_t> originals_;                      // the oldest first
  std::uint64_t last_original_ = 0;
  StoppedLetters stopped_;
};

}  // namespace haypile::engine
