// Whom the client trusts with TLS, and how it shows who it is.
#ifdef HAYPILE_TLS

#include <doctest/doctest.h>

#include <stdlib.h>

#include <fstream>
#include <string>

#include <haypile/error.hpp>

#include "client/core/tls.hpp"
#include "client/tls_conversation.hpp"

using namespace haypile;
using namespace haypile::test;

TEST_CASE("the certificate has to be for the host, which is sent if it is a name") {
  struct Case {
    std::string names;
    std::string host;
    std::string sent;
    bool is_accepted;
  };
  for (const Case& each : {
           Case{"DNS:localhost", "localhost", "localhost", true},
           Case{"DNS:localhost", "LOCALHOST", "LOCALHOST", true},
           Case{"DNS:localhost", "localhost.", "localhost", true},
           Case{"DNS:localhost", "otherhost", "otherhost", false},
           Case{"DNS:*.mq.example", "a.mq.example", "a.mq.example", true},
           Case{"DNS:a*.mq.example", "ab.mq.example", "ab.mq.example", false},
           Case{"DNS:*.mq.example", "a.b.mq.example", "a.b.mq.example", false},
           Case{"IP:127.0.0.1", "127.0.0.1", "nothing", true},
           Case{"IP:127.0.0.2", "127.0.0.1", "nothing", false},
           Case{"DNS:127.0.0.1", "127.0.0.1", "nothing", false},
           Case{"IP:::1", "::1", "nothing", true},
       }) {
    CAPTURE(each.names);
    CAPTURE(each.host);
    const Identity broker = make_identity({.names = each.names}, &trust().authority);
    Conversation it({.ca_file = trust().ca_file}, each.host, broker);
    CHECK((it.talk() == Status::ok) == each.is_accepted);
    CHECK(it.client.handshake_done() == each.is_accepted);
    const char* sent = SSL_get_servername(it.server.ssl(), TLSEXT_NAMETYPE_host_name);
    CHECK((sent ? std::string(sent) : "nothing") == each.sent);
  }
}

TEST_CASE("a wrong host is told, with those that the certificate is for") {
  const Identity broker = make_identity(
      {.names = "DNS:mq.example,IP:10.0.0.1,IP:fe80::1,email:a@mq.example,DNS:\x1b[2J,DNS:last"},
      &trust().authority);
  Conversation it({.ca_file = trust().ca_file}, "localhost", broker);
  CHECK(
      it.refusal() ==
      "the certificate of 'localhost' is for mq.example, 10.0.0.1, fe80::1, \\x1b[2J, ...; if that "
      "is the broker, say so with server_name (in a URI: server_name_indication)");
}

TEST_CASE("another name than the host can be demanded") {
  Conversation it({.ca_file = trust().ca_file, .server_name = "localhost"}, "10.0.0.1");
  CHECK(it.talk() == Status::ok);
  Conversation other({.ca_file = trust().ca_file, .server_name = "otherhost"}, "localhost");
  CHECK(contains(other.refusal(), "'otherhost' is for localhost"));
}

TEST_CASE("no name, or one that cannot be in a certificate, is refused") {
  const TlsContext context({.ca_file = trust().ca_file});
  for (const std::string& name :
       {std::string(), std::string("."), std::string(256, 'a'), std::string("a\0b", 3)}) {
    CHECK_THROWS_WITH_AS(TlsSession(context, name), doctest::Contains("is no name of a host"),
                         ConnectionFailed);
  }
}

TEST_CASE("only certificates of a trusted authority, at their time, are accepted") {
  const Identity stranger = make_identity({.common_name = "stranger", .is_authority = true});
  const auto refusal = [](const Identity& broker) {
    return Conversation({.ca_file = trust().ca_file}, "localhost", broker).refusal();
  };
  CHECK(refusal(make_identity()) ==
        "the certificate of 'localhost' is not trusted: self-signed certificate; if it should be, "
        "give the certificate of its authority with ca_file (in a URI: cacertfile)");
  CHECK(contains(refusal(make_identity({}, &stranger)), "is not trusted: unable to get local"));
  CHECK(contains(refusal(make_identity({.ends_s = -60}, &trust().authority)),
                 "is not accepted: certificate has expired"));
  CHECK(contains(refusal(make_identity({.begins_s = 60}, &trust().authority)),
                 "is not accepted: certificate is not yet valid"));
}

TEST_CASE("the authorities of the system are trusted if no others are named") {
  CHECK(contains(Conversation(TlsOptions{}).refusal(), "is not trusted: unable to get local"));
  ::setenv("SSL_CERT_FILE", trust().ca_file.c_str(), 1);
  Conversation it(TlsOptions{});
  ::unsetenv("SSL_CERT_FILE");
  CHECK(it.talk() == Status::ok);
}

TEST_CASE("the peer hears why its certificate is refused") {
  Conversation it({.ca_file = trust().ca_file}, "otherhost");
  CHECK(it.talk() == Status::failed);
  CHECK(it.server.failure == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE);
}

TEST_CASE("without verification any certificate is accepted") {
  Conversation it({.verify = false}, "otherhost", make_identity({.ends_s = -60}));
  CHECK(it.talk() == Status::ok);
  CHECK(it.client.handshake_done());
}

TEST_CASE("the client shows its certificate") {
  const Identity worker = make_identity({.common_name = "worker"}, &trust().authority);
  const TemporaryDirectory directory;
  const std::string certificate = write_certificate(directory.path / "worker.pem", worker);
  const std::string key = write_key(directory.path / "worker.key", worker);
  const std::string locked = write_key(directory.path / "locked.key", worker, "opensesame");
  const std::string both = directory.path / "both.pem";
  std::ofstream(both) << std::ifstream(certificate).rdbuf() << std::ifstream(key).rdbuf();
  for (const TlsOptions& options :
       {TlsOptions{.certificate_file = certificate, .key_file = key},
        TlsOptions{.certificate_file = both},
        TlsOptions{
            .certificate_file = certificate, .key_file = locked, .key_password = "opensesame"}}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      TlsOptions trusting = options;
      trusting.ca_file = trust().ca_file;
      Conversation it(trusting);
      use_only(it.server.context(), version);
      it.server.demand_certificate_of(trust().authority);
      CHECK(it.talk() == Status::ok);
      CHECK(SSL_is_init_finished(it.server.ssl()) == 1);
    }
  }
}

TEST_CASE("a broker that wants a certificate refuses a client without one") {
  const auto refusal = [](int version) {
    Conversation it;
    use_only(it.server.context(), version);
    it.server.demand_certificate_of(trust().authority);
    return it.refusal();
  };
  const std::string hint =
      "; if it wants a certificate of this client, give one with certificate_file and key_file (in "
      "a URI: certfile, keyfile)";
  CHECK(refusal(TLS1_2_VERSION) == "the broker refused TLS: handshake failure" + hint);
  CHECK(refusal(TLS1_3_VERSION) == "the broker refused TLS: certificate required" + hint);
}

TEST_CASE("a file that cannot be used is told, with what is wrong with it") {
  const TemporaryDirectory directory;
  const auto refused = [](const TlsOptions& options, const char* why) {
    CHECK_THROWS_WITH_AS(TlsContext{options}, doctest::Contains(why), ConnectionFailed);
  };
  const std::string garbage = directory.path / "garbage";
  std::ofstream(garbage) << "no certificate\n";
  const std::string certificate = write_certificate(directory.path / "a.pem", trust().broker);
  const std::string other = write_key(directory.path / "other.key", trust().authority);
  const std::string locked = write_key(directory.path / "locked.key", trust().broker, "secret");
  refused({.ca_file = directory.path / "none"}, "none': No such file or directory");
  refused({.ca_file = directory.path}, "cannot read certificates of authorities from");
  refused({.ca_file = garbage}, "garbage': no certificate or crl found");
  refused({.certificate_file = directory.path / "none"}, "none': No such file or directory");
  refused({.certificate_file = garbage}, "garbage': no start line");
  refused({.certificate_file = certificate}, "cannot use the client's key from");
  refused({.certificate_file = certificate, .key_file = other}, "key values mismatch");
  refused({.certificate_file = certificate, .key_file = locked}, "needs key_password");
  refused({.certificate_file = certificate, .key_file = locked, .key_password = "wrong"},
          "needs key_password");
  refused({.key_file = locked}, "but no certificate_file");
}

#endif
