// The reference model: what the broker was told, in order, and so what may and must be there.
//
// It describes the broker's end of the network: what the broker has read and what it has sent.
// Operations become durable in the order in which the broker was told. So after a crash there is
// what the first k operations leave, where k is at least the last one that was confirmed; a
// transaction is one operation. A dead letter is in one of two queues, and nobody knows in which
// until it is seen in the second one, because it may have to wait. Queues of fuzzy knowledge give
// up messages by themselves; their messages are followed one by one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/definitions.hpp"
#include "simulation/events.hpp"
#include "simulation/messages.hpp"
#include "simulation/topology.hpp"

namespace haypile::simulation {

// The number of an operation, counted from 1 after each start; 0 stands for everything before it.
using Operation = std::size_t;
// Identifies a definition, or a message in a queue of exact knowledge.
using Key = std::uint64_t;

enum class How { ack, drop, requeue };

// What a recovery has found.
struct Found {
  struct Entry {
    Number number;
    bool redelivered;
  };
  std::array<std::vector<Entry>, queue_count> entries;
  std::unordered_set<Key> definitions;
  bool clean = false;
};

// Throws Violation where the broker contradicts it.
class ReferenceModel {
 public:
  Key queue_key(int queue) const { return definition_key(1, queue); }
  Key exchange_key(int exchange) const { return definition_key(2, exchange); }
  Key binding_key(int binding) const { return definition_key(3, binding); }

  Messages& messages() { return messages_; }
  void set_now(engine::TimeMs now) { now_ = now; }

  // The broker's operations, one call each. Those between begin() and end() are one operation.
  void begin() { in_group_ = true; }
  // Returns 0 if there was no operation.
  Operation end() {
    in_group_ = false;
    return std::exchange(group_, 0);
  }
  Operation declare_queue(int queue);
  Operation delete_queue(int queue);
  // Requires that nobody has a message of the queue unacked.
  Operation purge(int queue);
  Operation declare_exchange(int exchange);
  Operation delete_exchange(int exchange);
  Operation bind(int binding);
  Operation unbind(int binding);
  // Sets `target_count` to the number of queues that get the message.
  Operation publish(const Message& message, std::size_t& target_count);
  Operation settle(int queue, Number number, How how);

  // A message was given to a client, which has it until it is settled, or for good.
  void deliver(int queue, Number number, bool redelivered, bool for_good);
  // The place of a message in its queue; it rises with each message that comes to the end.
  std::uint64_t place_of(int queue, Number number) const;
  // A publisher was told that a queue refused the message, or that none did.
  void refuse(Number number);
  void accept(Number number);
  // Messages of the queue may have been given to a client and come back without a trace.
  void doubt(int queue);
  // From now on messages may leave the queue without a trace.
  void loosen(int queue) { loosened_.insert(queue); }

  // A client was told that the operation is durable, and so are all before it.
  void confirm(Operation operation) { must_ = std::max(must_, operation); }
  void confirm_all() { confirm(last_); }
  Operation last() const { return last_; }
  // All operations until now are in the log before `end`.
  void note_end(engine::LogPosition end);
  // The log says that it is durable up to this position.
  void claim(engine::LogPosition durable);

  // The queue from which a dead letter with this number comes.
  int origin_of(Number number, int queue) const;
  // Throws Violation if this may not be there. From now on it is the state of the last start.
  void recovered(const Found& found);
  // The next message to be delivered from the queue, persistent or not; 0 if it is empty. Only for
  // queues of exact knowledge.
  Number head(int queue) const;
  // Whether the message may still be on its way to the queue.
  bool may_be_underway(int queue, Number number) const;
  // Throws Violation if a message is still there.
  void expect_empty() const;

 private:
  static constexpr Operation never = std::numeric_limits<Operation>::max();
  struct Entry {
    std::uint64_t place = 0;
    std::uint8_t priority = 0;
    bool present = false;
    bool held = false;
    bool delivered = false;
    bool in_doubt = false;
    bool persistent = false;
    // Where a dead letter was dropped, and where it certainly was in this queue.
    Operation dropped_at = never;
    Operation arrived_at = never;
  };
  // A message that was published to a queue of fuzzy knowledge, or that continued from there.
  struct Wanderer {
    int origin = 0;
    Operation published = 0;
    Operation settled = 0;  // where it ended; 0 while it continues
    bool gone = false;
    bool refused = false;
    bool accepted = false;
    bool persistent = false;
    bool held = false;
    bool dropped = false;  // a client has dropped it
    // How often it came back to its queue: at least, before the last start; since then.
    std::size_t returned_before = 0;
    std::vector<Operation> returned{};
    engine::TimeMs published_at = 0;
  };
  struct Toggle {
    Operation operation;
    Key key;
  };
  // The operations after which everything was as it was found.
  struct Match {
    Operation first = 0;
    Operation last = 0;
  };
  static Key definition_key(Key kind, int index) { return (kind << 60) | static_cast<Key>(index); }
  // A dead letter has one key on its whole way.
  static Key entry_key(int queue, Number number) {
    return (static_cast<Key>(queue == dead ? rej : queue) << 32) | number;
  }
  std::map<Number, Entry>& entries(int queue) { return entries_[static_cast<std::size_t>(queue)]; }
  const std::map<Number, Entry>& entries(int queue) const {
    return entries_[static_cast<std::size_t>(queue)];
  }
  bool has(Key definition) const { return live_.contains(definition); }
  Operation operation();
  void set(Operation operation, Key key, bool wanted, bool durable);
  void remove_all(Operation operation, int queue);
  void drop_bindings(Operation operation, bool to_exchange, int index, bool as_source);
  void route(int exchange, const std::string& key, std::set<int>& targets) const;
  void add(Operation operation, int queue, const Message& message);
  void remove(Operation operation, int queue, Number number, Entry& entry);
  void drop_letter(Operation operation, Number number, Entry& entry);
  Operation settle_wanderer(int queue, Number number, How how);
  void deliver_wanderer(int queue, Number number, bool for_good);

  // Defined in reference_model_recovery.cpp.
  Match match(const Found& found) const;
  [[noreturn]] void explain(const std::unordered_set<Key>& found) const;
  void check_order(int queue, const std::vector<Found::Entry>& found) const;
  void check_letters(const Found& found, const Match& match) const;
  void check_wanderers(const Found& found, const Match& match);
  void check_wanderer(Number number, const Wanderer& wanderer, int place, const Match& match) const;
  void take_over(int queue, const std::vector<Found::Entry>& found, bool clean);

  Messages messages_;
  engine::TimeMs now_ = 0;
  bool in_group_ = false;
  Operation group_ = 0;
  Operation last_ = 0;
  Operation must_ = 0;
  std::uint64_t last_place_ = 0;
  std::unordered_set<Key> base_;  // durable definitions and messages at the last start
  std::unordered_set<Key> live_;  // definitions, durable or not
  std::vector<Toggle> toggles_;   // durable definitions and messages only
  std::vector<std::pair<Operation, engine::LogPosition>> ends_;
  std::array<std::map<Number, Entry>, queue_count> entries_;
  std::map<Number, Wanderer> wanderers_;
  std::set<int> loosened_;
};

}  // namespace haypile::simulation
