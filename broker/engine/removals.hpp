// What is left of deleted queues and exchanges, and is removed in turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/exchange.hpp"
#include "engine/queue.hpp"
#include "engine/queue_context.hpp"
#include "engine/work.hpp"

namespace haypile::engine {

// Removes deleted queues and exchanges a portion at a time: some in the call that deletes, the rest
// in later turns. A deleted queue may have messages and bindings, and clients may have unacked
// messages of it; a deleted exchange may have bindings. A connection that has gone may leave many
// exclusive queues, which are deleted in the same way. Belongs to the engine's thread.
class Removals {
 public:
  // The most that one call removes. Later turns remove the rest.
  static constexpr std::uint64_t units_at_once = 1000;

  // What Removals needs of the topology.
  class Owner {
   public:
    virtual ~Owner() = default;
    // A binding from the exchange has been removed, perhaps the last one.
    virtual void binding_left(Exchange& source) = 0;
    // A queue that the connection still owns; null if there is none.
    virtual Queue* owned_queue(OwnerId owner) = 0;
    virtual void remove_owned(Queue& queue) = 0;
  };

  // All parameters must outlive the object.
  Removals(Owner& owner, QueueContext& context) : owner_(owner), context_(context) {}
  // Removes nothing more: bindings are destroyed with their exchanges.
  ~Removals() = default;
  Removals(const Removals&) = delete;
  Removals& operator=(const Removals&) = delete;

  // Takes over a queue that was deleted and closed, and removes a first portion of it.
  void add_queue(std::unique_ptr<Queue> queue);
  // Does the same for an exchange, but the caller calls unbind_since() afterwards.
  void add_exchange(std::unique_ptr<Exchange> exchange);
  // The connection has gone. `first` is a queue that it owns; null if it owns none.
  void add_owner(OwnerId owner, const Queue* first);
  bool is_gone(OwnerId owner) const;

  // How many queues and exchanges have bindings left. unbind_since() takes an earlier result.
  std::size_t unbinding_count() const { return unbinding_.size(); }
  // Removes bindings of the queues and exchanges that were added since then, the last one first.
  void unbind_since(std::size_t count_before, const Portion& portion);
  // Removes a binding whose source or destination is deleted, before its turn has come.
  void drop(Binding& binding);
  // Whether the exchange has a binding that leads somewhere. Removes others on the way. If the
  // portion is used up, true is not certain.
  bool is_in_use(Exchange& exchange, const Portion& portion);
  // Frees a deleted queue when nothing is left of it and no messages of it are unacked or dead
  // letters.
  void free_if_finished(Queue& queue) {
    if (queue.is_finished()) deleted_.erase(&queue);
  }

  bool has_work_left() const {
    return !discarding_.empty() || !gone_owners_.empty() || !unbinding_.empty();
  }
  // Each call continues one part of the work.
  void continue_discarding(const Portion& portion);
  void continue_removing(const Portion& portion);
  void continue_unbinding(const Portion& portion) { unbind_since(0, portion); }

  // Calls `visit(queue)` for each deleted queue that has not been freed.
  template <class Visit>
  void each_queue(Visit visit) const {
    for (const auto& [pointer, queue] : deleted_)
      visit(*queue);
  }
  // Throws std::logic_error if something is being unbound that is not deleted.
  void check_invariants() const;

 private:
  // A deleted queue or a deleted exchange that has, or had, bindings.
  struct Job {
    Queue* queue = nullptr;  // one of deleted_
    std::unique_ptr<Exchange> exchange{};
  };

  Owner& owner_;
  QueueContext& context_;
  std::unordered_map<const Queue*, std::unique_ptr<Queue>> deleted_;
  std::vector<Job> unbinding_;
  std::deque<Queue*> discarding_;  // those of deleted_ that have messages left
  std::deque<OwnerId> gone_owners_;
};

}  // namespace haypile::engine
