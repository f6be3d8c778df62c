#include "engine/dead_letters.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace haypile::engine {

void DeadLetters::add(DeadLetter letter) {
  fresh_.push_back(std::move(letter));
}

bool DeadLetters::take(DeadLetter& out) {
  if (waiting_.empty()) return false;
  out = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

void DeadLetters::line_up(std::deque<DeadLetter>::const_iterator before) {
  waiting_.insert(before, std::make_move_iterator(fresh_.begin()),
                  std::make_move_iterator(fresh_.end()));
  fresh_.clear();
}

std::string to_text(const StoppedLetters& cut) {
  std::string text = "dead letters dropped: " + std::to_string(cut.by_hops) + " after " +
                     std::to_string(DeadLetterLimits::hops_max) + " queues, " +
                     std::to_string(cut.by_copies) + " beyond " +
                     std::to_string(DeadLetterLimits::copies_max) + " copies; from";
  for (const std::string& queue : cut.queues)
    text += " '" + queue + "'";
  return text;
}

bool DeadLetterLimits::may_go_on(std::size_t hops, const std::string& queue) {
  if (hops <= hops_max) return true;
  ++stopped_.by_hops;
  note(queue);
  return false;
}

std::size_t DeadLetterLimits::grant_copies(std::size_t wanted, CopyMark& mark, TimeMs now,
                                           const std::string& queue) {
  // While there is only one of the message, only its hops are counted.
  if (wanted < 2 && mark.original == 0) return wanted;
  std::uint64_t& count = count_of(mark, now);
  const std::uint64_t left = copies_max - std::min(count, copies_max);
  const auto granted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, left));
  count += granted;
  mark.count = count;
  if (granted < wanted) {
    stopped_.by_copies += wanted - granted;
    note(queue);
  }
  return granted;
}

// The name of an original is made of the time, so that no other original has it, not even one of an
// earlier run.
std::uint64_t& DeadLetterLimits::count_of(CopyMark& mark, TimeMs now) {
  if (mark.original == 0) {
    constexpr unsigned numbers_a_ms = 1u << 10;
    last_original_ = std::max<std::uint64_t>(last_original_ + 1, now * numbers_a_ms);
    mark = {.original = last_original_, .count = 0};
  }
  const auto [place, is_new] = counts_.try_emplace(mark.original, mark.count);
  if (is_new) {
    originals_.push_back(mark.original);
    if (originals_.size() > originals_max) {
      counts_.erase(originals_.front());
      originals_.pop_front();
    }
  }
  return place->second;
}

void DeadLetterLimits::note(const std::string& queue) {
  if (stopped_.queues.size() >= names_max || std::ranges::count(stopped_.queues, queue) > 0) return;
  stopped_.queues.push_back(queue);
}

StoppedLetters DeadLetterLimits::take_stopped() {
  return std::exchange(stopped_, {});
}

}  // namespace haypile::engine
