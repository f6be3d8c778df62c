#include "server/machine.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string_view>

#include <unistd.h>

namespace haypile::server {

namespace {

// The lowest limit in some files, in bytes.
class Lowest {
 public:
  // "max", other text that is not a number, and a missing file set no limit.
  void look_at(const std::string& file) {
    std::uint64_t limit = 0;
    if (std::ifstream(file) >> limit && limit != 0) value_ = std::min(value_, limit);
  }
  // Looks at a group and all groups around it; `path` is the group's, below `mount`.
  void look_up(const std::string& mount, std::string_view path,
               std::initializer_list<const char*> names) {
    while (true) {
      while (path.ends_with('/'))
        path.remove_suffix(1);
      for (const char* name : names)
        look_at(mount + std::string(path) + "/" + name);
      if (path.empty()) return;
      path = path.substr(0, path.rfind('/'));
    }
  }
  std::optional<std::size_t> value() const {
    if (value_ == UINT64_MAX) return std::nullopt;
    return static_cast<std::size_t>(value_);
  }

 private:
  std::uint64_t value_ = UINT64_MAX;
};

bool has_memory(std::string_view controllers) {
  return ("," + std::string(controllers) + ",").find(",memory,") != std::string::npos;
}

}  // namespace

// A line is "number:controllers:path", without controllers for version 2. If the group is above
// what this process may see, its path begins with "/..", and only the topmost group can be looked
// at.
std::optional<std::size_t> control_group_memory_bytes(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  Lowest lowest;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path.empty() || path.front() != '/' || path.find("/..") != std::string::npos) path = "/";
    if (controllers.empty()) {
      for (const char* hierarchy : {"", "/unified"})
        lowest.look_up(mount + hierarchy, path, {"memory.max", "memory.high"});
    } else if (has_memory(controllers)) {
      lowest.look_up(mount + "/memory", path, {"memory.limit_in_bytes"});
    }
  }
  return lowest.value();
}

std::size_t machine_memory_bytes() {
  const auto pages = static_cast<std::size_t>(std::max(::sysconf(_SC_PHYS_PAGES), 1L));
  const std::size_t machine = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return std::min(control_group_memory_bytes().value_or(machine), machine);
}

}  // namespace haypile::server
