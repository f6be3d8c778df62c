// A connection to a server on the loopback interface: calls that wait, for setting up, and then
// bytes in large pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace haypile::bench::peer {

// All calls throw std::runtime_error.
class Wire {
 public:
  // `job_size`: bytes of the largest body that comes back; it bounds what is kept of the input.
  Wire(std::uint16_t port, std::size_t job_size);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  int descriptor() const { return descriptor_; }

  // Sends a command, and waits for the first line of the answer, which is returned without its
  // end. Only before start().
  std::string call(std::string_view command);
  // Waits for so many bytes more of the answer, and drops them. Only before start().
  void drop(std::size_t count);
  // From here on reads and writes do not wait.
  void start();

  // What is to be sent; flush() takes off what has been.
  std::string out;
  // False if the socket takes no more for now.
  bool flush();
  // Reads what is there and hands over the bytes: `take(bytes)` returns how many of them it is done
  // with; the others are handed over again, with more behind them.
  template <class Take>
  void read(Take take) {
    receive();
    keep_from(take(std::string_view(in_.data(), in_size_)));
    if (in_size_ == in_.size()) refuse("sent more than an answer can be");
  }
  // Ends the program.
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  void connect(std::uint16_t port);
  void receive();
  void keep_from(std::size_t at);

  const std::string name_;
  int descriptor_ = -1;
  std::vector<char> in_;
  std::size_t in_size_ = 0;
};

}  // namespace haypile::bench::peer
