#include "log/copies.hpp"

namespace haypile::log {

void Copies::apply(LogPosition position, const Record& record) {
  clean_ = false;
  if (const auto* publish = std::get_if<PublishRecord>(&record)) {
    for (const engine::QueueId queue : publish->queues)
      held_.insert({position, queue});
  } else if (const auto* message = std::get_if<MessageRecord>(&record)) {
    const Copy copy{message->message, message->queue};
    if (message->type == RecordType::ack) {
      held_.erase(copy);
      delivery_counts_.erase(copy);
    } else if (message->type == RecordType::delivery_count) {
      delivery_counts_[copy] = message->delivery_count;
    } else {
      delivered_.insert(copy);
    }
  } else if (const auto* mark = std::get_if<MarkRecord>(&record)) {
    if (mark->type == RecordType::start) delivered_.clear();
    clean_ = mark->type == RecordType::clean_stop;
  }
}

std::optional<engine::RecoveredCopy> Copies::find(LogPosition message,
                                                  engine::QueueId queue) const {
  const Copy copy{message, queue};
  if (!held_.contains(copy)) return std::nullopt;
  engine::RecoveredCopy found{.queue = queue, .redelivered = !clean_ || delivered_.contains(copy)};
  if (const auto count = delivery_counts_.find(copy); count != delivery_counts_.end()) {
    found.redelivered = true;
    found.delivery_count = count->second;
  }
  return found;
}

}  // namespace haypile::log
