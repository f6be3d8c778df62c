// What the command line and the configuration file of haypiled say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace haypile {

// The options of haypiled, with their defaults.
struct DaemonOptions {
  // The data directory to inspect or to repair, instead of running a broker; empty: neither.
  std::filesystem::path check;
  std::filesystem::path salvage;
  bool json = false;  // print the report of `check` as JSON
  bool yes = false;   // let `salvage` do what it says
  std::filesystem::path data_directory;
  std::vector<std::string> bind;  // names or addresses; empty: this machine alone
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

// An invalid option. what() is one line for the user.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Thrown to end the program with this exit code, after help or version was printed.
struct Exit {
  int code;
};

// The command line has priority over the file. Throws OptionError or Exit.
DaemonOptions parse_options(int argc, char** argv);

}  // namespace haypile
