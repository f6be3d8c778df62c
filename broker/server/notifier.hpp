// Calls the functions of the program around the broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>

#include <haypile/broker.hpp>

namespace haypile::server {

// Calls the program's functions on a thread that nothing else depends on, one call at a time. So
// they may take their time and call what they like. If more than waiting_max_bytes wait for them,
// further lines are dropped and counted. Exceptions from them are ignored.
class Notifier {
 public:
  using Report = std::function<void(Severity, std::string_view)>;
  using OnFailure = std::function<void(std::string_view)>;
  static constexpr std::size_t waiting_max_bytes = 1u << 20;

  Notifier(Report report, OnFailure on_failure);
  // Waits until everything has been told. If one of the program's functions destroys the notifier,
  // it does not wait, and no other function is called afterwards.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // May be called from any thread. Nothing is told before start().
  void report(Severity severity, std::string_view line);
  void fail(std::string_view line);
  void start();
  // Waits as the destructor does.
  void drain();

 private:
  struct State;
  const std::shared_ptr<State> state_;  // shared with the thread
  std::thread thread_;
};

}  // namespace haypile::server
