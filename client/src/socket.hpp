// A connected stream socket that never blocks, and an event that wakes a waiting thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/options.hpp>

namespace haypile {

using Clock = std::chrono::steady_clock;

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return value_; }
  // Gives up the ownership and returns the descriptor.
  int release();

 private:
  int value_;
};

// A flag that wakes Socket::wait(). set() may be called from any thread and from signal handlers.
class Event {
 public:
  Event();
  void set() noexcept;
  void clear();
  int descriptor() const { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
};

// A connected stream socket. It never blocks except in connect() and wait().
class Socket {
 public:
  // Throws ConnectionFailed.
  static Socket connect(const ConnectionOptions& options);
  explicit Socket(int descriptor);

  // Returns how many bytes were sent; 0 if the socket takes none now. Sets `error` if it will never
  // take any again.
  std::size_t send(std::string_view bytes, std::string& error);
  // Appends what has come, up to `size_max` bytes. Returns false at the end of the stream; then
  // `error` says why, or is empty if the peer closed the connection.
  bool receive(std::string& into, std::size_t size_max, std::string& error);

  struct Ready {
    bool readable = false;
    bool writable = false;
  };
  // Waits until the socket is readable (or writable, if wanted), the event is set, or `until` has
  // come.
  Ready wait(bool want_writable, const Event* event, std::optional<Clock::time_point> until) const;

 private:
  Descriptor descriptor_;
};

}  // namespace haypile
