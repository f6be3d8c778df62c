#include "reconnect.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace haypile {

namespace {

using std::chrono::milliseconds;

// Puts what makes no sense within its bounds; a factor or jitter that is no number becomes the
// least one.
std::optional<Backoff> within_bounds(std::optional<Backoff> backoff) {
  if (!backoff) return backoff;
  constexpr milliseconds least{1};
  constexpr milliseconds longest = std::chrono::hours(24);
  backoff->most = std::clamp(backoff->most, least, longest);
  backoff->first = std::clamp(backoff->first, least, backoff->most);
  backoff->factor = std::max(1.0, backoff->factor);
  backoff->jitter = std::min(1.0, std::max(0.0, backoff->jitter));
  return backoff;
}

double count_ms(milliseconds time) {
  return static_cast<double>(time.count());
}

}  // namespace

Reconnect::Reconnect(std::size_t host_count, std::optional<Backoff> backoff,
                     std::function<double()> random)
    : host_count_(host_count), backoff_(within_bounds(backoff)), random_(std::move(random)) {
  assert(host_count_ > 0);
  const double any = random_() * static_cast<double>(host_count_);
  host_ = std::min(static_cast<std::size_t>(any), host_count_ - 1);
  if (backoff_) wait_ms_ = count_ms(backoff_->first);
}

Reconnect::Action Reconnect::start(Time) {
  if (state_ != State::idle) return Nothing{};
  left_in_round_ = host_count_ - 1;
  state_ = State::connecting;
  return Connect{host_};
}

Reconnect::Action Reconnect::connect_failed(Time now) {
  return state_ == State::connecting ? attempt_failed(now) : Nothing{};
}

Reconnect::Action Reconnect::connected(Time now) {
  if (state_ != State::connecting) return Nothing{};
  state_ = State::up;
  connected_at_ = now;
  return Nothing{};
}

Reconnect::Action Reconnect::lost(Time now) {
  if (state_ != State::up) return Nothing{};
  if (!backoff_) return give_up(Reason::lost);
  if (now - connected_at_ < backoff_->lasting) return attempt_failed(now);
  failed_rounds_ = 0;
  wait_ms_ = count_ms(backoff_->first);
  return begin_round();
}

Reconnect::Action Reconnect::refused(Time now, bool for_good) {
  if (state_ != State::connecting) return Nothing{};
  if (for_good) return give_up(Reason::refused);
  if (backoff_) wait_ms_ = count_ms(backoff_->most);
  return attempt_failed(now);
}

Reconnect::Action Reconnect::stop() {
  return state_ == State::ended ? Nothing{} : give_up(Reason::stopped);
}

Reconnect::Action Reconnect::tick(Time now) {
  return now >= deadline() ? begin_round() : Nothing{};
}

// A round begins behind the host that was tried last: that one was lost, or has just refused.
Reconnect::Action Reconnect::begin_round() {
  left_in_round_ = host_count_;
  return connect_next();
}

Reconnect::Action Reconnect::connect_next() {
  --left_in_round_;
  host_ = (host_ + 1) % host_count_;
  state_ = State::connecting;
  return Connect{host_};
}

Reconnect::Action Reconnect::attempt_failed(Time now) {
  if (left_in_round_ > 0) return connect_next();
  if (!backoff_) return give_up(Reason::failed);
  if (backoff_->tries != 0 && ++failed_rounds_ >= backoff_->tries) return give_up(Reason::failed);
  const double wait_ms = wait_ms_ * (1 - backoff_->jitter * random_());
  wait_ms_ = std::min(wait_ms_ * backoff_->factor, count_ms(backoff_->most));
  state_ = State::waiting;
  until_ = now + std::chrono::microseconds(static_cast<std::int64_t>(wait_ms * 1000));
  return WaitUntil{until_};
}

Reconnect::Action Reconnect::give_up(Reason reason) {
  state_ = State::ended;
  return GiveUp{reason};
}

}  // namespace haypile
