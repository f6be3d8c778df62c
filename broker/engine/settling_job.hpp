// The settling of many messages in one call, and in later turns.
#pragma once

#include <unordered_set>
#include <vector>

#include "engine/subscriptions.hpp"
#include "engine/unacked.hpp"
#include "engine/work.hpp"

namespace haypile::engine {

// Collects the queues and consumers that have something to do after messages were settled. Each is
// listed once, where it came first: the same calls have to give the same order.
class Affected {
 public:
  void add(Queue* queue, Consumer* consumer) {
    add(queue, queues_);
    if (consumer) add(consumer, consumers_);
  }
  const std::vector<Queue*>& queues() {
    make_unique(queues_);
    return queues_;
  }
  const std::vector<Consumer*>& consumers() {
    make_unique(consumers_);
    return consumers_;
  }

 private:
  template <class T>
  static void add(T* item, std::vector<T*>& items) {
    if (items.empty() || items.back() != item) items.push_back(item);
  }
  template <class T>
  static void make_unique(std::vector<T>& items) {
    if (items.size() < 2) return;
    std::unordered_set<T> seen;
    std::erase_if(items, [&](T item) { return !seen.insert(item).second; });
  }

  std::vector<Queue*> queues_;
  std::vector<Consumer*> consumers_;
};

// The messages that a call has left for Engine::advance(). Nobody else can settle them. If they
// come back to their queues, these give out nothing until all are back, so that no later message
// overtakes them.
struct SettlingJob {
  Unacked messages;
  Settlement how = Settlement::ack;
  Subscriptions* channel = nullptr;     // null when it is closed and its consumers are gone
  std::vector<Queue*> paused_queues{};  // only if messages come back
};

}  // namespace haypile::engine
