// What happened in a simulation: the last events as text, and the hash of all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace haypile::simulation {

// A failed check. `check` is its name, short and always the same; `detail` is for people.
struct Violation {
  const char* check;
  std::string detail;
};

// Records events in a ring, and hashes all of them, to compare two runs of a seed.
class Events {
 public:
  // Keeps the last `kept_max` events.
  explicit Events(std::size_t kept_max) : ring_(kept_max) {}

  // `what` must outlive this object. Nothing is formatted before text() is called.
  void add(const char* what, std::uint64_t a = 0, std::uint64_t b = 0) {
    ring_[count_++ % ring_.size()] = {what, now_ms_, a, b};
    mix(static_cast<std::uint64_t>(static_cast<unsigned char>(*what)));
    mix(a);
    mix(b);
  }
  void add_bytes(const char* what, std::uint64_t a, std::string_view bytes) {
    std::uint64_t sum = bytes.size();
    for (const char byte : bytes)
      sum = sum * 31 + static_cast<unsigned char>(byte);
    add(what, a, bytes.size());
    mix(sum);
  }
  void set_now(std::uint64_t now_ms) { now_ms_ = now_ms; }

  std::uint64_t hash() const { return hash_; }
  // The kept events, one line each, oldest first.
  std::string text() const {
    std::string lines;
    const std::size_t first = count_ > ring_.size() ? count_ - ring_.size() : 0;
    for (std::size_t i = first; i < count_; ++i) {
      const Event& event = ring_[i % ring_.size()];
      lines += "  " + std::to_string(i) + " at " + std::to_string(event.now_ms) +
               " ms: " + event.what + " " + std::to_string(event.a) + " " +
               std::to_string(event.b) + "\n";
    }
    return lines;
  }

 private:
  struct Event {
    const char* what;
    std::uint64_t now_ms, a, b;
  };
  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001B3u; }

  std::vector<Event> ring_;
  std::size_t count_ = 0;
  std::uint64_t now_ms_ = 0;
  std::uint64_t hash_ = 0xCBF29CE484222325u;
};

}  // namespace haypile::simulation
