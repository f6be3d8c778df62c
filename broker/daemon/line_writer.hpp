// Writes lines to a descriptor that nobody may be reading: whoever has something to say goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace haypile {

// A thread of its own does the writing. What does not fit into the bounded space in front of it is
// dropped and counted; once there is room again, a line says how much that was. The descriptor
// keeps the flags that it has: others may use what it stands for.
class LineWriter {
 public:
  // The line that says that so many were dropped, with its end.
  using DescribeLoss = std::function<std::string(std::uint64_t)>;
  static constexpr std::size_t waiting_max_bytes = 1u << 20;

  LineWriter(int descriptor, DescribeLoss describe_loss);
  // Waits for what is under way as flush() does.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Never waits for the descriptor. May be called by any thread. The line ends with a line feed.
  void write(std::string_view line);
  // Returns when all has been written, or after two seconds.
  void flush();

 private:
  struct State;
  // The thread's, too: if the descriptor never takes what is written to it, the process ends
  // without waiting for the thread.
  const std::shared_ptr<State> state_;
};

}  // namespace haypile
