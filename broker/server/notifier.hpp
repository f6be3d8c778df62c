// Tells the program around the broker what it has asked to be told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>

#include <haypile/broker.hpp>

namespace haypile::server {

// The program's functions are called on a thread that nothing else depends on, one call at a time:
// they may take their time, and call what they like. More than a bounded amount does not wait for
// them: it is dropped and counted. What they throw is ignored.
class Notifier {
 public:
  using Report = std::function<void(Severity, std::string_view)>;
  using OnFailure = std::function<void(std::string_view)>;
  static constexpr std::size_t waiting_max_bytes = 1u << 20;

  Notifier(Report report, OnFailure on_failure);
  // Waits until all has been told. In one of the functions it does not wait, and it is the last one
  // that is called.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // For any thread; nothing is told before start().
  void report(Severity severity, std::string_view line);
  void fail(std::string_view line);
  void start();
  // As the destructor waits.
  void drain();

 private:
  struct State;
  const std::shared_ptr<State> state_;  // the thread's too
  std::thread thread_;
};

}  // namespace haypile::server
