// What bindings lead to: queues and exchanges.
#pragma once

#include <cstdint>
#include <vector>

namespace haypile::engine {

struct Binding;

// The common part of queues and exchanges, which the router uses.
class Destination {
 public:
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  // The bindings to it, which their sources own.
  const std::vector<Binding*>& incoming() const { return incoming_; }
  // Whether it is deleted. Then no binding leads to it any more; those that are left are removed in
  // later turns.
  bool closed() const { return closed_; }

 protected:
  explicit Destination(bool is_queue) : is_queue_(is_queue) {}
  ~Destination() = default;
  void set_closed() { closed_ = true; }

 private:
  friend class Exchange;
  friend class Router;

  // The first member, since most bindings lead to a destination that was found already, and then
  // nothing else of it is read.
  std::uint64_t routing_mark_ = 0;  // the last routing that found it
  const bool is_queue_;
  bool closed_ = false;
  std::vector<Binding*> incoming_;  // kept by Exchange
};

// A binding in a list, with its destination beside it.
struct Target {
  Destination* destination;
  Binding* binding;
};
using Targets = std::vector<Target>;

}  // namespace haypile::engine
