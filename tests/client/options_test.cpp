#include <doctest/doctest.h>

#include <string>

#include <haypile/error.hpp>
#include <haypile/options.hpp>

using haypile::ConnectionFailed;
using haypile::ConnectionOptions;

TEST_CASE("all that a URI leaves out has a default") {
  for (const char* uri : {"amqp://", "amqp://localhost", "amqp://localhost/", "amqp://:5672"}) {
    CAPTURE(uri);
    const ConnectionOptions options = ConnectionOptions::from_uri(uri);
    CHECK(options.host == "localhost");
    CHECK(options.port == 5672);
    CHECK(options.user == "guest");
    CHECK(options.password == "guest");
    CHECK(options.virtual_host == "/");
    CHECK_FALSE(options.heartbeat_s.has_value());
    CHECK_FALSE(options.tls.has_value());
    CHECK_FALSE(options.external_login);
    CHECK(options.publish_timeout == std::chrono::seconds(30));
  }
}

TEST_CASE("every part of a URI counts") {
  const ConnectionOptions options = ConnectionOptions::from_uri(
      "amqp://us%65r:p%40ss:word@10.0.0.1:10000/v%2fhost?heartbeat=7&connection_timeout=250"
      "&publish_timeout=100&channel_max=3&frame_max=8192&name=a%20worker&auth_mechanism=external");
  CHECK(options.host == "10.0.0.1");
  CHECK(options.port == 10000);
  CHECK(options.user == "user");
  CHECK(options.password == "p@ss:word");
  CHECK(options.virtual_host == "v/host");
  CHECK(options.heartbeat_s == 7);
  CHECK(options.connection_timeout == std::chrono::milliseconds(250));
  CHECK(options.channel_max == 3);
  CHECK(options.frame_max_bytes == 8192);
  CHECK(options.connection_name == "a worker");
  CHECK(options.publish_timeout == std::chrono::milliseconds(100));
  CHECK(options.external_login);
  CHECK_FALSE(ConnectionOptions::from_uri("amqp://?auth_mechanism=plain").external_login);
}

TEST_CASE("amqps is encrypted, verified, and has a port of its own") {
  const ConnectionOptions options = ConnectionOptions::from_uri("amqps://user:word@host/v");
  CHECK(options.host == "host");
  CHECK(options.port == 5671);
  CHECK(options.user == "user");
  CHECK(options.virtual_host == "v");
  REQUIRE(options.tls.has_value());
  CHECK(options.tls->verify);
  CHECK(options.tls->ca_file.empty());
  CHECK(ConnectionOptions::from_uri("amqps://host:99").port == 99);
}

TEST_CASE("the parameters of TLS have the names that they have in other clients") {
  const ConnectionOptions options = ConnectionOptions::from_uri(
      "amqps://host?cacertfile=%2Fetc%2Fa%20ca.pem&certfile=/c.pem&keyfile=/k.pem"
      "&verify=verify_none&server_name_indication=mq.example&auth_mechanism=external");
  REQUIRE(options.tls.has_value());
  CHECK(options.tls->ca_file == "/etc/a ca.pem");
  CHECK(options.tls->certificate_file == "/c.pem");
  CHECK(options.tls->key_file == "/k.pem");
  CHECK_FALSE(options.tls->verify);
  CHECK(options.tls->server_name == "mq.example");
  CHECK(options.external_login);
  CHECK(ConnectionOptions::from_uri("amqps://?verify=verify_peer").tls->verify);
}

TEST_CASE("options can be written down by their names") {
  const ConnectionOptions options{.host = "mq.example",
                                  .port = 5671,
                                  .password_callback = [] { return std::string("token"); },
                                  .tls = haypile::TlsOptions{.ca_file = "ca.pem"},
                                  .connection_name = "worker"};
  CHECK(options.password_callback() == "token");
  CHECK(options.tls->ca_file == "ca.pem");
}

TEST_CASE("a host in brackets is an IPv6 address") {
  CHECK(ConnectionOptions::from_uri("amqp://[::1]").host == "::1");
  const ConnectionOptions options = ConnectionOptions::from_uri("amqp://a:b@[fe80::1]:99/x");
  CHECK(options.host == "fe80::1");
  CHECK(options.port == 99);
  CHECK(options.virtual_host == "x");
}

TEST_CASE("a URI that makes no sense is refused with what is wrong") {
  const auto refused = [](const char* uri, const char* why) {
    CAPTURE(uri);
    try {
      ConnectionOptions::from_uri(uri);
      FAIL("was accepted");
    } catch (const ConnectionFailed& error) {
      CAPTURE(error.what());
      CHECK(std::string(error.what()).find(why) != std::string::npos);
    }
  };
  refused("", "does not start with amqp://");
  refused("localhost:5672", "does not start with amqp://");
  refused("amqpss://localhost", "does not start with amqp:// or amqps://");
  refused("amqp://localhost:port", "port is not a number");
  refused("amqp://localhost:65536", "port is not a number");
  refused("amqp://localhost:-1", "port is not a number");
  refused("amqp://[::1", "']' is missing");
  refused("amqp://[::1]x", "unexpected text after ']'");
  refused("amqp://a%2:b@localhost", "two hexadecimal digits");
  refused("amqp://localhost/%zz", "two hexadecimal digits");
  refused("amqp://localhost?heartbeat=soon", "heartbeat is not a number");
  refused("amqp://localhost?heartbeet=3", "unknown parameter");
  refused("amqp://localhost?cacertfile=/ca.pem", "cacertfile is for amqps://");
  refused("amqp://localhost?verify=verify_peer", "verify is for amqps://");
  refused("amqps://localhost?verify=true", "verify has to be verify_peer or verify_none");
  refused("amqps://localhost?auth_mechanism=x", "auth_mechanism has to be external or plain");
  refused("amqps://localhost?certfile=%", "two hexadecimal digits");
  refused("amqp://localhost?publish_timeout=soon", "publish_timeout is not a number");
  refused("amqp://user:pass/word@localhost", "'/' is %2F");
}

TEST_CASE("a URI that is refused is not told, nor is any part of it that may be a password") {
  for (const char* uri :
       {"amqpz://user:secret@host", "ampq://user:secret@host", "amqp://user:secret/word@host",
        "amqp://user:secret?x=y@host", "amqp://user:secret?heartbeat=secret@host",
        "user:secret@host", "amqp://user:secret@host:secret", "amqp://us%er:secret@host",
        "amqp://host:secret", "amqp://[::1]secret", "amqp://host?secret=1",
        "amqp://user:secret@host/%secret", "amqps://user:secret?x=y@host",
        "amqps://user:secret@host?verify=secret", "amqps://host?auth_mechanism=secret",
        "amqp://user:secret@host?certfile=secret"}) {
    CAPTURE(uri);
    try {
      ConnectionOptions::from_uri(uri);
      FAIL("was accepted");
    } catch (const ConnectionFailed& error) {
      CAPTURE(error.what());
      CHECK(std::string(error.what()).find("secret") == std::string::npos);
    }
  }
}
