// Something that happens again and again, of which the log has its beginning and its end.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace haypile::server {

// Time is handed in.
class Spell {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // A spell is over when nothing has happened for so long.
  static constexpr std::chrono::seconds quiet{10};

  // It has happened once more. True: for the first time in this spell.
  bool count(Time now) {
    last_ = now;
    return count_++ == 0;
  }
  bool is_on() const { return count_ != 0; }
  // How often it has happened, if the spell is over by now. It has ended then.
  std::optional<std::uint64_t> take_ended(Time now) {
    if (count_ == 0 || now < last_ + quiet) return std::nullopt;
    return std::exchange(count_, 0);
  }

 private:
  std::uint64_t count_ = 0;
  Time last_{};
};

}  // namespace haypile::server
