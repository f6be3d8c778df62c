// A journal that keeps the same records as a log, and complains about calls that make no sense.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <haypile/amqp/properties.hpp>

#include "engine/journal.hpp"
#include "support/mem_backlog.hpp"

namespace haypile::test {

// A journal for tests of the engine. `complain` is called with what is wrong.
class CheckedJournal final : public engine::Journal {
 public:
  using Complain = std::function<void(const std::string& complaint)>;
  explicit CheckedJournal(Complain complain) : complain_(std::move(complain)) {}

  // The engine has to move all messages that are there now when it asks next.
  void want_room() {
    if (!is_moving_) boundary_ = end_ + 1;
  }

  // Nothing more becomes durable until release().
  void hold() {
    if (!std::exchange(held_, true)) durable_ = end_;
  }
  void release() { held_ = false; }

  // The bodies of the messages that a recovery would find in the queue, in order.
  std::vector<std::string> bodies_in(const std::string& queue) const {
    std::vector<std::string> bodies;
    for (const auto& [position, message] : messages_) {
      for (const engine::QueueId id : message.queues) {
        if (queues_.at(id) == queue) bodies.push_back(message.body);
      }
    }
    return bodies;
  }
  // Whether nothing is left of what was declared and published.
  bool empty() const { return queues_.empty() && messages_.empty() && to_release_.empty(); }

  void declare_exchange(const engine::ExchangeDefinition& exchange) override {
    append();
    expect(exchange.durable && exchanges_.insert(exchange.name).second, "exchange twice");
  }
  void delete_exchange(std::string_view name) override {
    append();
    expect(exchanges_.erase(std::string(name)) == 1, "no such exchange");
  }
  void declare_queue(const engine::QueueDefinition& queue) override {
    append();
    expect(queue.durable && queues_.emplace(queue.id, queue.name).second, "queue twice");
  }
  void delete_queue(engine::QueueId queue) override {
    append();
    expect(queues_.erase(queue) == 1, "no such queue");
    const auto first = backlogs_.lower_bound({queue, 0});
    const auto last = backlogs_.upper_bound({queue, 255});
    const auto is_unread = [&](engine::LogPosition message) {
      return std::any_of(first, last,
                         [&](const auto& each) { return each.second.has_unread(message); });
    };
    for (auto it = messages_.begin(); it != messages_.end();) {
      if (it->second.queues.erase(queue) > 0 && !is_unread(it->first)) ++to_release_[it->first];
      it = it->second.queues.empty() ? messages_.erase(it) : std::next(it);
    }
    backlogs_.erase(first, last);
  }
  void bind(const engine::BindingDefinition&) override { append(); }
  void unbind(const engine::BindingDefinition&) override { append(); }
  engine::LogPosition publish(const engine::MessageView& message,
                              std::span<const engine::QueueId> queues) override {
    ++end_;
    expect(message.exchange.size() <= 255 && message.routing_key.size() <= 255, "long names");
    expect(amqp::peek_delivery_mode(message.properties) == amqp::delivery_mode_persistent,
           "a transient message");
    const std::set<engine::QueueId> ids(queues.begin(), queues.end());
    expect(!ids.empty() && ids.size() == queues.size(), "no queue, or one twice");
    for (const engine::QueueId id : ids)
      expect(queues_.contains(id), "a message for a queue that is not there");
    messages_[end_] = {std::string(message.body), ids};
    return end_;
  }
  void ack(const engine::QueuedRef& ref) override {
    ++end_;
    expect_held(ref, "ack");
    expect_stored(ref);
    const engine::LogPosition position = position_of(ref);
    messages_[position].queues.erase(ref.queue);
    if (messages_[position].queues.empty()) messages_.erase(position);
    kept_.erase(ref.stored);
  }
  void release(const engine::QueuedRef& ref) override {
    const auto found = to_release_.find(position_of(ref));
    if (found == to_release_.end()) return expect(false, "release of what is not there");
    if (--found->second == 0) to_release_.erase(found);
  }
  void mark_delivered(const engine::QueuedRef& ref) override {
    append();
    expect_held(ref, "mark_delivered");
    expect_stored(ref);
  }
  void set_delivery_count(const engine::QueuedRef& ref, std::uint32_t) override {
    ++end_;
    expect_held(ref, "set_delivery_count");
    expect_stored(ref);
  }
  void set_unused_since(engine::QueueId queue, engine::TimeMs) override {
    append();
    expect(queues_.contains(queue), "set_unused_since of a queue that is not there");
  }
  void begin_group() override { expect(!std::exchange(in_group_, true), "groups nest"); }
  void end_group() override { expect(std::exchange(in_group_, false), "no group to end"); }
  engine::LogPosition move_boundary(bool) const override { return is_moving_ ? 0 : boundary_; }
  void begin_move(engine::LogPosition boundary) override {
    expect(!in_group_ && boundary == boundary_, "a move within a group, or not what was wanted");
    expect(!std::exchange(is_moving_, true), "two moves at once");
  }
  // Takes a few entries in a turn, so that much happens in the middle of a move.
  bool takes_more() const override { return portion_size_ < 4; }
  bool keeps_up() const override { return true; }
  engine::StoredId store(const engine::MessageToStore& entry) override {
    ++end_;
    ++portion_size_;
    expect(is_moving_ && portion_size_ <= 4, "a message is moved in no move, or too many are");
    expect_held({entry.queue, entry.position}, "store");
    expect(entry.position < boundary_, "a message is moved that need not be");
    const auto [place, is_new] = stored_.emplace(std::pair(entry.queue, entry.position), end_);
    expect(is_new, "a message is moved twice");
    backlog_of(entry.queue, entry.priority).add(entry, end_);
    kept_.emplace(end_, KeptEntry(entry, end_));
    return end_;
  }
  void end_portion() override {
    portion_size_ = 0;
    for (auto& [key, backlog] : backlogs_)
      backlog.end_portion();
  }
  void end_move() override {
    expect(is_moving_ && portion_size_ == 0, "the end of a move in the middle of a portion");
    for (const auto& [position, message] : messages_) {
      for (const engine::QueueId queue : message.queues) {
        expect(position >= boundary_ || stored_.contains({queue, position}), "left behind");
      }
    }
    boundary_ = 0;
    is_moving_ = false;
  }
  engine::Backlog& backlog(engine::QueueId queue, std::uint8_t priority) override {
    return backlog_of(queue, priority);
  }
  bool read(engine::StoredId id, const engine::Backlog::Take& take) override {
    const auto found = kept_.find(id);
    expect(found != kept_.end(), "what is not stored is read");
    if (found == kept_.end()) return false;
    expect_held({found->second.queue(), found->second.position()}, "read");
    take(found->second.stored());
    return true;
  }
  engine::LogPosition end() const override { return end_; }
  engine::LogPosition durable() const override { return held_ ? durable_ : end_; }

 private:
  struct Message {
    std::string body;
    std::set<engine::QueueId> queues;
  };

  void expect(bool well, const char* complaint) const {
    if (!well) complain_(complaint);
  }
  // An entry that has left memory is known by its id only.
  engine::LogPosition position_of(const engine::QueuedRef& ref) const {
    if (ref.message != 0) return ref.message;
    const auto found = kept_.find(ref.stored);
    expect(found != kept_.end() && found->second.queue() == ref.queue, "an unknown id");
    return found == kept_.end() ? 0 : found->second.position();
  }
  void expect_held(const engine::QueuedRef& ref, const char* what) {
    const auto found = messages_.find(position_of(ref));
    if (found != messages_.end() && found->second.queues.contains(ref.queue)) return;
    complain_(std::string(what) + " of a message that is not in queue " +
              std::to_string(ref.queue) + ": " + std::to_string(ref.message));
  }
  // The id must be the one that the entry got when it was moved, or 0.
  void expect_stored(const engine::QueuedRef& ref) {
    const auto found = stored_.find({ref.queue, position_of(ref)});
    expect((found == stored_.end() ? 0 : found->second) == ref.stored, "a wrong id");
  }
  MemBacklog& backlog_of(engine::QueueId queue, std::uint8_t priority) {
    const auto drop = [this, queue](engine::LogPosition message) {
      ++end_;
      expect_held({queue, message}, "drop_unread");
      messages_[message].queues.erase(queue);
      if (messages_[message].queues.empty()) messages_.erase(message);
    };
    return backlogs_.try_emplace({queue, priority}, drop).first->second;
  }
  // Appends a record that may not be part of a group.
  void append() {
    ++end_;
    expect(!in_group_, "a definition within a group");
  }

  Complain complain_;
  engine::LogPosition end_ = 0;
  engine::LogPosition durable_ = 0;
  bool held_ = false;
  bool in_group_ = false;
  std::set<std::string> exchanges_;
  std::map<engine::QueueId, std::string> queues_;
  std::map<engine::LogPosition, Message> messages_;  // includes the queues that hold them
  std::map<engine::LogPosition, int> to_release_;    // entries of deleted queues
  engine::LogPosition boundary_ = 0;
  bool is_moving_ = false;
  std::size_t portion_size_ = 0;
  std::map<std::pair<engine::QueueId, engine::LogPosition>, engine::StoredId> stored_;
  std::map<engine::StoredId, KeptEntry> kept_;
  std::map<std::pair<engine::QueueId, std::uint8_t>, MemBacklog> backlogs_;
};

}  // namespace haypile::test
