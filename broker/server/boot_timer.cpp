#include "server/boot_timer.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <sys/timerfd.h>
#include <unistd.h>

namespace haypile::server {

namespace {

int make_timer() {
  const int timer = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer < 0) throw std::system_error(errno, std::generic_category(), "cannot make a timer");
  return timer;
}

}  // namespace

BootTimer::BootTimer(asio::io_context& io, std::function<void()> on_time)
    : timer_(io, make_timer()), on_time_(std::move(on_time)) {}

void BootTimer::set(engine::TimeMs when) {
  if (!timer_.is_open()) return;
  // A time of zero would disarm the timer.
  const engine::TimeMs at = std::max<engine::TimeMs>(when, 1);
  ::itimerspec time{};
  time.it_value.tv_sec = static_cast<::time_t>(at / 1000);
  time.it_value.tv_nsec = static_cast<long>(at % 1000 * 1'000'000);
  ::timerfd_settime(timer_.native_handle(), TFD_TIMER_ABSTIME, &time, nullptr);
  wait();
}

void BootTimer::wait() {
  if (std::exchange(waiting_, true)) return;
  timer_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [this](const boost::system::error_code& error) {
                      if (error) return;
                      waiting_ = false;
                      std::uint64_t count = 0;
                      // The timer may have been set again since.
                      if (::read(timer_.native_handle(), &count, sizeof count) < 0) return wait();
                      on_time_();
                    });
}

void BootTimer::close() {
  boost::system::error_code ignored;
  timer_.close(ignored);
}

}  // namespace haypile::server
