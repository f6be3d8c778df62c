#include "sender.hpp"

#include "interrupt.hpp"

namespace haypile::cli {

namespace {

// How many messages may be unconfirmed when the confirms are looked at, and after how many messages
// that is done.
constexpr std::size_t window = 1000;
constexpr std::uint64_t look_interval = 500;

}  // namespace

Sender::Sender(Connection& connection, const CommonOptions& options, const Properties& properties)
    : channel_(connection.channel()), queue_(options.queue), properties_(properties) {
  declare(channel_, queue_, options);
  channel_.confirm_select();
  channel_.on_return([this](const Message&) { ++returned_count_; });
}

void Sender::send(std::string_view body) {
  channel_.basic_publish("", queue_, body, properties_, true);
  ++sent_count_;
  if (sent_count_ % look_interval == 0) wait(window);
}

// The broker confirms what it has returned, too, but returns it first.
void Sender::wait(std::size_t unconfirmed_max) {
  const bool all_taken = channel_.wait_for_confirms(unconfirmed_max);
  if (!all_taken) throw Error("the broker has refused a message");
  confirmed_count_ = sent_count_ - channel_.unconfirmed_count() - returned_count_;
  Interrupt::set_confirmed_count(confirmed_count_);
  if (returned_count_ == 0) return;
  throw Error(messages(returned_count_) + (returned_count_ == 1 ? " was" : " were") +
              " taken by no queue: '" + queue_ + "' does not exist any more");
}

}  // namespace haypile::cli
