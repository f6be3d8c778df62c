// What bindings lead to: queues and exchanges.
#pragma once

#include <cstdint>
#include <vector>

namespace haypile::engine {

struct Binding;

class Destination {
 public:
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  // The bindings to it, owned by their sources.
  const std::vector<Binding*>& incoming() const { return incoming_; }
  // Deleted: no binding leads to it any more. Those that are left go in turns.
  bool closed() const { return closed_; }

 protected:
  explicit Destination(bool is_queue) : is_queue_(is_queue) {}
  ~Destination() = default;
  void set_closed() { closed_ = true; }

 private:
  friend class Exchange;
  friend class Router;

  // Stands first: most ways lead to where another one has led, and this is all that is read then.
  std::uint64_t routing_mark_ = 0;  // the last routing that came here
  const bool is_queue_;
  bool closed_ = false;
  std::vector<Binding*> incoming_;  // kept by Exchange
};

// How a binding stands in a list: with its destination at hand.
struct Target {
  Destination* destination;
  Binding* binding;
};
using Targets = std::vector<Target>;

}  // namespace haypile::engine
