// What takes longer than one call may: it is begun there, and goes on in turns of its own.
#include <utility>

#include "engine/engine.hpp"

namespace haypile::engine {

void Engine::orphan_settlings(Channel& channel) {
  for (Settling& settling : settlings_) {
    if (settling.channel == &channel) settling.channel = nullptr;
  }
}

// One after another: what was said first is done first.
void Engine::go_on_settling(const Portion& portion) {
  while (!settlings_.empty() && !portion.is_used_up()) {
    Settling& settling = settlings_.front();
    if (settling.channel) {
      settling.channel->go_on_settling(settling, portion);
    } else {
      go_on_without_channel(settling, portion);
    }
    if (settling.messages.size() > 0) return;
    const Settling done = std::move(settling);
    settlings_.pop_front();
    for (Queue* queue : done.paused_queues) {
      queue->resume();
      bury();
      reap(*queue);
    }
  }
}

void Engine::go_on_without_channel(Settling& settling, const Portion& portion) {
  Touched touched;
  TakenMessage message;
  while (!portion.is_used_up() &&
         settling.messages.take_first(settling.messages.last_tag(), message)) {
    touched.add(message.queue, nullptr);
    work().spend(1);
    message.queue->take_back(std::move(message.entry), settling.how);
  }
  for (Queue* queue : touched.queues())
    queue->dispatch();
  bury();
  for (Queue* queue : touched.queues())
    reap(*queue);
}

void Engine::go_on_emptying(const Portion& portion) {
  while (!emptying_.empty() && !portion.is_used_up()) {
    Queue& queue = *emptying_.front();
    queue.empty_some(portion);
    if (queue.ready_count() > 0) return;
    emptying_.pop_front();
    reap(queue);
  }
}

void Engine::go_on_removing(const Portion& portion) {
  while (!gone_owners_.empty()) {
    const auto owned = exclusive_.find(gone_owners_.front());
    if (owned == exclusive_.end()) {
      gone_owners_.pop_front();
      continue;
    }
    if (portion.is_used_up()) return;
    remove_queue(*owned->second.begin()->second);
  }
}

}  // namespace haypile::engine
