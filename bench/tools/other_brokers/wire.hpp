// A connection to a server on the loopback interface: calls that wait, for setting up, and then
// bytes in large pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tools/io/stream.hpp"

namespace haypile::bench::other_brokers {

// All calls throw std::runtime_error.
class Wire : public Stream {
 public:
  // `job_size`: bytes of the largest body that comes back; it bounds what is kept of the input.
  Wire(std::uint16_t port, std::size_t job_size);

  // Sends a command, and waits for the first line of the answer, which is returned without its
  // end. Only before start().
  std::string call(std::string_view command);
  // Waits for so many bytes more of the answer, and drops them. Only before start().
  void drop(std::size_t count);
  // Reads what is there and hands over the bytes: `take(bytes)` returns how many of them it is done
  // with; the others are handed over again, with more behind them.
  template <class Take>
  void read(Take take) {
    receive();
    drop_first(take(in()));
    if (in().size() > in_max_) refuse("sent more than an answer can be");
  }

 private:
  const std::size_t in_max_;
};

}  // namespace haypile::bench::other_brokers
