// A TCP connection of a load generator: bytes in large pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace haypile::bench {

// All calls throw std::runtime_error, which names the server.
class Stream {
 public:
  Stream(const std::string& host, const std::string& port);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int descriptor() const { return descriptor_; }
  // From here on reads and writes do not wait.
  void start();

  // What is to be sent; flush() takes off what has been.
  std::string out;
  // False if the socket takes no more for now.
  bool flush();

  // What has come and has not been dropped; valid until the next call.
  std::string_view in() const { return {in_.data(), in_size_}; }
  // One read of what is there.
  void receive();
  // The first so many bytes of in().
  void drop_first(std::size_t count);

  [[noreturn]] void refuse(const std::string& why) const;

 private:
  void connect(const std::string& host, const std::string& port);

  const std::string name_;
  int descriptor_ = -1;
  std::string in_;
  std::size_t in_size_ = 0;
};

}  // namespace haypile::bench
