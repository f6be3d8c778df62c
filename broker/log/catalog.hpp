// The durable definitions of a virtual host as the log knows them. A checkpoint has them, so that
// the records they came from can be given up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/definitions.hpp"
#include "engine/journal.hpp"
#include "log/record.hpp"

namespace haypile::log {

// Holds exchanges, queues and bindings, as the records of a log leave them. Belongs to one thread.
class Catalog {
 public:
  Catalog() = default;
  Catalog(Catalog&&) = default;
  Catalog& operator=(Catalog&&) = default;

  // Each function does what the record of that name means. The bindings of a deleted exchange or
  // queue do not count any more; they stay in memory until release_binding() or release_bindings().
  void declare_exchange(const engine::ExchangeDefinition& definition);
  void delete_exchange(std::string_view name);
  void declare_queue(const engine::QueueDefinition& definition);
  void delete_queue(engine::QueueId id);
  // Does nothing if there is no such queue.
  void set_unused_since(engine::QueueId id, engine::TimeMs time);
  void bind(const engine::BindingDefinition& definition);
  void unbind(const engine::BindingDefinition& definition);
  // release_binding() does nothing if there is no such binding, or if both of its ends still exist.
  void release_binding(const engine::BindingDefinition& definition);
  void release_bindings();
  void set_clock_offset(std::int64_t offset_ms) {
    ++change_count_;
    clock_offset_ms_ = offset_ms;
  }
  std::int64_t clock_offset_ms() const { return clock_offset_ms_; }
  // Applies the record of a definition. Other records change nothing.
  void apply(const Record& record);

  bool has_queue(engine::QueueId id) const { return queues_.contains(id); }
  const engine::QueueDefinition& queue(engine::QueueId id) const { return queues_.at(id); }

  template <class Visit>
  void each_queue(Visit visit) const {
    for (const auto& [id, queue] : queues_)
      visit(queue);
  }

  // Rises whenever the result of encode() may have changed.
  std::uint64_t change_count() const { return change_count_; }
  // The records that make the same catalog again.
  std::string encode() const;
  void emit(engine::Recovery& recovery) const;

 private:
  // An exchange or a queue that is an end of bindings.
  using End = std::pair<engine::DestinationKind, std::string>;
  // Whether the end still exists. All of its bindings share the value, so that deleting an end
  // takes the same time however many bindings it has.
  using Life = std::shared_ptr<bool>;
  struct Lives {
    Life source;
    Life destination;
    bool go_on() const { return *source && *destination; }
  };
  struct BySource {
    bool operator()(const engine::BindingDefinition& a, const engine::BindingDefinition& b) const;
  };

  Life life_of(engine::DestinationKind kind, const std::string& name);
  void end_life(engine::DestinationKind kind, std::string_view name);

  std::uint64_t change_count_ = 0;
  std::int64_t clock_offset_ms_ = 0;
  std::map<std::string, engine::ExchangeDefinition, std::less<>> exchanges_;
  std::map<engine::QueueId, engine::QueueDefinition> queues_;
  std::map<engine::QueueId, engine::TimeMs> unused_since_;  // only of queues that nobody uses
  std::map<engine::BindingDefinition, Lives, BySource> bindings_;
  std::map<End, Life> lives_;  // of existing ends that have, or had, bindings
};

}  // namespace haypile::log
