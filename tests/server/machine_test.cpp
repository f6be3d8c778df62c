#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "server/machine.hpp"
#include "support/temporary_directory.hpp"

using haypile::server::control_group_memory_bytes;

namespace {

// The files of a machine with the control groups of a test.
struct Machine {
  haypile::test::TemporaryDirectory directory;

  void write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = directory.path / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  std::size_t limit() const {
    return control_group_memory_bytes(directory.path.string()).value_or(0);
  }
};

}  // namespace

TEST_CASE("a service's limit is found, and those of the groups that it is in") {
  Machine machine;
  machine.write("proc/self/cgroup", "0::/system.slice/haypiled.service");
  CHECK(machine.limit() == 0);
  machine.write("sys/fs/cgroup/system.slice/haypiled.service/memory.max", "max");
  CHECK(machine.limit() == 0);
  machine.write("sys/fs/cgroup/system.slice/memory.max", "3000000");
  CHECK(machine.limit() == 3'000'000);
  machine.write("sys/fs/cgroup/system.slice/haypiled.service/memory.max", "2000000");
  CHECK(machine.limit() == 2'000'000);
  machine.write("sys/fs/cgroup/system.slice/haypiled.service/memory.high", "1000000");
  CHECK(machine.limit() == 1'000'000);
}

TEST_CASE("a container sees its own group as the topmost one") {
  Machine machine;
  machine.write("proc/self/cgroup", "0::/");
  machine.write("sys/fs/cgroup/memory.max", "500000");
  CHECK(machine.limit() == 500'000);
  machine.write("proc/self/cgroup", "0::/../../other");
  CHECK(machine.limit() == 500'000);
}

TEST_CASE("version 1 has a hierarchy for memory, also beside version 2") {
  Machine machine;
  machine.write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/b\n0::/docker/b");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  machine.write("sys/fs/cgroup/cpu,cpuacct/a/memory.limit_in_bytes", "1");
  machine.write("sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "700000");
  CHECK(machine.limit() == 700'000);
  machine.write("sys/fs/cgroup/unified/docker/b/memory.max", "600000");
  CHECK(machine.limit() == 600'000);
}

TEST_CASE("a machine without control groups, or with odd ones, has no limit") {
  Machine machine;
  CHECK(machine.limit() == 0);
  for (const char* line : {"", "0", "0:", "0::", "x:memory", "1:memory:", "0::relative"}) {
    machine.write("proc/self/cgroup", line);
    CHECK(machine.limit() == 0);
  }
  machine.write("sys/fs/cgroup/memory.max", "0");
  machine.write("proc/self/cgroup", "0::/a//b/");
  CHECK(machine.limit() == 0);
}
