// Keeps a worker supplied while some of its messages pause.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <haypile/channel.hpp>

namespace haypile::cli {

// Consumers beside a worker's first one, for one message each. A message that pauses between two
// tries stays unacked and takes up a place of the prefetch; a spare consumer brings another message
// in its stead. If possible, one is taken back while its message is unacked: then no other one is
// on its way to it that would have to go back.
//
// The prefetch of one consumer cannot be changed later, and that of a channel does not exist for
// quorum queues of RabbitMQ.
class SpareConsumers {
 public:
  // `channel` must outlive this, or end without another call of this.
  SpareConsumers(Channel& channel, std::string queue, DeliveryCallback callback);

  // Adds consumers until there are so many, but no more than count_max, or takes idle ones back
  // until there are no more than that.
  void set_count(std::size_t count);
  // Hears that a message has come to a consumer, maybe a spare one.
  void on_message(std::string_view consumer_tag);
  // Hears that its message will be settled next. Takes the consumer back if it is a spare one and
  // there are more than `wanted_count`.
  void on_settle(std::string_view consumer_tag, std::size_t wanted_count);
  void cancel_all();

  static constexpr std::size_t count_max = 1000;

 private:
  Channel& channel_;
  const std::string queue_;
  const DeliveryCallback callback_;
  std::map<std::string, bool, std::less<>> is_idle_;  // by consumer tag
};

}  // namespace haypile::cli
