#include "server/memory_return.hpp"

#include <cstdio>

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

namespace haypile::server {

MemoryReturn::MemoryReturn() : statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

MemoryReturn::~MemoryReturn() {
  if (statm_ >= 0) ::close(statm_);
}

std::size_t MemoryReturn::resident_bytes() const {
  char text[128];
  const ::ssize_t size = statm_ < 0 ? -1 : ::pread(statm_, text, sizeof text - 1, 0);
  if (size <= 0) return 0;
  text[size] = '\0';
  unsigned long all = 0;
  unsigned long resident = 0;
  if (std::sscanf(text, "%lu %lu", &all, &resident) != 2) return 0;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void MemoryReturn::look(engine::TimeMs now, std::size_t held_bytes) {
  if (now < next_look_) {
    is_look_due_ = true;
    return;
  }
  next_look_ = now + interval_ms;
  is_look_due_ = false;
  if (!excess_.is_worth_returning(resident_bytes(), held_bytes)) return;
  ::malloc_trim(0);
  excess_.note_rest(resident_bytes(), held_bytes);
}

}  // namespace haypile::server
