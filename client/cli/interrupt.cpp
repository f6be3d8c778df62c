#include "interrupt.hpp"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <haypile/error.hpp>

#include "common.hpp"

namespace haypile::cli {

namespace {

std::atomic<bool> is_requested_now{false};
std::atomic<std::uint64_t> confirmed{0};
std::atomic<unsigned> patience{0};
int wake_pipe[2] = {-1, -1};

// Writes with nothing but what a signal handler may call.
void end_at_once() {
  constexpr char start[] = "haypile: interrupted; at least ";
  constexpr char end[] = " messages are confirmed\n";
  char line[128];
  std::memcpy(line, start, sizeof start);
  char* at = std::to_chars(line + sizeof start - 1, line + sizeof line, confirmed.load()).ptr;
  std::memcpy(at, end, sizeof end);
  at += sizeof end - 1;
  static_cast<void>(!::write(STDERR_FILENO, line, static_cast<std::size_t>(at - line)));
  ::_exit(exit_interrupted);
}

void on_signal(int signal) {
  if (signal == SIGALRM || is_requested_now.exchange(true)) end_at_once();
  ::alarm(patience);
  static_cast<void>(!::write(wake_pipe[1], "", 1));
}

bool poll_readable(int descriptor, int timeout_ms) {
  ::pollfd files[2] = {{descriptor, POLLIN, 0}, {wake_pipe[0], POLLIN, 0}};
  while (::poll(files, 2, timeout_ms) < 0 && errno == EINTR) {
  }
  return files[0].revents != 0;
}

}  // namespace

Interrupt::Interrupt(unsigned patience_s) {
  patience = patience_s;
  if (::pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) throw Error("out of file descriptors");
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGALRM})
    sigaction(signal, &action, nullptr);
}

Interrupt::~Interrupt() {
  for (const int signal : {SIGINT, SIGTERM, SIGALRM})
    std::signal(signal, SIG_DFL);
  ::alarm(0);
  for (const int end : wake_pipe)
    ::close(end);
}

bool Interrupt::is_requested() {
  return is_requested_now;
}

bool Interrupt::wait_readable(int descriptor) {
  return poll_readable(descriptor, -1) && !is_requested();
}

bool Interrupt::is_readable(int descriptor) {
  return poll_readable(descriptor, 0);
}

void Interrupt::set_confirmed_count(std::uint64_t count) {
  confirmed = count;
}

}  // namespace haypile::cli
