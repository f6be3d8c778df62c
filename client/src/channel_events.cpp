// What a channel does with its events, and how it tells the program of them.
#include "channel_impl.hpp"

namespace haypile {

void ChannelImpl::handle(event::Reply& event) {
  if (event.method == amqp::confirm::SelectOk::id) confirms_ = true;
  if (const auto starting = starting_consumers_.extract(event.request)) {
    amqp::basic::ConsumeOk ok;
    static_cast<void>(amqp::decode_arguments(event.arguments, ok));
    consumers_[std::string(ok.consumer_tag)] = starting.mapped();
  }
  answers_[event.request] = {std::move(event.arguments), std::nullopt};
}

void ChannelImpl::handle(event::Got& event) {
  if (event.message) event.message->channel_id_ = id_;
  answers_[event.request] = {{}, std::move(event.message)};
}

void ChannelImpl::handle(event::Delivery& event) {
  event.message.channel_id_ = id_;
  deliveries_.push_back(std::move(event.message));
}

void ChannelImpl::handle(event::Returned& event) {
  if (on_return_) news_.emplace_back(std::move(event.message));
}

void ChannelImpl::handle(event::Confirmed& event) {
  if (event.refused) refused_ = true;
  unconfirmed_.settle(event.number, event.multiple, [&](std::uint64_t number) {
    if (on_confirm_) news_.emplace_back(Settled{number, !event.refused});
  });
}

void ChannelImpl::handle(event::ConsumerCancelled& event) {
  news_.emplace_back(Cancelled{std::move(event.consumer_tag)});
}

void ChannelImpl::handle(event::ChannelClosed& event) {
  closed_ = std::move(event.reason);
  connection_->remove_channel(number_);
}

void ChannelImpl::tell(Lock& lock) {
  connection_->tell_blocked(lock);
  while (!news_.empty()) {
    News news = std::move(news_.front());
    news_.pop_front();
    tell_one(lock, news);
  }
}

// A callback is called without the lock.
void ChannelImpl::tell_one(Lock& lock, News& news) {
  const auto call = [&lock](const auto& callback, auto&&... arguments) {
    // It may replace itself.
    const auto kept = callback;  // NOLINT(performance-unnecessary-copy-initialization)
    if (!kept) return;
    lock.unlock();
    (*kept)(std::forward<decltype(arguments)>(arguments)...);
    lock.lock();
  };
  if (auto* const returned = std::get_if<Message>(&news)) {
    call(on_return_, std::move(*returned));
  } else if (const auto* const settled = std::get_if<Settled>(&news)) {
    call(on_confirm_, settled->number, settled->confirmed);
  } else {
    const std::string& consumer_tag = std::get<Cancelled>(news).consumer_tag;
    drop_consumer(consumer_tag);
    call(on_cancel_, std::string_view(consumer_tag));
  }
}

}  // namespace haypile
