// The durable definitions of a vhost as the log knows them, to be written to a checkpoint before
// the records they came from are given up.
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

class Catalog {
 public:
  Catalog() = default;
  Catalog(Catalog&&) = default;
  Catalog& operator=(Catalog&&) = default;

  // Each call is what the record of that name does. The bindings of what is deleted count no more,
  // and are in memory until release_binding() or release_bindings().
  void declare_exchange(const engine::ExchangeDefinition& definition);
  void delete_exchange(std::string_view name);
  void declare_queue(const engine::QueueDefinition& definition);
  void delete_queue(engine::QueueId id);
  // Nothing if there is no such queue.
  void set_unused_since(engine::QueueId id, engine::TimeMs time);
  void bind(const engine::BindingDefinition& definition);
  void unbind(const engine::BindingDefinition& definition);
  // Nothing if there is no such binding, or both of its ends are still there.
  void release_binding(const engine::BindingDefinition& definition);
  void release_bindings();
  void set_clock_offset(std::int64_t offset_ms) {
    ++change_count_;
    clock_offset_ms_ = offset_ms;
  }
  std::int64_t clock_offset_ms() const { return clock_offset_ms_; }
  // A definition's record; others change nothing.
  void apply(const Record& record);

  bool has_queue(engine::QueueId id) const { return queues_.contains(id); }
  const engine::QueueDefinition& queue(engine::QueueId id) const { return queues_.at(id); }

  template <class Visit>
  void each_queue(Visit visit) const {
    for (const auto& [id, queue] : queues_)
      visit(queue);
  }

  // Rises whenever what encode() gives may have changed.
  std::uint64_t change_count() const { return change_count_; }
  // Records that make the same catalog again.
  std::string encode() const;
  void emit(engine::Recovery& recovery) const;

 private:
  // An exchange or a queue that is an end of bindings.
  using End = std::pair<engine::DestinationKind, std::string>;
  // Whether it has not been deleted since: bindings go with their ends, however many there are.
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
  std::map<engine::QueueId, engine::TimeMs> unused_since_;  // of queues that are out of use
  std::map<engine::BindingDefinition, Lives, BySource> bindings_;
  std::map<End, Life> lives_;  // of what has, or had, bindings, and is there
};

}  // namespace haypile::log
