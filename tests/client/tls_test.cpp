// The client's TLS against a server of OpenSSL: bytes, ends, and peers that break the rules.
#include <doctest/doctest.h>

#include <haypile/error.hpp>

#include "client/core/tls.hpp"

using namespace haypile;

#ifndef HAYPILE_TLS

TEST_CASE("a library without TLS says so") {
  CHECK_THROWS_WITH_AS(TlsContext{TlsOptions{}}, doctest::Contains("built without TLS"),
                       ConnectionFailed);
}

#else

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "client/tls_conversation.hpp"

using namespace haypile::test;

namespace {

std::string some_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::mt19937 random(7);
  for (char& byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

}  // namespace

TEST_CASE("bytes arrive in both directions, whatever pieces they come in") {
  const std::string question = some_bytes(40'000);
  const std::string answer = some_bytes(50'000);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (std::size_t piece = 1; piece < 70'000; piece += 1 + piece / 3) {
      CAPTURE(piece);
      Conversation it;
      use_only(it.server.context(), version);
      REQUIRE(it.talk(piece) == Status::ok);
      REQUIRE(it.client.handshake_done());
      CHECK(SSL_version(it.server.ssl()) == version);
      it.client.encrypt(question, it.to_server);
      it.server.send(answer);
      REQUIRE(it.talk(piece) == Status::ok);
      CHECK(it.server.received == question);
      CHECK(it.received == answer);
    }
  }
}

TEST_CASE("what is sent before the handshake is done follows it") {
  Conversation it;
  it.client.encrypt("AMQP", it.to_server);
  CHECK(it.to_server.empty());
  CHECK(it.talk() == Status::ok);
  it.client.encrypt("0091", it.to_server);
  CHECK(it.talk() == Status::ok);
  CHECK(it.server.received == "AMQP0091");
}

TEST_CASE("no more than that is kept before the handshake") {
  Conversation it;
  it.client.encrypt(std::string(TlsSession::waiting_bytes_max, 'a'), it.to_server);
  CHECK(it.client.status() == Status::ok);
  it.client.encrypt("b", it.to_server);
  CHECK(contains(it.refusal(), "before the TLS handshake is done"));
}

TEST_CASE("an end that the peer has announced is told apart from one that cuts something off") {
  Conversation it;
  it.talk();
  it.server.send("the last");
  SSL_shutdown(it.server.ssl());
  CHECK(it.talk() == Status::closed);
  CHECK(it.received == "the last");
  CHECK(it.client.ended() == Status::closed);
  CHECK(it.client.decrypt("more", it.received, it.to_server) == Status::closed);

  Conversation cut;
  cut.talk();
  cut.server.send("the last");
  std::string bytes = cut.server.output();
  bytes.pop_back();
  CHECK(cut.client.decrypt(bytes, cut.received, cut.to_server) == Status::ok);
  CHECK(cut.client.ended() == Status::failed);
  CHECK(contains(cut.client.error(), "something may be missing"));
  CHECK(cut.received.empty());

  Conversation early;
  early.client.start(early.to_server);
  CHECK(early.client.ended() == Status::failed);
  CHECK(contains(early.client.error(), "during the TLS handshake"));
}

TEST_CASE("the client says when nothing more comes, and can still hear") {
  Conversation it;
  it.client.close(it.to_server);  // nothing to be said before the handshake
  it.talk();
  it.client.encrypt("goodbye", it.to_server);
  it.client.close(it.to_server);
  it.client.encrypt("never", it.to_server);
  it.client.close(it.to_server);
  CHECK(it.talk() == Status::ok);
  CHECK(it.server.received == "goodbye");
  CHECK(it.server.is_closed);
  it.server.send("goodbye");
  SSL_shutdown(it.server.ssl());
  CHECK(it.talk() == Status::closed);
  CHECK(it.received == "goodbye");
}

TEST_CASE("keys can be changed on the way") {
  Conversation it;
  use_only(it.server.context(), TLS1_3_VERSION);
  it.talk();
  for (int i = 0; i < 3; ++i) {
    SSL_key_update(it.server.ssl(), SSL_KEY_UPDATE_REQUESTED);
    it.server.send("a");
    CHECK(it.talk() == Status::ok);
    it.client.encrypt("b", it.to_server);
    CHECK(it.talk() == Status::ok);
  }
  CHECK(it.received == "aaa");
  CHECK(it.server.received == "bbb");
}

TEST_CASE("the client changes its key after many records, where that is possible") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Conversation it;
    it.client = TlsSession(TlsContext({.ca_file = trust().ca_file}), "localhost", 10);
    use_only(it.server.context(), version);
    int changes = 0;
    SSL_CTX_set_msg_callback_arg(it.server.context(), &changes);
    SSL_CTX_set_msg_callback(it.server.context(), [](int is_sent, int, int type, const void* bytes,
                                                     std::size_t, SSL*, void* count) {
      if (is_sent != 0 || type != SSL3_RT_HANDSHAKE) return;
      if (*static_cast<const char*>(bytes) == SSL3_MT_KEY_UPDATE) ++*static_cast<int*>(count);
    });
    it.talk();
    for (int i = 0; i < 35; ++i)
      it.client.encrypt("a", it.to_server);
    CHECK(it.talk() == Status::ok);
    CHECK(it.server.received == std::string(35, 'a'));
    CHECK(changes == (version == TLS1_3_VERSION ? 3 : 0));
  }
}

TEST_CASE("bytes wait while the peer is in the middle of a message about the session") {
  // Its ticket has our certificate, so it does not fit into one record of this server.
  const TemporaryDirectory directory;
  const std::string file = directory.path / "worker.pem";
  const Identity worker =
      make_identity({.common_name = std::string(60, 'w'), .names = "DNS:" + std::string(60, 'w')},
                    &trust().authority);
  write_certificate(file, worker);
  Conversation it({.ca_file = trust().ca_file,
                   .certificate_file = file,
                   .key_file = write_key(directory.path / "worker.key", worker)});
  use_only(it.server.context(), TLS1_3_VERSION);
  SSL_CTX_set_max_send_fragment(it.server.context(), 512);
  it.server.demand_certificate_of(trust().authority);
  it.client.start(it.to_server);
  it.server.receive(std::exchange(it.to_server, {}));
  it.client.decrypt(it.server.output(), it.received, it.to_server);
  it.server.receive(std::exchange(it.to_server, {}));
  const std::string tickets = it.server.output();
  REQUIRE(tickets.size() > 600);
  it.client.decrypt(tickets.substr(0, 600), it.received, it.to_server);
  CHECK(it.client.handshake_done());
  it.client.encrypt("one ", it.to_server);
  it.client.encrypt("two", it.to_server);
  CHECK(it.to_server.empty());
  it.client.decrypt(tickets.substr(600), it.received, it.to_server);
  CHECK(it.talk() == Status::ok);
  CHECK(it.server.received == "one two");
}

TEST_CASE("a peer that wants new keys without an end is not answered without one") {
  Conversation it;
  use_only(it.server.context(), TLS1_3_VERSION);
  it.talk();
  std::size_t updates = 0;
  while (it.client.status() == Status::ok) {
    REQUIRE(++updates < 1000);
    SSL_key_update(it.server.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(it.server.ssl());
    it.client.decrypt(it.server.output(), it.received, it.to_server);
  }
  CHECK(updates > 100);
  CHECK(it.to_server.size() < 5000);
  CHECK(contains(it.client.error(), "new TLS keys"));
}

TEST_CASE("there is no renegotiation") {
  Conversation it;
  use_only(it.server.context(), TLS1_2_VERSION);
  it.talk();
  SSL_renegotiate(it.server.ssl());
  SSL_do_handshake(it.server.ssl());
  it.talk();
  CHECK(it.server.failure == SSL_R_NO_RENEGOTIATION);
}

TEST_CASE("TLS before 1.2 is refused") {
  Conversation old;
  use_only(old.server.context(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(old.server.context(), "DEFAULT@SECLEVEL=0");
  CHECK(contains(old.refusal(), "it has to speak TLS 1.2 or 1.3"));

  // A server that answers with 1.1 all the same: RFC 4346, section 7.4.1.3.
  Conversation it;
  it.client.start(it.to_server);
  std::string hello("\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02", 11);
  hello += std::string(32, 'r') + std::string("\x00\x00\x2f\x00", 4);
  CHECK(it.client.decrypt(hello, it.received, it.to_server) == Status::failed);
  CHECK(contains(it.client.error(), "too old"));
}

TEST_CASE("a port without TLS is told") {
  for (const std::string& greeting : {std::string("AMQP\x00\x00\x09\x01", 8), some_bytes(40'000)}) {
    Conversation it;
    it.client.start(it.to_server);
    CHECK(it.client.decrypt(greeting, it.received, it.to_server) == Status::failed);
    CHECK(contains(it.client.error(), "does not speak TLS on this port"));
  }
  Conversation it;
  it.talk();
  CHECK(it.client.decrypt(some_bytes(40'000), it.received, it.to_server) == Status::failed);
  CHECK(it.client.error() == "TLS failed: wrong version number");
}

TEST_CASE("a handshake without an end is a failure") {
  // Requests to begin, which a client ignores during a handshake: RFC 5246, section 7.4.1.1.
  const std::string hello_request("\x16\x03\x03\x00\x04\x00\x00\x00\x00", 9);
  Conversation it;
  it.client.start(it.to_server);
  std::size_t sent = 0;
  while (it.client.decrypt(hello_request, it.received, it.to_server) == Status::ok) {
    sent += hello_request.size();
    REQUIRE(sent <= TlsSession::handshake_bytes_max);
  }
  CHECK(it.received.empty());
  CHECK(it.to_server.size() < 4096);
  CHECK(contains(it.client.error(), "has no end"));
}

TEST_CASE("whatever byte of the broker is damaged, nothing wrong is taken for right") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    std::optional<std::size_t> size;
    for (std::size_t damaged = 0; !size || damaged < *size; damaged += 7) {
      CAPTURE(damaged);
      Conversation it;
      use_only(it.server.context(), version);
      it.client.start(it.to_server);
      std::size_t come = 0;
      const auto move = [&] {
        it.server.receive(std::exchange(it.to_server, {}));
        std::string bytes = it.server.output();
        if (damaged >= come && damaged < come + bytes.size()) {
          bytes[damaged - come] = static_cast<char>(bytes[damaged - come] ^ 0x55);
        }
        come += bytes.size();
        it.client.decrypt(bytes, it.received, it.to_server);
      };
      for (int i = 0; i < 3; ++i)
        move();
      if (SSL_is_init_finished(it.server.ssl()) == 1) it.server.send("right");
      move();
      if (it.client.ended() == Status::failed) CHECK_FALSE(it.client.error().empty());
      CHECK((it.received.empty() || it.received == "right"));
      CHECK((it.received.empty() || it.client.handshake_done()));
      size = std::max(size.value_or(0), come);
    }
  }
}

#endif
