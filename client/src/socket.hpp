// A connected stream socket that never blocks, and what wakes a thread that waits for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/options.hpp>

namespace haypile {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

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

// Wakes Socket::wait(). wake() may be called from any thread and from signal handlers.
class Waker {
 public:
  Waker();
  void wake() noexcept;
  void clear();
  int descriptor() const { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
};

// A connected stream socket. It never blocks except in connect() and the methods that wait.
class Socket {
 public:
  // Tries all addresses of the host, until `until`, which holds for the look-up of the host as
  // well. Throws ConnectionFailed.
  static Socket connect(const ConnectionOptions& options, TimePoint until);
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
    bool woken = false;
  };
  // Waits until the socket is readable (or writable, if wanted), the waker wakes, or `until` has
  // come.
  Ready wait(bool want_writable, const Waker& waker, std::optional<TimePoint> until) const;
  // Waits until the socket takes output, or `until` has come.
  void wait_writable(TimePoint until) const;

 private:
  Descriptor descriptor_;
};

}  // namespace haypile
