// A program that needs all of the client, and not only its headers. Its connection has to fail.
#include <iostream>

#include <haypile/client.hpp>

static_assert(HAYPILE_VERSION_MAJOR + HAYPILE_VERSION_MINOR + HAYPILE_VERSION_PATCH > 0);

int main() {
  if (haypile::version() != HAYPILE_VERSION) return 1;
  const haypile::amqp::Table arguments{{"x-max-length", 10}};
  if (arguments.view().find("x-max-length")->as_int64() != 10) return 2;
  try {
    haypile::Connection connection("http://localhost");
  } catch (const haypile::ConnectionFailed&) {
    std::cout << haypile::version() << std::endl;
    return 0;
  }
  return 3;
}
