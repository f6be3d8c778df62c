// What haypiled is told on its command line and in its configuration file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace haypile {

struct DaemonOptions {
  // Instead of running a broker: the data directory to look at, or to put right.
  std::filesystem::path check;
  std::filesystem::path salvage;
  bool json = false;  // what check says
  bool yes = false;   // salvage does what it says
  std::filesystem::path data_directory;
  std::vector<std::string> bind;  // names; none: this machine alone
  std::uint16_t port = 5672;
  std::string log_level = "info";
  std::string product = "Haypile";
  std::uint64_t memory_limit_bytes = 0;      // 0: half of the machine's
  std::uint64_t message_size_max_bytes = 0;  // 0: 16 MiB, or less with little memory
  std::uint64_t disk_free_limit_bytes = 64u << 20;
  std::uint64_t log_size_bytes = 64u << 20;
  std::uint64_t queue_memory_bytes = 8u << 20;
  std::size_t login_max = 1024;
  std::size_t login_max_per_address = 64;
};

// what() is one line for the user.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The program is to end with this exit code: help or version has been printed.
struct Exit {
  int code;
};

// The command line wins over the file. Throws OptionError or Exit.
DaemonOptions parse_options(int argc, char** argv);

}  // namespace haypile
