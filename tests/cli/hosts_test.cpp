#include "cli/hosts.hpp"

#include <doctest/doctest.h>

using namespace haypile;
using namespace haypile::cli;
using Uris = std::vector<std::string>;

TEST_CASE("a list of URIs is cut at commas") {
  CHECK(split_uris("amqp://a") == Uris{"amqp://a"});
  CHECK(split_uris("amqp://a,amqp://b:1/v,amqps://c") ==
        Uris{"amqp://a", "amqp://b:1/v", "amqps://c"});
}

TEST_CASE("a comma in a password or a vhost does not cut a URI") {
  CHECK(split_uris("amqp://u:a,b@h/x,y,amqp://b") == Uris{"amqp://u:a,b@h/x,y", "amqp://b"});
}

TEST_CASE("a URI that makes no sense is an error before anything is tried") {
  CHECK_THROWS_AS(Hosts({"amqp://a,http://b"}), ConnectionFailed);
}

TEST_CASE("if no broker lets us in, the error says what each of them said") {
  Hosts hosts({"amqp://127.0.0.1:1,amqp://127.0.0.2:1"});
  std::string said;
  try {
    hosts.connect();
  } catch (const Error& error) {
    said = error.what();
  }
  CHECK(said.find("127.0.0.1:1: ") != std::string::npos);
  CHECK(said.find("127.0.0.2:1: ") != std::string::npos);
}
