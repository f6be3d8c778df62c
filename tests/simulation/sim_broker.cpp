#include "simulation/sim_broker.hpp"

#include <utility>

#include "engine/restore.hpp"
#include "support/log_fixture.hpp"
#include "support/output.hpp"

namespace haypile::simulation {

namespace {

// Passes what is recovered on to two objects, to `first` before `second`.
class Both final : public engine::Recovery {
 public:
  Both(engine::Recovery& first, engine::Recovery& second) : first_(first), second_(second) {}
  void exchange(const engine::ExchangeDefinition& exchange) override {
    first_.exchange(exchange);
    second_.exchange(exchange);
  }
  void queue(const engine::QueueDefinition& queue, engine::TimeMs unused_since) override {
    first_.queue(queue, unused_since);
    second_.queue(queue, unused_since);
  }
  void binding(const engine::BindingDefinition& binding) override {
    first_.binding(binding);
    second_.binding(binding);
  }
  void backlog(engine::QueueId queue, std::uint8_t priority, engine::Backlog& backlog) override {
    first_.backlog(queue, priority, backlog);
    second_.backlog(queue, priority, backlog);
  }
  void message(engine::LogPosition position, const engine::MessageView& message,
               std::span<const engine::RecoveredRef> refs) override {
    first_.message(position, message, refs);
    second_.message(position, message, refs);
  }

 private:
  engine::Recovery& first_;
  engine::Recovery& second_;
};

session::Settings settings_for(const BrokerLimits& limits) {
  return {.version = "0", .output_max_bytes = limits.output_max_bytes};
}

std::unique_ptr<log::Log> make_log(test::MemFileSystem& files, const BrokerLimits& limits,
                                   bool& advanced, std::string& failure) {
  return std::make_unique<log::Log>(
      files, "log", test::directory_id,
      log::LogOptions{.segment_size = limits.segment_size,
                      .ring_size = limits.ring_size(),
                      .reserve_size = limits.reserve_size(),
                      .pending_max_bytes = limits.pending_max_bytes,
                      .portion_size = limits.portion_size,
                      .threaded = false,
                      .on_durable = [&advanced] { advanced = true; },
                      .on_failure = [&failure](const std::string& text) { failure = text; }});
}

}  // namespace

SimBroker::Connection::Connection(SimBroker& broker, engine::OwnerId owner)
    : broker_(broker), session_(*this, broker.settings_, owner, broker.clock_.now()) {}

void SimBroker::Connection::receive(std::string_view bytes) {
  rest_ += bytes;
  broker_.update_clock();
  process_input();
}

void SimBroker::Connection::process_input() {
  broker_.engine().work().begin_share();
  const std::size_t used = session_.receive(rest_, broker_.clock_.now());
  if (on_taken_) on_taken_(std::string_view(rest_).substr(0, used));
  rest_.erase(0, used);
  update_waits();
}

void SimBroker::Connection::update_waits() {
  if (session_.finished()) return;
  if (session_.awaits_log() && !std::exchange(awaits_log_, true)) {
    broker_.vhost_.await_log(shared_from_this());
  }
  if (session_.pause() == session::Pause::alarm) {
    session_.tell_blocked(broker_.vhost_.alarm_text());
    if (!std::exchange(is_listed_, true)) broker_.vhost_.pause(shared_from_this());
  } else if (session_.pause() == session::Pause::turn) {
    if (!std::exchange(awaits_turn_, true)) broker_.vhost_.turns().add(shared_from_this(), false);
  }
}

void SimBroker::Connection::read() {
  awaits_turn_ = false;
  if (!has_gone_ && session_.pause() == session::Pause::turn) process_input();
}

bool SimBroker::Connection::try_to_resume() {
  if (has_gone_) return true;
  resume_if_over();
  is_listed_ = session_.pause() == session::Pause::alarm || session_.has_told_blocked();
  return !is_listed_;
}

void SimBroker::Connection::resume_if_over() {
  if (session_.try_to_resume(broker_.clock_.now())) process_input();
}

void SimBroker::Connection::log_advanced() {
  awaits_log_ = false;
  if (has_gone_) return;
  session_.log_advanced();
  if (session_.awaits_log()) {
    awaits_log_ = true;
    broker_.vhost_.await_log(shared_from_this());
  }
  if (session_.pause() == session::Pause::unread) resume_if_over();
}

std::string SimBroker::Connection::take_output() {
  std::string bytes = test::look(session_, in_socket_);
  in_socket_ += bytes.size();
  return bytes;
}

void SimBroker::Connection::output_sent(std::size_t size) {
  broker_.update_clock();
  in_socket_ -= size;
  session_.output_sent(size, broker_.clock_.now());
  if (session_.pause() == session::Pause::unread) resume_if_over();
}

void SimBroker::Connection::cut() {
  has_gone_ = true;
  session_.disconnected();
}

SimBroker::SimBroker(test::MemFileSystem& files, const Clock& clock, const BrokerLimits& limits)
    : clock_(clock),
      settings_(settings_for(limits)),
      vhost_("/", wire_, make_log(files, limits, advanced_, failure_),
             {.pressure = {.memory_max_bytes = limits.memory_max_bytes,
                           .unacked_max_when_low = limits.unacked_max_when_low},
              .queue_memory_bytes = limits.movable_max_bytes}) {
  vhost_.engine().work().set_units_per_turn(limits.work_units);
}

log::RecoveryReport SimBroker::start(engine::Recovery& witness) {
  engine::Restore restore(engine());
  Both both(witness, restore);
  return vhost_.start(clock_.reading(), both);
}

std::shared_ptr<SimBroker::Connection> SimBroker::connect() {
  return std::make_shared<Connection>(*this, ++last_owner_);
}

}  // namespace haypile::simulation
