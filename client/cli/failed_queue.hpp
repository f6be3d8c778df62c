// The queue for messages whose last try has failed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <haypile/client.hpp>

#include "common.hpp"

namespace haypile::cli {

// The headers of a message in the failed queue: its own, with x-failed-reason, x-failed-queue and
// x-failed-attempts. What would change its way or its life there has another name: CC, BCC, the
// expiration and the user id become x-failed-cc and so on. x-delivery-count is of the old queue.
amqp::Table failed_headers(const Properties& properties, const std::string& queue,
                           const std::string& reason, std::uint64_t attempt_count);

// Publishes messages to a durable queue, one at a time, and waits for the confirm.
class FailedQueue {
 public:
  // Declares the queue. `connection` and `options` must outlive this. Throws Error.
  FailedQueue(Connection& connection, std::string name, const CommonOptions& options);

  // Stores the message with what has happened to it. Returns why that did not work; empty: it is
  // stored safely. Throws ConnectionClosed or TimedOut if the connection is lost.
  std::string store(const Message& message, const std::string& reason, std::uint64_t attempt_count);

  const std::string& name() const { return name_; }

 private:
  void open();

  Connection& connection_;
  const std::string name_;
  const CommonOptions& options_;
  std::optional<Channel> channel_;  // nothing after an error: the next store() opens it again
  std::string returned_;            // why the broker has returned the last message
};

}  // namespace haypile::cli
