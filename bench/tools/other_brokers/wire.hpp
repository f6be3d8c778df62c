// A connection to a server on the loopback interface: calls that wait, for the setup, and then
// large reads and writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tools/io/stream.hpp"

namespace haypile::bench::other_brokers {

// A connection with commands and answers. All methods throw std::runtime_error.
class Wire : public Stream {
 public:
  // `job_size` is the size of the largest body that comes back; it limits the input that is kept.
  Wire(std::uint16_t port, std::size_t job_size);

  // Sends a command, waits for the first line of the answer, and returns it without its end. Only
  // before start().
  std::string call(std::string_view command);
  // Waits for `count` more bytes of the answer, and drops them. Only before start().
  void drop(std::size_t count);
  // Reads what is there and calls `take(bytes)`, which returns how many bytes it has used; the
  // others are offered again, with more bytes behind them.
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
