// Many connections in one thread.
#pragma once

#include <ctime>

#include "tools/io/stream.hpp"

namespace haypile::bench {

// A connection that a Poller handles.
struct Pollable {
  virtual ~Pollable() = default;
  // The socket is readable.
  virtual void receive() = 0;
  virtual Stream& stream() = 0;

  bool waits_to_write = false;
};

// Waits for many connections and handles them. They must outlive the poller's use.
class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void add(Pollable& pollable);
  // Writes what the socket takes now, and the rest when it has room.
  void flush(Pollable& pollable);
  // Waits at most for `timeout`, reads what has come, and sends the answers.
  void turn(const timespec& timeout);

 private:
  const int epoll_;
};

}  // namespace haypile::bench
