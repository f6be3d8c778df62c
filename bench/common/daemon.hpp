// A haypiled process for a benchmark, which can be observed and killed.
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace haypile::bench {

// Runs haypiled. Throws std::runtime_error.
class Daemon {
 public:
  // Returns when the daemon says that it is ready. The daemon is killed with the object.
  Daemon(const std::filesystem::path& program, const std::filesystem::path& directory,
         const std::vector<std::string>& arguments = {}) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    std::vector<std::string> words{program.string(), "--data-dir", directory.string(),
                                   "--port",         "0",          "--log-level",
                                   "warning"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      std::vector<char*> argv;
      argv.reserve(words.size() + 1);
      for (std::string& word : words)
        argv.push_back(word.data());
      argv.push_back(nullptr);
      ::execv(argv.front(), argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    port_ = read_port(ends[0]);
    ::close(ends[0]);
    if (port_.empty()) {
      kill();
      throw std::runtime_error("'" + program.string() + "' did not start");
    }
  }
  ~Daemon() { kill(); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  std::string uri() const { return "amqp://127.0.0.1:" + port_; }
  const std::string& port() const { return port_; }
  // The processor time that its threads have used so far, with a resolution of nanoseconds.
  double cpu_seconds() const {
    ::clockid_t clock{};
    ::timespec time{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
      throw std::runtime_error("the daemon has no processor clock");
    }
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
  }
  // Resident memory in KiB as the kernel reports it: `name` is VmRSS (now) or VmHWM (the maximum).
  std::uint64_t memory_kib(const std::string& name) const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1));
    }
    return 0;
  }

 private:
  // Reads a line such as "haypiled ready on 127.0.0.1:5672, data in ..."
  static std::string read_port(int descriptor) {
    std::string line;
    char byte = 0;
    while (::read(descriptor, &byte, 1) == 1 && byte != '\n')
      line += byte;
    const std::size_t end = line.find(", data in");
    const std::size_t begin = line.rfind(':', end);
    return end == std::string::npos ? "" : line.substr(begin + 1, end - begin - 1);
  }

  ::pid_t pid_ = -1;
  std::string port_;
};

}  // namespace haypile::bench
