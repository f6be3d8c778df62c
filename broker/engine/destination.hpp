// What bindings lead to: queues and exchanges.
#pragma once

#include <cstdint>
#include <vector>

namespace haypile::engine {

struct Binding;

// The common part of queues and exchanges.
class Destination {
 public:
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  bool is_queue() const { return is_queue_; }
  // Whether it is deleted. Then no binding leads to it any more; those that are left are removed in
  // later turns.
  bool closed() const { return closed_; }
  // Returns whether this routing finds it for the first time. Each routing has a number that no
  // other one of the virtual host has.
  bool is_new_in(std::uint64_t routing) {
    if (routing_ == routing) return false;
    routing_ = routing;
    return true;
  }

  // The bindings to it, which their sources own.
  const std::vector<Binding*>& incoming() const { return incoming_; }
  // Only for the source of the binding.
  void add_incoming(Binding& binding);
  void remove_incoming(const Binding& binding);

 protected:
  explicit Destination(bool is_queue) : is_queue_(is_queue) {}
  ~Destination() = default;
  void set_closed() { closed_ = true; }

 private:
  // The first member, since most bindings lead to a destination that was found already, and then
  // nothing else of it is read.
  std::uint64_t routing_ = 0;  // the last one that found it
  const bool is_queue_;
  bool closed_ = false;
  std::vector<Binding*> incoming_;
};

// A binding in a list, with its destination beside it.
struct Target {
  Destination* destination;
  Binding* binding;
};
using Targets = std::vector<Target>;

}  // namespace haypile::engine
