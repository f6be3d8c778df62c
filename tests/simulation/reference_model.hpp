// The model: what the broker was told, in its order, and therefore what may and must be there.
//
// They are kept at the broker's end of the network: by what it has taken in and what it has sent.
// Whatever is durable is durable in the order in which the broker was told. So after a crash there
// is what the first k operations leave, with k at least the last one that was confirmed; a
// transaction is one operation. A dead letter is in one of two queues, nobody knows in which until
// it is seen in the second one: it may have to wait. Queues of fuzzy knowledge give messages up by
// themselves: those are followed one by one.
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

// Numbers operations from 1 on, anew after each start; 0 stands for all that was there before.
using Operation = std::size_t;
// A definition, or a message in a queue of exact knowledge.
using Key = std::uint64_t;

enum class How { ack, drop, requeue };

// What a recovery has found.
struct Found {
  struct Copy {
    Number number;
    bool redelivered;
  };
  std::array<std::vector<Copy>, queue_count> copies;
  std::unordered_set<Key> definitions;
  bool clean = false;
};

class ReferenceModel {
 public:
  Key queue_key(int queue) const { return definition_key(1, queue); }
  Key exchange_key(int exchange) const { return definition_key(2, exchange); }
  Key binding_key(int binding) const { return definition_key(3, binding); }

  Messages& messages() { return messages_; }
  void set_now(engine::TimeMs now) { now_ = now; }

  // What the broker does, operation by operation; those between begin() and end() are one.
  void begin() { in_group_ = true; }
  // 0 if there was none.
  Operation end() {
    in_group_ = false;
    return std::exchange(group_, 0);
  }
  Operation declare_queue(int queue);
  Operation delete_queue(int queue);
  // Nobody has anything of it unacked.
  Operation purge(int queue);
  Operation declare_exchange(int exchange);
  Operation delete_exchange(int exchange);
  Operation bind(int binding);
  Operation unbind(int binding);
  // `target_count`: how many queues it goes to.
  Operation publish(const Message& message, std::size_t& target_count);
  Operation settle(int queue, Number number, How how);

  // A message was given to somebody, who has it until it is settled; or for good.
  void deliver(int queue, Number number, bool redelivered, bool for_good);
  // In its queue: rises with each message that comes to its end.
  std::uint64_t place_of(int queue, Number number) const;
  // A publisher was told that a queue refused it, or that none did.
  void refuse(Number number);
  void accept(Number number);
  // What is in the queue may have been given to somebody, and come back, without a trace.
  void doubt(int queue);
  // From now on messages may leave the queue without a trace.
  void loosen(int queue) { loosened_.insert(queue); }

  // A client was told that the operation, and so all before it, is durable.
  void confirm(Operation operation) { must_ = std::max(must_, operation); }
  void confirm_all() { confirm(last_); }
  Operation last() const { return last_; }
  // All operations until now are before that position of the log.
  void note_end(engine::LogPosition end);
  // The log says that it is durable up to there.
  void claim(engine::LogPosition durable);

  // Where a dead letter with this number comes from.
  int origin_of(Number number, int queue) const;
  // Throws Violation if that may not be; from now on it is what was there before.
  void recovered(const Found& found);
  // Of all that is in the queue now, persistent or not, the next one to be delivered; 0 if it is
  // empty. Exact knowledge only.
  Number head(int queue) const;
  // Whether it may be on its way to that queue still.
  bool may_be_underway(int queue, Number number) const;
  // A message that is still there, though nothing should be.
  void expect_empty() const;

 private:
  static constexpr Operation never = std::numeric_limits<Operation>::max();
  struct Copy {
    std::uint64_t place = 0;
    std::uint8_t priority = 0;
    bool present = false;
    bool held = false;
    bool delivered = false;
    bool in_doubt = false;
    bool persistent = false;
    // Of a dead letter: where it was dropped, and where it was in this queue for certain.
    Operation dropped_at = never;
    Operation arrived_at = never;
  };
  // A message that was published to a queue of fuzzy knowledge, or went on from there.
  struct Wanderer {
    int origin = 0;
    Operation published = 0;
    Operation settled = 0;  // where it ended; 0 while it goes on
    bool gone = false;
    bool refused = false;
    bool accepted = false;
    bool persistent = false;
    bool held = false;
    bool dropped = false;  // by a client
    // How often it came back to its queue: at least, before the last start; since then.
    std::size_t returned_before = 0;
    std::vector<Operation> returned{};
    engine::TimeMs published_at = 0;
  };
  struct Toggle {
    Operation operation;
    Key key;
  };
  // The operations after which all was as it was found.
  struct Match {
    Operation first = 0;
    Operation last = 0;
  };
  static Key definition_key(Key kind, int index) { return (kind << 60) | static_cast<Key>(index); }
  // A dead letter has one key on all of its way.
  static Key copy_key(int queue, Number number) {
    return (static_cast<Key>(queue == dead ? rej : queue) << 32) | number;
  }
  std::map<Number, Copy>& copies(int queue) { return copies_[static_cast<std::size_t>(queue)]; }
  const std::map<Number, Copy>& copies(int queue) const {
    return copies_[static_cast<std::size_t>(queue)];
  }
  bool has(Key definition) const { return live_.contains(definition); }
  Operation operation();
  void set(Operation operation, Key key, bool wanted, bool durable);
  void remove_all(Operation operation, int queue);
  void drop_bindings(Operation operation, bool to_exchange, int index, bool as_source);
  void route(int exchange, const std::string& key, std::set<int>& targets) const;
  void add(Operation operation, int queue, const Message& message);
  void remove(Operation operation, int queue, Number number, Copy& copy);
  void drop_letter(Operation operation, Number number, Copy& copy);
  Operation settle_wanderer(int queue, Number number, How how);
  void deliver_wanderer(int queue, Number number, bool for_good);

  // reference_model_recovery.cpp
  Match match(const Found& found) const;
  [[noreturn]] void explain(const std::unordered_set<Key>& found) const;
  void check_order(int queue, const std::vector<Found::Copy>& found) const;
  void check_letters(const Found& found, const Match& match) const;
  void check_wanderers(const Found& found, const Match& match);
  void check_wanderer(Number number, const Wanderer& wanderer, int place, const Match& match) const;
  void take_over(int queue, const std::vector<Found::Copy>& found, bool clean);

  Messages messages_;
  engine::TimeMs now_ = 0;
  bool in_group_ = false;
  Operation group_ = 0;
  Operation last_ = 0;
  Operation must_ = 0;
  std::uint64_t last_place_ = 0;
  std::unordered_set<Key> base_;  // durable, at the last start
  std::unordered_set<Key> live_;  // definitions, durable or not
  std::vector<Toggle> toggles_;   // of what is durable
  std::vector<std::pair<Operation, engine::LogPosition>> ends_;
  std::array<std::map<Number, Copy>, queue_count> copies_;
  std::map<Number, Wanderer> wanderers_;
  std::set<int> loosened_;
};

}  // namespace haypile::simulation
