#include "signals.hpp"

#include <atomic>
#include <csignal>

namespace haypile::cli {

namespace {

constexpr int ends[] = {SIGINT, SIGTERM, SIGHUP};

// What the handlers reach.
std::atomic<Channel*> consuming{nullptr};
std::atomic<int> interrupts{0};
static_assert(std::atomic<Channel*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void wake_channel() {
  if (Channel* channel = consuming) channel->stop_consuming();
}

void on_child(int) {
  wake_channel();
}

void on_end(int) {
  ++interrupts;
  wake_channel();
}

// A signal that is ignored, such as SIGHUP below nohup, stays so.
void handle(int signal, void (*handler)(int)) {
  struct sigaction before {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

Signals::Signals() {
  std::signal(SIGCHLD, SIG_DFL);
  handle(SIGCHLD, on_child);
  for (const int signal : ends)
    handle(signal, on_end);
}

Signals::~Signals() {
  std::signal(SIGCHLD, SIG_DFL);
  for (const int signal : ends)
    handle(signal, SIG_DFL);
  consuming = nullptr;
}

void Signals::wake(Channel* channel) {
  consuming = channel;
}

int Signals::interrupt_count() {
  return interrupts;
}

}  // namespace haypile::cli
