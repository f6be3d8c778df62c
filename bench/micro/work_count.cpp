// Takes messages through the whole broker, in one thread, without sockets, clock and disk: the same
// instructions in every run, which tests/bench/work_count_test.py counts with valgrind. The program
// itself counts the calls of operator new.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "micro/allocations.hpp"
#include "micro/in_process/run.hpp"

namespace {

using namespace haypile;

// Counts are valid only for one compiler and its options.
#if defined(__OPTIMIZE__) && defined(NDEBUG)
constexpr const char* version = __VERSION__;
#else
constexpr const char* version = __VERSION__ " (no release build)";
#endif

void count(const bench::Work& work, std::uint64_t message_count) {
  bench::Run run(work);
  std::uint64_t done = 0;
  for (; done < message_count / 2; done += bench::chunk_size)
    run.step();
  const std::uint64_t before = bench::allocations_of_this_thread();
  for (; done < message_count; done += bench::chunk_size)
    run.step();
  const std::uint64_t allocations = bench::allocations_of_this_thread() - before;
  run.check();
  std::printf("{\"work\": \"%s\", \"messages\": %llu, \"allocations\": %llu}\n", work.name.data(),
              static_cast<unsigned long long>(message_count / 2),
              static_cast<unsigned long long>(allocations));
}

int bench_main(const std::vector<std::string>& arguments) {
  if (arguments == std::vector<std::string>{"--version"}) {
    std::puts(version);
    return 0;
  }
  if (arguments.size() == 2) {
    const std::uint64_t message_count = std::stoull(arguments[1]);
    for (const bench::Work& work : bench::works) {
      if (work.name != arguments[0] || message_count % (2 * bench::chunk_size) != 0) continue;
      count(work, message_count);
      return 0;
    }
  }
  std::cerr << "work_count WORK COUNT, or --version. COUNT is a multiple of "
            << 2 * bench::chunk_size << "; WORK is one of:";
  for (const bench::Work& work : bench::works)
    std::cerr << ' ' << work.name;
  std::cerr << '\n';
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench_main({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "work_count: " << error.what() << '\n';
    return 1;
  }
}
