#include "simulation/simulation.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "simulation/books.hpp"
#include "simulation/client.hpp"
#include "simulation/events.hpp"
#include "simulation/line.hpp"
#include "simulation/random.hpp"
#include "simulation/sim_broker.hpp"
#include "simulation/witness.hpp"

namespace haypile::simulation {

namespace {

using test::MemFileSystem;
using test::PowerLoss;

enum class Ending { at_call, at_step, at_confirm, io_error, clean_stop };

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
  void flush();
  void step_log();
  void hear_of_log();

  Line* any_line();
  Line& connect(std::size_t index);
  void feed(Line& line, std::size_t size);
  void cut(Line& line);
  void remove_ended();
  // Whatever the broker was told may have given it something to say; `first` to the one who told.
  void collect(Line* first);
  std::vector<SimBroker::Connection*> connections();

  const Plan plan_;
  Random random_;
  Events events_;
  Clock clock_;
  BrokerLimits limits_;
  MemFileSystem files_;
  Books books_;
  std::optional<SimBroker> broker_;
  Lines lines_;
  std::uint64_t last_line_ = 0;
  std::uint64_t confirm_count_ = 0;
  std::uint64_t crash_at_confirm_ = 0;  // 0: never
  std::uint64_t calls_ = 0;
  bool has_started_ = false;
  bool kills_ = false;  // instead of losing power
  enum class Close { not_tried, tried, done } close_ = Close::done;
};

Simulation::Simulation(const Plan& plan)
    : plan_(plan), random_(plan.seed), events_(plan.events_max) {
  limits_.segment_size = 4096u << random_.below(3);
  if (random_.one_in(3)) limits_.output_max_bytes = random_.between(300, 3000);
  if (random_.one_in(4)) limits_.pending_max_bytes = random_.between(500, 5000);
  if (random_.one_in(4)) limits_.memory_max_bytes = random_.between(5000, 50'000);
}

void Simulation::run() {
  if (plan_.is_script) return run_script();
  const std::size_t rounds = random_.between(2, 3);
  const bool audits_alive = random_.one_in(4);
  for (std::size_t round = 0; round < rounds; ++round) {
    start();
    Ending ending = static_cast<Ending>(random_.below(round < 2 ? 4 : 5));
    if (round == 0 && ending == Ending::io_error) ending = Ending::at_call;
    arm(ending);
    try {
      work(random_.between(100, 400));
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

// Its first start is part of the script.
void Simulation::run_script() {
  files_.lose_power_after(plan_.power_loss_at_call);
  kills_ = random_.one_in(3);
  try {
    try_to_start();
    work(120);
    flush();
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
  if (ending == Ending::at_call) files_.lose_power_after(random_.between(1, 100));
  if (ending == Ending::at_confirm) crash_at_confirm_ = confirm_count_ + random_.between(1, 60);
  if (ending == Ending::clean_stop && random_.one_in(3)) {
    files_.lose_power_after(random_.between(40, 100));
  }
  if (ending != Ending::io_error) return;
  kills_ = false;  // what a failed sync leaves behind is the kernel's affair, until it goes as well
  if (random_.one_in(2)) {
    files_.fail_once_after(random_.between(1, 80));
  } else {
    files_.fail_after(random_.between(1, 80));
  }
}

// Mostly not the first time.
void Simulation::start() {
  while (!random_.one_in(3)) {
    const std::size_t calls = random_.between(1, 12);
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
  Witness witness(books_);
  broker_.emplace(files_, clock_, limits_);
  books_.set_now(clock_.now_ms);
  const log::RecoveryReport report = broker_->start(witness);
  witness.found.clean = report.clean;
  events_.add("started", report.clean, report.record_count);
  if (close_ == Close::done && !report.clean) throw Violation{"clean-not-clean", ""};
  if (close_ == Close::not_tried && report.clean) throw Violation{"unclean-clean", ""};
  books_.recovered(witness.found);
  has_started_ = true;
  close_ = Close::not_tried;
}

void Simulation::crash() {
  if (std::exchange(has_started_, false)) books_.claim(broker_->log().durable());
  crash_at_confirm_ = 0;
  lines_.clear();
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
    books_.note_end(broker_->log().end());
    if (broker_->has_failed()) return fail();
  }
}

// The core hears of the log's failure a little later.
void Simulation::fail() {
  events_.add("the log failed");
  const engine::LogPosition durable = broker_->log().durable();
  for (std::size_t i = random_.below(30); i > 0; --i)
    step();
  if (broker_->log().durable() != durable) throw Violation{"durable-after-failure", ""};
}

void Simulation::stop_clean() {
  if (random_.one_in(2)) {
    flush();
    step_log();
    hear_of_log();
  }
  events_.add("clean stop");
  for (const auto& line : lines_)
    line->watch.gone();
  for (const auto& line : lines_)
    line->connection->session().stop_deliveries();
  for (const auto& line : lines_)
    line->connection->session().shut_down(clock_.now());
  if (random_.one_in(2)) flush();
  lines_.clear();
  close_ = Close::tried;
  if (!broker_->close_clean()) return;
  close_ = Close::done;
  books_.confirm_all();
}

// Somebody gets all that there is: it is what the books say, in their order, and nothing more.
void Simulation::audit() {
  while (!lines_.empty())
    cut(*lines_.back());
  Line& line = connect(client_count);
  const auto pump = [&] {
    for (bool is_quiet = false; !is_quiet;) {
      line.to_broker += line.client.take_output();
      feed(line, line.to_broker.size());
      flush();
      step_log();
      hear_of_log();
      is_quiet = line.to_broker.empty() && line.to_client.empty();
      line.connection->output_sent(line.to_client.size());
      line.client.receive(std::exchange(line.to_client, {}));
      collect(&line);
    }
  };
  pump();
  std::vector<int> order;
  for (int index = 0; index < static_cast<int>(queue_count); ++index)
    order.push_back(index);
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
  books_.expect_empty();
  if (broker_->engine().memory_bytes() != 0) throw Violation{"memory-left", ""};
}

void Simulation::step() {
  const std::size_t dice = random_.below(100);
  if (dice < 32) {
    act();
  } else if (dice < 57) {
    move_to_broker();
  } else if (dice < 75) {
    move_to_client();
  } else if (dice < 83) {
    flush();
  } else if (dice < 90) {
    step_log();
  } else if (dice < 95) {
    hear_of_log();
  } else if (dice < 98) {
    pass_time();
  } else {
    trouble();
  }
}

Line* Simulation::any_line() {
  return lines_.empty() ? nullptr : random_.any(lines_).get();
}

Line& Simulation::connect(std::size_t index) {
  lines_.push_back(std::make_unique<Line>(broker_->connect(), books_, events_, random_, index,
                                          ++last_line_, limits_.segment_size));
  events_.add("connects", index, last_line_);
  lines_.back()->last_heard_ms = clock_.now_ms;
  return *lines_.back();
}

void Simulation::act() {
  const std::size_t index = random_.below(client_count);
  const auto found = std::ranges::find_if(
      lines_, [&](const auto& line) { return line->index == index && !line->has_vanished; });
  Line& line = found == lines_.end() ? connect(index) : **found;
  if (line.is_frozen) return;
  line.client.act();
  line.to_broker += line.client.take_output();
  if (random_.one_in(2)) feed(line, line.to_broker.size());
}

void Simulation::move_to_broker() {
  Line* line = any_line();
  if (!line || line->has_vanished || line->to_broker.empty()) return;
  const std::size_t size = line->to_broker.size();
  feed(*line, random_.one_in(2) ? size : random_.between(1, size));
}

void Simulation::feed(Line& line, std::size_t size) {
  if (!line.connection->may_receive()) return;
  const std::string bytes = line.to_broker.substr(0, size);
  line.to_broker.erase(0, bytes.size());
  books_.set_now(clock_.now_ms);
  line.watch.received(line.connection->receive(bytes));
  line.last_heard_ms = clock_.now_ms;
  collect(&line);
}

void Simulation::move_to_client() {
  Line* line = any_line();
  if (!line || line->has_vanished || line->is_frozen || line->to_client.empty()) return;
  const std::size_t all = line->to_client.size();
  const std::size_t size = random_.one_in(3) ? random_.between(1, all) : all;
  line->connection->output_sent(size);
  collect(line);
  line->client.receive(line->to_client.substr(0, size));
  line->to_client.erase(0, size);
  line->to_broker += line->client.take_output();
  if (line->connection->session().has_stalled()) feed(*line, 0);
  remove_ended();
}

// Healthy clients are heard of in time, but for what the network does to them.
void Simulation::pass_time() {
  clock_.now_ms += random_.one_in(3) ? random_.between(500, 3000) : random_.between(1, 60);
  events_.set_now(clock_.now_ms);
  books_.set_now(clock_.now_ms);
  for (const auto& line : lines_) {
    if (line->is_frozen || line->has_vanished || clock_.now_ms < line->last_heard_ms + 2000) {
      continue;
    }
    line->client.send_heartbeat();
    line->to_broker += line->client.take_output();
  }
  if (random_.one_in(2) && broker_->is_due()) {
    broker_->advance();
    collect(nullptr);
  }
  for (const auto& line : lines_) {
    if (line->connection->session().deadline() > clock_.now()) continue;
    line->connection->session().tick(clock_.now());
    if (line->connection->session().finished()) {
      events_.add("heartbeats missed", line->id);
      line->watch.gone();
    }
    collect(line.get());
  }
  remove_ended();
}

void Simulation::trouble() {
  Line* line = any_line();
  if (!line) return;
  const std::size_t dice = random_.below(8);
  events_.add("trouble", line->id, dice);
  if (dice < 2) {
    line->is_frozen = !line->is_frozen;
  } else if (dice < 3) {
    line->has_vanished = true;
  } else if (dice < 4) {
    line->client.close();
    line->to_broker += line->client.take_output();
  } else if (dice < 6 && !line->has_vanished) {
    if (!line->to_broker.empty()) feed(*line, random_.below(line->to_broker.size()));
    cut(*line);
  } else if (broker_->is_due()) {
    broker_->advance();
    collect(nullptr);
  }
}

void Simulation::cut(Line& line) {
  events_.add("cut", line.id);
  line.watch.gone();
  line.connection->session().disconnected();
  collect(nullptr);
  std::erase_if(lines_, [&](const auto& each) { return each.get() == &line; });
}

void Simulation::remove_ended() {
  std::erase_if(lines_, [](const auto& line) {
    return line->connection->session().finished() &&
           (line->client.has_ended() || !line->connection->session().closed_by_client());
  });
}

void Simulation::flush() {
  events_.add("flush");
  broker_->flush();
  broker_->let_publishers_go_on(connections());
}

void Simulation::step_log() {
  events_.add("log's turn", files_.calls());
  broker_->step_log();
}

void Simulation::hear_of_log() {
  if (!broker_->take_advanced()) return;
  events_.add("log advanced", broker_->log().durable());
  broker_->log_advanced(connections());
  broker_->let_publishers_go_on(connections());
  collect(nullptr);
}

std::vector<SimBroker::Connection*> Simulation::connections() {
  std::vector<SimBroker::Connection*> all;
  for (const auto& line : lines_)
    all.push_back(line->connection.get());
  return all;
}

void Simulation::collect(Line* first) {
  std::uint64_t confirmed = 0;
  const auto take = [&](Line& line) {
    const std::string bytes = line.connection->take_output();
    if (bytes.empty()) return;
    const std::uint64_t before = line.watch.confirm_count();
    line.watch.sent(bytes);
    confirmed += line.watch.confirm_count() - before;
    line.to_client += bytes;
  };
  if (first) take(*first);
  for (const auto& line : lines_) {
    if (line.get() != first) take(*line);
  }
  confirm_count_ += confirmed;
  if (confirmed > 0 && crash_at_confirm_ != 0 && confirm_count_ >= crash_at_confirm_) {
    throw PowerLoss{};
  }
}

}  // namespace

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
