// Publishes to a queue and counts what becomes of the messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <haypile/client.hpp>

#include "common.hpp"

namespace haypile::cli {

class Sender {
 public:
  // Declares the queue. `properties` must be valid as long as this is used. Throws Error.
  Sender(Connection& connection, const CommonOptions& options, const Properties& properties);
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Publishes, and waits if too many messages are unconfirmed. Throws as wait() does.
  void send(std::string_view body);
  // Waits until at most so many messages are unconfirmed. Throws Error if the broker has refused or
  // returned one, or if the connection is lost.
  void wait(std::size_t unconfirmed_max = 0);

  std::uint64_t sent_count() const { return sent_count_; }
  // Messages that are safe, as far as the last wait() has seen.
  std::uint64_t confirmed_count() const { return confirmed_count_; }
  // Messages that no queue has taken.
  std::uint64_t returned_count() const { return returned_count_; }

 private:
  Channel channel_;
  const std::string queue_;
  const Properties properties_;
  std::uint64_t sent_count_ = 0;
  std::uint64_t confirmed_count_ = 0;
  std::uint64_t returned_count_ = 0;
};

}  // namespace haypile::cli
