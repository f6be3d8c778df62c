#include "failed_queue.hpp"

#include <chrono>
#include <utility>

namespace haypile::cli {

namespace {

constexpr std::chrono::seconds confirm_timeout{30};

void move_header(amqp::Table& headers, const char* from, const char* to) {
  const auto value = headers.view().find(from);
  if (!value) return;
  const amqp::Value copy(*value);
  headers.erase(from);
  headers.set(to, copy);
}

}  // namespace

amqp::Table failed_headers(const Properties& properties, const std::string& queue,
                           const std::string& reason, std::uint64_t attempt_count) {
  amqp::Table headers(properties.headers.value_or(amqp::TableView()));
  headers.erase("x-delivery-count");
  move_header(headers, "CC", "x-failed-cc");
  move_header(headers, "BCC", "x-failed-bcc");
  if (properties.expiration) headers.set("x-failed-expiration", *properties.expiration);
  if (properties.user_id) headers.set("x-failed-user-id", *properties.user_id);
  headers.set("x-failed-reason", reason);
  headers.set("x-failed-queue", queue);
  headers.set("x-failed-attempts", static_cast<std::int64_t>(attempt_count));
  return headers;
}

FailedQueue::FailedQueue(Connection& connection, std::string name, const CommonOptions& options)
    : connection_(connection), name_(std::move(name)), options_(options) {
  open();
}

void FailedQueue::open() {
  channel_.emplace(connection_.channel());
  declare(*channel_, name_, options_);
  channel_->confirm_select();
  channel_->on_return([this](const Message& message) { returned_ = message.reply_text(); });
}

std::string FailedQueue::store(const Message& message, const std::string& reason,
                               std::uint64_t attempt_count) {
  Properties properties = message.properties();
  const amqp::Table headers = failed_headers(properties, options_.queue, reason, attempt_count);
  properties.headers = headers.view();
  properties.expiration.reset();
  properties.user_id.reset();
  properties.delivery_mode = persistent;
  returned_.clear();
  std::string why;
  try {
    if (!channel_) open();
    channel_->basic_publish("", name_, message.body(), properties, true);
    if (!channel_->wait_for_confirms(0, confirm_timeout)) why = "the broker has refused it";
    if (!returned_.empty()) why = "no such queue: " + returned_;
  } catch (const ConnectionClosed&) {
    throw;
  } catch (const TimedOut&) {
    throw;
  } catch (const Error& error) {
    why = error.what();
  }
  if (!why.empty()) channel_.reset();
  return why;
}

}  // namespace haypile::cli
