// Many messages that are being settled at once.
#pragma once

#include <unordered_set>
#include <vector>

#include "engine/subscriptions.hpp"
#include "engine/unacked.hpp"
#include "engine/work.hpp"

namespace haypile::engine {

// Notes which queues and consumers have something to do after messages were settled. Each stays
// where it came first: the same calls have to give the same order.
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

// What of them is left for advance(). Nobody can settle them again. Until they have come back the
// queues that they came from give nothing out, so that no later message overtakes them.
struct SettlingJob {
  Unacked messages;
  Settlement how = Settlement::ack;
  Subscriptions* channel = nullptr;     // null once it is closed: its consumers are gone
  std::vector<Queue*> paused_queues{};  // if messages come back
};

}  // namespace haypile::engine
