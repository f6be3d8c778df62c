#include "log/copies.hpp"

namespace haypile::log {

void Copies::apply(LogPosition position, const Record& record) {
  clean_ = false;
  if (const auto* publish = std::get_if<PublishRecord>(&record)) {
    for (const engine::QueueId queue : publish->queues)
      change({{position, queue}, true});
  } else if (const auto* message = std::get_if<MessageRecord>(&record)) {
    const Copy copy{message->message, message->queue};
    if (message->type == RecordType::ack) {
      change({copy, false});
    } else if (message->type == RecordType::delivery_count) {
      delivery_counts_[copy] = message->delivery_count;
    } else {
      delivered_.insert(copy);
    }
  } else if (const auto* mark = std::get_if<MarkRecord>(&record)) {
    apply(*mark);
  }
}

void Copies::apply(const MarkRecord& mark) {
  switch (mark.type) {
    case RecordType::start:
      delivered_.clear();
      group_.clear();  // a crash cut it short
      in_group_ = false;
      break;
    case RecordType::clean_stop:
      clean_ = true;
      break;
    case RecordType::group_begin:
      in_group_ = true;
      break;
    case RecordType::group_end:
      for (const Change& change : group_)
        perform(change);
      group_.clear();
      in_group_ = false;
      break;
    default:
      break;
  }
}

void Copies::change(const Change& change) {
  if (in_group_) {
    group_.push_back(change);
  } else {
    perform(change);
  }
}

void Copies::perform(const Change& change) {
  if (change.is_held) {
    held_.insert(change.copy);
  } else {
    held_.erase(change.copy);
    delivery_counts_.erase(change.copy);
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
