// The durable definitions of a vhost as the log knows them, to be written to a checkpoint before
// the records they came from are given up.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "engine/definitions.hpp"
#include "engine/journal.hpp"
#include "log/record.hpp"

namespace haypile::log {

class Catalog {
 public:
  Catalog() = default;
  Catalog(Catalog&&) = default;
  Catalog& operator=(Catalog&&) = default;

  // Each call is what the record of that name does.
  void declare_exchange(const engine::ExchangeDefinition& definition);
  void delete_exchange(std::string_view name);
  void declare_queue(const engine::QueueDefinition& definition);
  void delete_queue(engine::QueueId id);
  // Nothing if there is no such queue.
  void set_unused_since(engine::QueueId id, engine::TimeMs time);
  void bind(const engine::BindingDefinition& definition);
  void unbind(const engine::BindingDefinition& definition);
  void set_clock_offset(std::int64_t offset_ms) { clock_offset_ms_ = offset_ms; }
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

  // Records that make the same catalog again.
  std::string encode() const;
  void emit(engine::Recovery& recovery) const;

 private:
  using Binding = engine::BindingDefinition;
  struct Destination {
    engine::DestinationKind kind;
    std::string_view name;
    auto operator<=>(const Destination&) const = default;
  };
  // Both can be searched by their first fields alone.
  struct BySource {
    using is_transparent = void;
    bool operator()(const Binding& a, const Binding& b) const;
    bool operator()(const Binding& a, std::string_view b) const { return a.source < b; }
    bool operator()(std::string_view a, const Binding& b) const { return a < b.source; }
  };
  struct ByDestination {
    using is_transparent = void;
    static Destination of(const Binding& binding) {
      return {binding.destination_kind, binding.destination};
    }
    bool operator()(const Binding* a, const Binding* b) const;
    bool operator()(const Binding* a, Destination b) const { return of(*a) < b; }
    bool operator()(Destination a, const Binding* b) const { return a < of(*b); }
  };
  void drop_bindings_from(std::string_view exchange);
  void drop_bindings_to(Destination destination);

  std::int64_t clock_offset_ms_ = 0;
  std::map<std::string, engine::ExchangeDefinition, std::less<>> exchanges_;
  std::map<engine::QueueId, engine::QueueDefinition> queues_;
  std::map<engine::QueueId, engine::TimeMs> unused_since_;  // of queues that are out of use
  std::set<Binding, BySource> bindings_;
  std::set<const Binding*, ByDestination> by_destination_;  // the same ones
};

}  // namespace haypile::log
