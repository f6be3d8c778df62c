// One connection of a supervisor whose handlers are run by the test, when it wants them to run.
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/types.hpp>

#include "server/supervisor.hpp"

using namespace haypile;

namespace {

class RawClient {
 public:
  RawClient(boost::asio::io_context& io, server::Supervisor& supervisor) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    socket_ = ends[1];
    supervisor.adopt({io, boost::asio::generic::stream_protocol(AF_UNIX, 0), ends[0]},
                     {"the test", true});
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send_bytes(std::string_view bytes) {
    REQUIRE(::send(socket_, bytes.data(), bytes.size(), 0) == static_cast<::ssize_t>(bytes.size()));
  }
  template <class M>
  void send(const M& method, std::uint16_t channel = 0) {
    std::string bytes;
    REQUIRE(amqp::append_method(bytes, channel, method));
    send_bytes(bytes);
  }
  void log_in(std::uint16_t heartbeat_s) {
    send_bytes(amqp::protocol_header);
    send(amqp::connection::StartOk{.mechanism = "PLAIN",
                                   .response = std::string_view("\0guest\0guest", 12),
                                   .locale = "en_US"});
    send(amqp::connection::TuneOk{.channel_max = 1, .frame_max = 4096, .heartbeat = heartbeat_s});
    send(amqp::connection::Open{.virtual_host = "/"});
  }
  // Everything that has come until now.
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
  server::Supervisor supervisor(io, {});
  RawClient client(io, supervisor);
  client.log_in(1);
  io.poll();
  REQUIRE(client.receive().ends_with(frame_of(amqp::connection::OpenOk{})));

  client.send(amqp::connection::Close{.reply_code = 200});
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // now both are there at once
  io.poll();
  CHECK(client.receive().ends_with(frame_of(amqp::connection::CloseOk{})));
  supervisor.stop();
  io.run();
}

TEST_CASE("what comes up while the socket is full is sent when it has room again") {
  boost::asio::io_context io{1};
  server::Supervisor supervisor(io, {});
  RawClient client(io, supervisor);
  client.log_in(0);
  client.send(amqp::channel::Open{}, 1);
  io.poll();
  client.receive();
  const std::string queue(250, 'q');
  for (int i = 0; i < 2000; ++i) {  // more answers than the socket takes
    client.send(amqp::queue::Declare{.queue = queue}, 1);
    io.poll();
  }
  std::string answers;
  for (std::string part; !(part = client.receive()).empty(); io.poll())
    answers += part;
  std::string answer;
  REQUIRE(amqp::append_method(answer, 1, amqp::queue::DeclareOk{.queue = queue}));
  CHECK(answers.size() == 2000 * answer.size());
  supervisor.stop();
  io.run();
}
