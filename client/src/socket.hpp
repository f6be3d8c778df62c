// A connected stream socket that never blocks, and an event that wakes who waits for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <haypile/options.hpp>

namespace haypile {

using Clock = std::chrono::steady_clock;

// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return value_; }
  // Somebody else owns it now.
  int release();

 private:
  int value_;
};

// Set from any thread and from signal handlers.
class Event {
 public:
  Event();
  void set() noexcept;
  void clear();
  int descriptor() const { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
};

class Socket {
 public:
  // Throws ConnectionFailed.
  static Socket connect(const ConnectionOptions& options);
  explicit Socket(int descriptor);

  // How many bytes went out; nothing if the socket takes none now; an error text in `error` if it
  // never will again.
  std::size_t send(std::string_view bytes, std::string& error);
  // Appends what is there, up to `size_max`. False at the end; then `error` says why, if not
  // because the peer closed it.
  bool receive(std::string& into, std::size_t size_max, std::string& error);

  struct Ready {
    bool readable = false;
    bool writable = false;
  };
  // Waits until the socket is readable, or writable if that is wanted, or the event is set, or
  // `until` has come.
  Ready wait(bool want_writable, const Event* event, std::optional<Clock::time_point> until) const;

 private:
  Descriptor descriptor_;
};

}  // namespace haypile
