// What a client library does in the comparison of client libraries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace clients {

// One connection with one channel to a broker on loopback, logged in as guest. Each piece of work
// is on the durable queue `bench`, with persistent messages of `body`. Throws std::exception.
class Client {
 public:
  virtual ~Client() = default;
  // Publishes `count` messages, of which at most `window` are unconfirmed.
  virtual void publish(std::uint64_t count, std::uint64_t window, const std::string& body) = 0;
  // Consumes `count` messages with a prefetch_count of 1,000, and acknowledges each.
  virtual void consume(std::uint64_t count) = 0;
};

std::unique_ptr<Client> haypile_client(std::uint16_t port);
std::unique_ptr<Client> rabbitmq_c_client(std::uint16_t port);

}  // namespace clients
