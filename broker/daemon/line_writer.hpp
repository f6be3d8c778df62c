// Writes lines to a descriptor that may have no reader, without ever waiting for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace haypile {

// Writes lines with a thread of its own. Lines that do not fit into the bounded queue in front of
// it are dropped and counted; when there is room again, one line tells how many. The descriptor's
// flags are not changed, because other processes may share it.
class LineWriter {
 public:
  // Makes the line, with its end, that tells how many lines were dropped.
  using DescribeLoss = std::function<std::string(std::uint64_t)>;
  static constexpr std::size_t waiting_max_bytes = 1u << 20;

  LineWriter(int descriptor, DescribeLoss describe_loss);
  // Waits as flush() does for what is not written yet.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Appends one line, which ends with a line feed. Never waits for the descriptor. May be called
  // from any thread.
  void write(std::string_view line);
  // Returns when everything has been written, or after two seconds.
  void flush();

 private:
  struct State;
  // Shared with the thread: if the descriptor never takes what is written, the process ends without
  // waiting for the thread.
  const std::shared_ptr<State> state_;
};

}  // namespace haypile
