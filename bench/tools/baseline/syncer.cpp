#include "tools/baseline/syncer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace haypile::bench::baseline {

namespace {

constexpr std::uint64_t file_size = std::uint64_t{256} << 20;
constexpr std::size_t fill_step = std::size_t{1} << 20;
constexpr std::size_t pending_size_max = std::size_t{64} << 20;
constexpr std::uint64_t write_alignment = 8;

[[noreturn]] void end_process(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

}  // namespace

Syncer::Syncer(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  file_ = ::open((directory / "bare.log").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file_ < 0) throw std::system_error(errno, std::generic_category(), "log file");
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  fill();
  thread_ = std::thread([this] { run(); });
}

Syncer::~Syncer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  thread_.join();
  ::close(wake_);
  ::close(file_);
}

std::uint64_t Syncer::submit(Buffer& batch) {
  std::unique_lock lock(mutex_);
  taken_.wait(lock, [&] { return pending_.size() < pending_size_max; });
  if (pending_.empty()) {
    pending_.swap(batch);
  } else {
    pending_.append(batch.view());
    batch.clear();
  }
  const std::uint64_t number = ++last_;
  const bool wake = idle_;
  idle_ = false;
  lock.unlock();
  if (wake) work_.notify_one();
  return number;
}

void Syncer::fill() {
  const std::string zeros(fill_step, '\0');
  while (position_ < file_size)
    write(zeros);
  position_ = 0;
  if (::fsync(file_) != 0) throw std::system_error(errno, std::generic_category(), "fsync");
}

void Syncer::run() {
  Buffer batch;
  for (;;) {
    std::uint64_t number = 0;
    {
      std::unique_lock lock(mutex_);
      while (pending_.empty() && !stop_) {
        idle_ = true;
        work_.wait(lock);
      }
      if (pending_.empty()) return;
      pending_.swap(batch);
      number = last_;
    }
    taken_.notify_one();
    position_ = (position_ + write_alignment - 1) / write_alignment * write_alignment;
    write(batch.view());
    batch.clear();
    if (::fdatasync(file_) != 0) end_process("fdatasync");
    done_.store(number, std::memory_order_release);
    const std::uint64_t one = 1;
    if (::write(wake_, &one, sizeof one) != sizeof one) end_process("eventfd");
  }
}

void Syncer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (position_ >= file_size) position_ = 0;
    const auto size = std::min<std::uint64_t>(bytes.size(), file_size - position_);
    const ::ssize_t written = ::pwrite(file_, bytes.data(), size, static_cast<::off_t>(position_));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) end_process("pwrite");
    position_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace haypile::bench::baseline
