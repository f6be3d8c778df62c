#include "spare_consumers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace haypile::cli {

SpareConsumers::SpareConsumers(Channel& channel, std::string queue, DeliveryCallback callback)
    : channel_(channel), queue_(std::move(queue)), callback_(std::move(callback)) {}

void SpareConsumers::set_count(std::size_t count) {
  count = std::min(count, count_max);
  for (auto at = is_idle_.begin(); is_idle_.size() > count && at != is_idle_.end();) {
    if (at->second) channel_.basic_cancel(at->first);
    at = at->second ? is_idle_.erase(at) : std::next(at);
  }
  if (is_idle_.size() >= count) return;
  channel_.basic_qos(1);
  while (is_idle_.size() < count)
    is_idle_[channel_.basic_consume(queue_, callback_)] = true;
}

void SpareConsumers::on_message(std::string_view consumer_tag) {
  const auto found = is_idle_.find(consumer_tag);
  if (found != is_idle_.end()) found->second = false;
}

void SpareConsumers::on_settle(std::string_view consumer_tag, std::size_t wanted_count) {
  const auto found = is_idle_.find(consumer_tag);
  if (found == is_idle_.end()) return;
  found->second = true;
  if (is_idle_.size() <= wanted_count) return;
  channel_.basic_cancel(consumer_tag);
  is_idle_.erase(found);
}

void SpareConsumers::cancel_all() {
  for (const auto& [tag, is_idle] : is_idle_)
    channel_.basic_cancel(tag);
  is_idle_.clear();
}

}  // namespace haypile::cli
