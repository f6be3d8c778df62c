// A series of brokers, one after the other, and the clients around them. simulation.cpp has their
// beginnings and ends, world.cpp has what happens in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulation/client.hpp"
#include "simulation/events.hpp"
#include "simulation/line.hpp"
#include "simulation/random.hpp"
#include "simulation/reference_model.hpp"
#include "simulation/sim_broker.hpp"
#include "simulation/simulation.hpp"
#include "support/mem_file_system.hpp"

namespace haypile::simulation {

using test::MemFileSystem;
using test::PowerLoss;

enum class Ending { at_call, at_step, at_confirm, at_rename, io_error, clean_stop };

// Runs one Plan.
class Simulation {
 public:
  explicit Simulation(const Plan& plan);

  void run();
  std::uint64_t hash() const { return events_.hash(); }
  std::string events_text() const { return events_.text(); }
  std::uint64_t calls() const { return calls_; }

 private:
  using Lines = std::vector<std::unique_ptr<Line>>;

  // The life of a broker: start, work, end.
  void run_script();
  void arm(Ending ending);
  void start();
  void try_to_start();
  void crash();
  void work(std::size_t steps);
  void stop_clean();
  void fail();
  void audit();
  void audit_alive();

  // What can happen.
  void step();
  void act();
  void move_to_broker();
  void move_to_client();
  void pass_time();
  void trouble();
  void turn();
  void step_log();
  void step_log_thread();
  void hear_of_log();

  Line* any_line();
  Line& connect(std::size_t index);
  void feed(Line& line, std::size_t size);
  void cut(Line& line);
  void remove_ended();
  // Collects the output that the broker may have after any call; first that of `first`.
  void collect(Line* first);

  const Plan plan_;
  Random random_;
  Events events_;
  Clock clock_;
  BrokerLimits limits_;
  Style style_;
  MemFileSystem files_;
  ReferenceModel model_;
  std::optional<SimBroker> broker_;
  Lines lines_;
  std::uint64_t last_line_ = 0;
  std::uint64_t confirm_count_ = 0;
  std::uint64_t crash_at_confirm_ = 0;  // 0: never
  std::uint64_t calls_ = 0;
  bool has_started_ = false;
  bool kills_ = false;  // kills the process instead of losing power
  enum class Close { not_tried, tried, done } close_ = Close::done;
};

}  // namespace haypile::simulation
