// The blocking client over TLS, with a server of OpenSSL between it and the broker.
#ifdef HAYPILE_TLS

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/socket_peer.hpp"
#include "client/tls_conversation.hpp"

using namespace haypile;
using namespace haypile::test;

namespace {

// Speaks TLS with the client and passes the plain bytes on, on a thread of its own, until one side
// ends.
class TlsFront {
 public:
  TlsFront(const Identity& identity, int plain) : server_(identity), plain_(plain) {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0);
  }
  ~TlsFront() {
    if (thread_.joinable()) thread_.join();
    ::close(ends_[0]);
    ::close(plain_);
  }
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  TlsServer& server() { return server_; }
  // Begins, and returns the client's end.
  int start() {
    thread_ = std::thread([this] { run(); });
    return ends_[1];
  }
  // Waits until one side has ended.
  void join() { thread_.join(); }

 private:
  static void write(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void run() {
    std::array<char, 65536> buffer;
    while (true) {
      std::array<pollfd, 2> polls{{{ends_[0], POLLIN, 0}, {plain_, POLLIN, 0}}};
      if (::poll(polls.data(), polls.size(), 60'000) <= 0) return;
      const bool is_encrypted = polls[0].revents != 0;
      const ssize_t count = ::read(is_encrypted ? ends_[0] : plain_, buffer.data(), buffer.size());
      if (count <= 0) return;
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
      if (is_encrypted) {
        server_.receive(bytes);
        write(plain_, std::exchange(server_.received, {}));
      } else {
        server_.send(bytes);
      }
      write(ends_[0], server_.output());
      if (server_.is_closed || server_.failure != 0) return;
    }
  }

  TlsServer server_;
  const int plain_;
  std::array<int, 2> ends_{-1, -1};
  std::thread thread_;
};

}  // namespace

TEST_CASE("a connection over TLS: messages in both directions, and an end that is announced") {
  SocketPeer peer;
  TlsFront front(trust().broker, peer.take_client_end());
  const std::string body(1'000'000, 'b');
  {
    Connection connection = peer.connect_over(
        front.start(),
        {.tls = TlsOptions{.ca_file = trust().ca_file}, .default_prefetch_count = 0});
    Channel channel = peer.open_channel(connection);
    channel.basic_publish("", "q", body);
    CHECK(peer.expect_publish(1) == body);
    std::string seen;
    peer.consume(channel, [&](const Message& message) {
      seen = message.body();
      channel.stop_consuming();
    });
    // More than the sockets hold: somebody has to read it meanwhile.
    auto consuming = std::async(std::launch::async, [&] { channel.start_consuming(); });
    peer.deliver(1, 1, body);
    consuming.get();
    CHECK(seen == body);
    auto closing = std::async(std::launch::async, [&] { connection.close(); });
    peer.expect<amqp::connection::Close>(0);
    peer.send(0, amqp::connection::CloseOk{});
    closing.get();
  }
  front.join();
  CHECK(front.server().is_closed);
  CHECK(front.server().failure == 0);
}

TEST_CASE("a broker with the certificate of another host gets no connection, and is told") {
  SocketPeer peer;
  TlsFront front(trust().broker, peer.take_client_end());
  const ConnectionOptions options{.host = "other.example",
                                  .tls = TlsOptions{.ca_file = trust().ca_file}};
  try {
    Connection::over_socket(front.start(), options);
    FAIL("it was made");
  } catch (const ConnectionFailed& failed) {
    CHECK(contains(failed.what(), "other.example"));
  }
  front.join();
  CHECK(front.server().failure != 0);  // the alert
}

TEST_CASE("EXTERNAL logs in without a password, and asks for none") {
  SocketPeer peer;
  auto connecting = std::async(std::launch::async, [&] {
    return Connection::over_socket(
        peer.take_client_end(),
        {.password_callback = []() -> std::string { throw Error("was asked"); },
         .external_login = true,
         .close_timeout = std::chrono::milliseconds(20)});
  });
  peer.read_bytes(amqp::protocol_header.size());
  peer.send(0, amqp::connection::Start{.mechanisms = "PLAIN EXTERNAL", .locales = "en_US"});
  const auto start_ok = peer.expect<amqp::connection::StartOk>(0);
  CHECK(start_ok.mechanism == "EXTERNAL");
  CHECK(start_ok.response.empty());
  peer.send(0, amqp::connection::Close{.reply_code = 403, .reply_text = "ACCESS_REFUSED"});
  CHECK_THROWS_AS(connecting.get(), ConnectionClosed);
}

#endif
