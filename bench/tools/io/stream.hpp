// A TCP connection of a load generator, with large reads and writes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace haypile::bench {

// A TCP connection. All methods throw std::runtime_error, whose text names the server.
class Stream {
 public:
  Stream(const std::string& host, const std::string& port);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int descriptor() const { return descriptor_; }
  // From now on reads and writes do not wait.
  void start();

  // What is to be sent; flush() removes what was sent.
  std::string out;
  // Returns false if the socket takes no more now.
  bool flush();

  // What has come and was not dropped; valid until the next call.
  std::string_view in() const { return {in_.data(), in_size_}; }
  // Reads once what is there.
  void receive();
  // Drops the first `count` bytes of in().
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
