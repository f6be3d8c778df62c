// The resources that processes use, for the load generators.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace haypile::bench {

// The monotonic clock, in nanoseconds.
inline std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// What a process has used so far.
struct Usage {
  double cpu_seconds = 0;
  double children_cpu_seconds = 0;  // the children that have ended
  std::uint64_t resident_kib = 0;
};

// Returns zeros for process 0, or one that does not exist.
inline Usage usage_of(int pid) {
  Usage usage;
  if (pid == 0) return usage;
  const std::string directory = "/proc/" + std::to_string(pid);
  std::string text;
  std::getline(std::ifstream(directory + "/stat"), text);
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string word;
  for (int i = 0; i < 11; ++i)
    fields >> word;
  const auto next_two = [&fields] {
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  };
  usage.cpu_seconds = next_two();
  usage.children_cpu_seconds = next_two();
  std::ifstream status(directory + "/status");
  while (std::getline(status, text)) {
    if (text.starts_with("VmRSS:")) usage.resident_kib = std::stoull(text.substr(6));
  }
  return usage;
}

inline double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace haypile::bench
