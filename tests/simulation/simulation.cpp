#include "simulation/simulation.hpp"

#include <algorithm>
#include <exception>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/invariant.hpp"
#include "simulation/recovery_observer.hpp"
#include "simulation/world.hpp"

namespace haypile::simulation {

namespace {
// Checking the engine's invariants takes longer than a step.
constexpr std::size_t invariant_interval = 16;
// The memory that queues, exchanges, consumers and channels may take.
constexpr std::size_t definitions_size = 60'000;
}  // namespace

Simulation::Simulation(const Plan& plan)
    : plan_(plan), random_(plan.seed), events_(plan.events_max) {
  limits_.segment_size = 4096u << (random_.one_in(4) ? random_.below(3) : 0);
  style_.segment_size = limits_.segment_size;
  limits_.ring_segments = static_cast<std::uint32_t>(random_.between(4, 16));
  limits_.movable_max_bytes = random_.one_in(4) ? 0 : random_.below(30'000);
  if (random_.one_in(2)) limits_.portion_size = random_.between(100, 3000);
  // There is room for the ring, its reserve, and some of the moved messages.
  if (random_.one_in(4)) {
    files_.set_capacity(limits_.ring_size() + limits_.reserve_size() + random_.below(300'000));
  }
  // These sectors are smaller than those of any disk, so that the batches that a crash leaves can
  // begin and end in more places. The header of a segment is one such sector.
  if (random_.one_in(2)) files_.set_sector_size(64);
  style_.is_brisk = random_.one_in(2);
  style_.is_small = random_.one_in(3);
  style_.is_prompt = random_.one_in(3);
  style_.writes_late = random_.one_in(3);
  style_.keeps_late = random_.one_in(3);
  if (random_.one_in(3)) limits_.output_max_bytes = random_.between(300, 3000);
  if (random_.one_in(4)) limits_.pending_max_bytes = random_.between(500, 5000);
  if (random_.one_in(4)) {
    limits_.memory_max_bytes = definitions_size + random_.between(5000, 50'000);
    limits_.unacked_max_when_low = random_.between(1, 20);
  }
  if (random_.one_in(3)) limits_.work_units = random_.between(1, 300);
}

void Simulation::run() {
  if (plan_.is_script) return run_script();
  const std::size_t rounds = random_.between(2, 3);
  const bool audits_alive = random_.one_in(4);
  for (std::size_t round = 0; round < rounds; ++round) {
    start();
    Ending ending = static_cast<Ending>(random_.below(round < 2 ? 5 : 6));
    if (round == 0 && ending == Ending::io_error) ending = Ending::at_call;
    arm(ending);
    try {
      work(style_.is_brisk ? random_.between(500, 2500) : random_.between(100, 400));
      if (audits_alive && round == 2 && !broker_->has_failed()) return audit_alive();
      if (ending == Ending::clean_stop) stop_clean();
    } catch (const PowerLoss&) {
      events_.add("power loss");
    }
    crash();
  }
  start();
  audit();
}

// The first start of the broker is part of the script.
void Simulation::run_script() {
  files_.lose_power_after(plan_.power_loss_at_call);
  kills_ = random_.one_in(3);
  try {
    try_to_start();
    work(400);
    turn();
    step_log();
    hear_of_log();
    if (random_.one_in(2)) stop_clean();
  } catch (const PowerLoss&) {
    events_.add("power loss");
    if (close_ == Close::done) close_ = Close::tried;
  }
  calls_ = files_.calls();
  crash();
  start();
  audit();
}

void Simulation::audit_alive() {
  files_.survive_kill();
  crash_at_confirm_ = 0;
  audit();
}

void Simulation::arm(Ending ending) {
  kills_ = random_.one_in(4);
  events_.add("this ends", static_cast<std::uint64_t>(ending), kills_);
  crash_at_confirm_ = 0;
  close_ = Close::not_tried;
  if (ending == Ending::at_call)
    files_.lose_power_after(random_.between(1, style_.is_brisk ? 400 : 100));
  if (ending == Ending::at_confirm)
    crash_at_confirm_ = confirm_count_ + random_.between(1, style_.is_brisk ? 200 : 60);
  if (ending == Ending::at_rename) files_.lose_power_at_rename(random_.between(1, 8));
  if (ending == Ending::clean_stop && random_.one_in(3)) {
    files_.lose_power_after(random_.between(40, 100));
  }
  if (ending != Ending::io_error) return;
  kills_ = false;  // only a loss of power shows what a failed sync has left
  if (random_.one_in(2)) {
    files_.fail_once_after(random_.between(1, 80));
  } else {
    files_.fail_after(random_.between(1, 80));
  }
}

// Usually not the first start: a start ends during recovery or right after it, when most of what
// the broker before has left behind its end is still there.
void Simulation::start() {
  while (!random_.one_in(3)) {
    const std::size_t calls = random_.one_in(3) ? 0 : random_.between(1, 12);
    const bool fails = random_.one_in(5);
    kills_ = !fails && random_.one_in(3);
    if (fails) {
      files_.fail_after(calls);
    } else {
      files_.lose_power_after(calls);
    }
    try {
      try_to_start();
    } catch (const PowerLoss&) {
      events_.add("power loss in recovery");
    } catch (const log::IoError&) {
      events_.add("error in recovery");
    }
    if (close_ == Close::done) close_ = Close::tried;
    crash();
  }
  try {
    try_to_start();
  } catch (const log::IoError& error) {
    throw Violation{"refused", error.what()};
  }
}

void Simulation::try_to_start() {
  RecoveryObserver witness(model_);
  broker_.emplace(files_, clock_, limits_);
  model_.set_now(clock_.now_ms);
  const log::RecoveryReport report = broker_->start(witness);
  witness.found.clean = report.clean;
  events_.add("started", report.clean, report.record_count);
  if (close_ == Close::done && !report.clean) throw Violation{"clean-not-clean", ""};
  if (close_ == Close::not_tried && report.clean) throw Violation{"unclean-clean", ""};
  model_.recovered(witness.found);
  has_started_ = true;
  close_ = Close::not_tried;
}

void Simulation::crash() {
  if (std::exchange(has_started_, false)) model_.claim(broker_->log().durable());
  crash_at_confirm_ = 0;
  if (broker_) lines_.clear();
  broker_.reset();
  if (kills_) {
    files_.survive_kill();
  } else {
    files_.restart(random_.engine());
  }
}

void Simulation::work(std::size_t steps) {
  for (std::size_t i = 0; i < steps; ++i) {
    step();
    if (i % invariant_interval == 0) {
      broker_->engine().check_invariants();
      const char* broken = broker_->log().broken_invariant();
      engine::expect_invariant(!broken, broken ? broken : "the log's model agree");
    }
    model_.note_end(broker_->log().end());
    if (broker_->has_failed()) return fail();
  }
}

// The broker is told of the log's failure a little later.
void Simulation::fail() {
  events_.add("the log failed");
  if (!files_.has_failed())
    throw Violation{"stopped", "though no call has failed: " + broker_->failure()};
  const engine::LogPosition durable = broker_->log().durable();
  for (std::size_t i = random_.below(30); i > 0; --i)
    step();
  if (broker_->log().durable() != durable) throw Violation{"durable-after-failure", ""};
}

void Simulation::stop_clean() {
  if (random_.one_in(2)) {
    turn();
    step_log();
    hear_of_log();
  }
  events_.add("clean stop");
  for (const auto& line : lines_)
    line->observer.gone();
  for (const auto& line : lines_)
    line->connection->session().stop_deliveries();
  for (const auto& line : lines_)
    line->connection->session().shut_down(clock_.now());
  if (random_.one_in(2)) turn();
  lines_.clear();
  close_ = Close::tried;
  if (!broker_->close_clean()) return;
  close_ = Close::done;
  model_.confirm_all();
}

// One client gets everything that is there: exactly what the model has, in its order.
void Simulation::audit() {
  while (!lines_.empty())
    cut(*lines_.back());
  // Messages that wait for room on the disk have to arrive.
  files_.set_capacity(std::numeric_limits<std::uint64_t>::max());
  for (int i = 0; i < 2; ++i) {
    clock_.now_ms += 1000;
    turn();
    step_log();
  }
  Line& line = connect(client_count);
  const auto pump = [&] {
    int rounds_left = 100'000;
    for (bool is_quiet = false; !is_quiet;) {
      if (--rounds_left == 0) {
        throw Violation{"never-quiet", std::to_string(line.to_broker.size()) + " bytes wait"};
      }
      line.to_broker += line.client.take_output();
      feed(line, line.to_broker.size());
      turn();
      step_log();
      hear_of_log();
      is_quiet = line.to_broker.empty() && line.to_client.empty() && !broker_->is_due() &&
                 broker_->log().keeps_up();  // otherwise dead letters wait for it
      line.connection->output_sent(line.to_client.size());
      line.client.receive(std::exchange(line.to_client, {}));
      collect(&line);
    }
  };
  pump();
  std::vector<int> order(queue_count);
  std::iota(order.begin(), order.end(), 0);
  order.push_back(fdead);
  for (const int index : order) {
    engine::Queue* found = nullptr;
    if (broker_->engine().find_queue(queue(index).name, 0, found)) continue;
    for (std::size_t left = found->ready_count() + 1; left > 0;
         left -= std::min<std::size_t>(left, 10)) {
      line.client.drain(index, std::min<std::size_t>(left, 10));
      pump();
    }
  }
  model_.expect_empty();
  if (broker_->engine().memory_bytes() != 0) throw Violation{"memory-left", ""};
}

Outcome run(const Plan& plan) {
  Simulation simulation(plan);
  Outcome outcome;
  try {
    simulation.run();
  } catch (const Violation& violation) {
    outcome.failure = std::string(violation.check) + ": " + violation.detail;
    outcome.events = simulation.events_text();
  } catch (const std::exception& error) {
    outcome.failure = std::string("exception: ") + error.what();
    outcome.events = simulation.events_text();
  }
  outcome.hash = simulation.hash();
  outcome.file_system_calls = simulation.calls();
  return outcome;
}

std::string run_seed(unsigned seed) {
  return run({.seed = seed}).failure;
}

}  // namespace haypile::simulation
