#include "tools/io/poller.hpp"

#include <cstdint>

#include <sys/epoll.h>
#include <unistd.h>

namespace haypile::bench {

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

Poller::~Poller() {
  ::close(epoll_);
}

void Poller::add(Pollable& pollable) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &pollable;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, pollable.stream().descriptor(), &event);
  pollable.receive();  // it may have come already, together with an answer that was waited for
  flush(pollable);
}

void Poller::flush(Pollable& pollable) {
  const bool waits = !pollable.stream().flush();
  if (waits == pollable.waits_to_write) return;
  pollable.waits_to_write = waits;
  epoll_event event{};
  event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &pollable;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, pollable.stream().descriptor(), &event);
}

void Poller::turn(const timespec& timeout) {
  epoll_event events[64];
  const int count = ::epoll_pwait2(epoll_, events, 64, &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    Pollable& pollable = *static_cast<Pollable*>(events[i].data.ptr);
    if (events[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) pollable.receive();
    if (!pollable.stream().out.empty()) flush(pollable);
  }
}

}  // namespace haypile::bench
