// One connection of a core whose handlers the test runs itself, when it wants them to run.
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/types.hpp>

#include "server/core.hpp"

using namespace haypile;

namespace {

class RawClient {
 public:
  explicit RawClient(server::Core& core) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    socket_ = ends[1];
    core.adopt({core.io(), boost::asio::generic::stream_protocol(AF_UNIX, 0), ends[0]},
               {"the test", true});
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send_bytes(std::string_view bytes) {
    REQUIRE(::send(socket_, bytes.data(), bytes.size(), 0) ==
            static_cast<::ssize_t>(bytes.size()));
  }
  template <class M>
  void send(const M& method) {
    std::string bytes;
    REQUIRE(amqp::append_method(bytes, 0, method));
    send_bytes(bytes);
  }
  // What has come by now.
  std::string receive() {
    char buffer[65536];
    const ::ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : "";
  }

 private:
  int socket_ = -1;
};

template <class M>
std::string frame_of(const M& method) {
  std::string bytes;
  REQUIRE(amqp::append_method(bytes, 0, method));
  return bytes;
}

}  // namespace

TEST_CASE("a heartbeat that is due does not come before the answer to connection.close") {
  boost::asio::io_context io{1};
  server::Core core(io, {});
  RawClient client(core);
  client.send_bytes(amqp::protocol_header);
  client.send(amqp::connection::StartOk{
      .mechanism = "PLAIN", .response = std::string_view("\0guest\0guest", 12), .locale = "en_US"});
  client.send(amqp::connection::TuneOk{.channel_max = 1, .frame_max = 4096, .heartbeat = 1});
  client.send(amqp::connection::Open{.virtual_host = "/"});
  io.poll();
  REQUIRE(client.receive().ends_with(frame_of(amqp::connection::OpenOk{})));

  client.send(amqp::connection::Close{.reply_code = 200});
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // now both are there at once
  io.poll();
  CHECK(client.receive().ends_with(frame_of(amqp::connection::CloseOk{})));
  core.stop();
  io.run();
}
