// Does with a log what a vhost does, as an input says: only what a Journal allows.
#pragma once

#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/log_files.hpp"
#include "fuzz/support.hpp"
#include "log/log.hpp"
#include "support/mem_file_system.hpp"
#include "support/recovered.hpp"

namespace haypile::fuzz {

inline constexpr const char* directory = "log";

// The bodies of messages, and the queues that hold them.
using Holdings = std::map<engine::LogPosition, std::pair<std::string, std::set<engine::QueueId>>>;

inline Holdings holdings_of(const test::Recovered& recovered) {
  Holdings holdings;
  for (const auto& [queue, entries] : recovered.messages) {
    for (const auto& entry : entries) {
      auto& [body, queues] = holdings[entry.position];
      body = entry.body;
      queues.insert(queue);
    }
  }
  return holdings;
}

class LogProgram {
 public:
  explicit LogProgram(test::MemFileSystem& files) : files_(files) {}

  // Runs until the input says "end", or has ended. Everything that the log holds is durable then.
  void run(Input& input) {
    options_.segment_size = 4096u + 1024u * static_cast<std::uint32_t>(input.byte() % 8);
    options_.threaded = false;
    options_.ring_size = 16 * std::uint64_t{options_.segment_size};
    open();
    for (int count = 0; count < op_count_max && !input.empty(); ++count) {
      const std::uint8_t op = input.byte();
      if (op == 0xFF) break;
      act(op % 20, input);
      if (!in_group_) check();
    }
    if (in_group_) end_group();
    sync();
    const std::uint8_t end = input.byte();
    if (end % 3 != 0) log_->mark_durable();
    sync();
    if (end >= 192) move_some(1 + end % 8);
    if (end % 2 == 0) log_->close_clean();
    log_.reset();
  }
  const Holdings& holdings() const { return holdings_; }

 private:
  static constexpr int op_count_max = 300;

  void open() {
    log_.reset();
    test::Recovered recovered;
    log_.emplace(files_, directory, directory_id, options_);
    log_->recover(recovered);
    stored_.clear();
    for (const auto& [queue, entries] : recovered.messages) {
      for (const auto& entry : entries)
        stored_[{queue, entry.position}] = entry.stored;
    }
    expect(holdings_of(recovered) == holdings_, "a log that nobody touched is as it was left");
    expect(recovered.queues.size() == queues_.size(), "so are its queues");
  }
  void sync() {
    log_->flush();
    log_->step();
  }
  // Checks that the log's counters are right. Do not call it while a group or a move is open.
  void check() const {
    const char* broken = log_->broken_invariant();
    expect(!broken, broken ? broken : "the log's books agree");
    std::uint64_t entries = 0;
    for (const auto& [position, message] : holdings_)
      entries += message.second.size();
    expect(log_->logged_count() + log_->stored_count() == entries, "each entry is counted once");
  }
  void end_group() {
    log_->end_group();
    in_group_ = false;
  }
  void act(std::uint8_t op, Input& input) {
    // Definitions, and what ends the log, are not allowed in groups.
    if (in_group_ && op >= 8) return end_group();
    switch (op) {
      case 0:
      case 1:
      case 2:
        return publish(input);
      case 3:
      case 4:
      case 5:
        return settle(input);
      case 6:
        if (!in_group_) log_->begin_group();
        in_group_ = true;
        return;
      case 7:
        return set_count(input);
      case 8:
      case 9:
      case 10:
        return declare_queue(input);
      case 11:
        return delete_queue(input);
      case 12:
      case 13:
      case 14:
        return define(op, input);
      case 15:
        if (!queues_.empty()) log_->set_unused_since(some_queue(input), input.number(2));
        return;
      case 16:
        log_->set_clock_offset(static_cast<std::int64_t>(input.number(2)) - 30'000);
        return sync();
      case 17:
        sync();
        log_->mark_durable();
        return sync();
      case 18:
        sync();
        return input.byte() % 2 == 0 ? open() : move();
      default:
        mark_delivered(input);
        sync();
        log_->close_clean();
        return open();
    }
  }
  engine::QueueId some_queue(Input& input) {
    return *std::next(queues_.begin(), static_cast<std::ptrdiff_t>(input.below(queues_.size())));
  }
  Holdings::iterator some_message(Input& input) {
    const std::size_t index = input.below(std::min<std::size_t>(holdings_.size(), 200));
    return std::next(holdings_.begin(), static_cast<std::ptrdiff_t>(index));
  }
  void publish(Input& input) {
    if (queues_.empty()) return declare_queue(input);
    const std::uint8_t mask = input.byte();
    std::vector<engine::QueueId> targets;
    for (const engine::QueueId queue : queues_) {
      if (targets.empty() || (mask >> (queue % 8) & 1) != 0) targets.push_back(queue);
    }
    const std::uint8_t size = input.byte();
    // All bodies differ, and none contains another one.
    std::string body = "#" + std::to_string(++last_body_) + "#";
    body.append(size < 200 ? size : (size - 199) * std::size_t{150}, 'b');
    const engine::TimeMs time = mask % 3 == 0 ? 1'700'000'000'000 + mask : 0;
    const auto position = log_->publish({.exchange = "e",
                                         .routing_key = "k",
                                         .properties = std::string_view("\x10\0\2", 3),
                                         .body = body,
                                         .published_at = time},
                                        targets);
    holdings_[position] = {body, {targets.begin(), targets.end()}};
  }
  engine::QueuedRef ref_of(engine::QueueId queue, engine::LogPosition position) const {
    const auto stored = stored_.find({queue, position});
    return {queue, position, stored == stored_.end() ? 0 : stored->second};
  }
  // Moves everything that is durable out of the log; it stays in memory.
  void move() {
    if (move_some(std::numeric_limits<std::size_t>::max())) log_->end_move();
    sync();
  }
  // Moves the first portion. Returns false if there is nothing to move.
  bool move_some(std::size_t copies_left) {
    const engine::LogPosition boundary = log_->move_boundary(true);
    if (boundary == 0) return false;
    log_->begin_move(boundary);
    for (const engine::QueueId queue : queues_) {
      for (const auto& [position, message] : holdings_) {
        const engine::QueuedRef ref = ref_of(queue, position);
        if (position >= boundary || ref.stored != 0 || !message.second.contains(queue)) continue;
        if (copies_left-- == 0) return end_portion();
        stored_[{queue, position}] = log_->store(
            {.queue = queue,
             .position = position,
             .place = position,
             .stays_in_memory = true,
             .is_shared = message.second.size() > 1,
             .message = {
                 .exchange = "e", .routing_key = "k", .properties = {}, .body = message.first}});
      }
    }
    return end_portion();
  }
  bool end_portion() {
    log_->end_portion();
    sync();
    return true;
  }
  void settle(Input& input) {
    if (holdings_.empty()) return;
    const auto message = some_message(input);
    auto& queues = message->second.second;
    log_->ack(ref_of(*queues.begin(), message->first));
    queues.erase(queues.begin());
    if (queues.empty()) holdings_.erase(message);
  }
  void set_count(Input& input) {
    if (holdings_.empty()) return;
    const auto message = some_message(input);
    log_->set_delivery_count(ref_of(*message->second.second.begin(), message->first),
                             1u + input.byte());
  }
  void mark_delivered(Input& input) {
    if (holdings_.empty()) return;
    const auto message = some_message(input);
    log_->mark_delivered(ref_of(*message->second.second.begin(), message->first));
  }
  void declare_queue(Input& input) {
    if (queues_.size() >= 8) return;
    queues_.insert(++last_queue_);
    log_->declare_queue({.id = last_queue_,
                         .name = "q" + std::to_string(last_queue_),
                         .durable = true,
                         .auto_delete = input.byte() % 2 == 0,
                         .arguments = {}});
  }
  void delete_queue(Input& input) {
    if (queues_.empty()) return;
    const engine::QueueId queue = some_queue(input);
    log_->delete_queue(queue);
    queues_.erase(queue);
    for (auto message = holdings_.begin(); message != holdings_.end();) {
      if (message->second.second.erase(queue) != 0) log_->release(ref_of(queue, message->first));
      message = message->second.second.empty() ? holdings_.erase(message) : std::next(message);
    }
  }
  void define(std::uint8_t op, Input& input) {
    const std::uint8_t choice = input.byte();
    const std::string name = "x" + std::to_string(choice % 4);
    const bool undo = choice >= 128;
    if (op == 12) {
      if (undo) return log_->delete_exchange(name);
      return log_->declare_exchange({name, engine::ExchangeType::topic, true, false, false, ""});
    }
    const engine::BindingDefinition binding{
        name, op == 13 ? engine::DestinationKind::queue : engine::DestinationKind::exchange,
        op == 13 ? "q" + std::to_string(choice % 9) : "x" + std::to_string(choice % 3),
        std::string(choice % 64 == 1 ? 5000 : 3, 'k'), ""};
    undo ? log_->unbind(binding) : log_->bind(binding);
  }

  test::MemFileSystem& files_;
  log::LogOptions options_;
  std::optional<log::Log> log_;
  std::set<engine::QueueId> queues_;
  engine::QueueId last_queue_ = 0;
  int last_body_ = 0;
  bool in_group_ = false;
  Holdings holdings_;
  std::map<std::pair<engine::QueueId, engine::LogPosition>, engine::StoredId> stored_;
};

}  // namespace haypile::fuzz
