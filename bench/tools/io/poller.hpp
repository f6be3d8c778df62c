// Many connections in one thread.
#pragma once

#include <ctime>

#include "tools/io/stream.hpp"

namespace haypile::bench {

struct Pollable {
  virtual ~Pollable() = default;
  // The socket can be read.
  virtual void receive() = 0;
  virtual Stream& stream() = 0;

  bool waits_to_write = false;
};

// What is added lives longer than the poller turns.
class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void add(Pollable& pollable);
  // What the socket does not take is written when it does.
  void flush(Pollable& pollable);
  // Waits for so long at most, takes what has come, and sends the answers.
  void turn(const timespec& timeout);

 private:
  const int epoll_;
};

}  // namespace haypile::bench
