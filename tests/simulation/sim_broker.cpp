#include "simulation/sim_broker.hpp"

#include <utility>

#include "support/log_fixture.hpp"

namespace haypile::simulation {

namespace {

// Lets an engine and somebody else see what is recovered, the latter first.
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
               std::span<const engine::RecoveredCopy> copies) override {
    first_.message(position, message, copies);
    second_.message(position, message, copies);
  }

 private:
  engine::Recovery& first_;
  engine::Recovery& second_;
};

session::Settings settings_for(const BrokerLimits& limits) {
  return {.version = "0", .output_max_bytes = limits.output_max_bytes};
}

}  // namespace

SimBroker::Connection::Connection(SimBroker& broker, engine::OwnerId owner)
    : broker_(broker), session_(*this, broker.settings_, owner, broker.clock_.now()) {}

std::string SimBroker::Connection::receive(std::string_view bytes) {
  broker_.update_clock();
  rest_ += bytes;
  const std::size_t used = session_.receive(rest_, broker_.clock_.now());
  std::string taken = rest_.substr(0, used);
  rest_.erase(0, used);
  if (session_.take_published() && broker_.holds_publishers_back()) {
    session_.hold_back("too much to do");
    held_back_ = true;
  }
  return taken;
}

std::string SimBroker::Connection::take_output() {
  std::string bytes;
  if (session_.has_output()) session_.take_output(bytes, broker_.clock_.now());
  return bytes;
}

void SimBroker::Connection::output_sent(std::size_t size) {
  broker_.update_clock();
  session_.output_sent(size);
}

SimBroker::SimBroker(test::MemFileSystem& files, const Clock& clock, const BrokerLimits& limits)
    : clock_(clock),
      limits_(limits),
      settings_(settings_for(limits)),
      log_(files, "log", test::directory_id,
           log::LogOptions{.segment_size = limits.segment_size,
                           .ring_size = limits.ring_size(),
                           .reserve_size = limits.reserve_size(),
                           .threaded = false,
                           .on_durable = [this] { advanced_ = true; },
                           .on_failure = [this](const std::string&) { failed_ = true; }}),
      engine_("/", log_, wire_) {
  engine_.set_movable_max_bytes(limits.movable_max_bytes);
  update_clock();
}

log::RecoveryReport SimBroker::start(engine::Recovery& witness) {
  engine::Restore restore(engine_);
  Both both(witness, restore);
  return log_.recover(both);
}

std::unique_ptr<SimBroker::Connection> SimBroker::connect() {
  return std::make_unique<Connection>(*this, ++last_owner_);
}

void SimBroker::flush() {
  engine_.make_room();
  if (log_.is_out_of_space()) log_.look_for_space();
  log_.flush();
}

void SimBroker::log_advanced(const std::vector<Connection*>& connections) {
  update_clock();
  for (Connection* connection : connections) {
    if (connection->session_.awaits_log()) connection->session_.log_advanced();
  }
}

void SimBroker::let_publishers_go_on(const std::vector<Connection*>& connections) {
  if (holds_publishers_back()) return;
  for (Connection* connection : connections) {
    if (std::exchange(connection->held_back_, false)) connection->session_.go_on(clock_.now());
  }
}

bool SimBroker::holds_publishers_back() const {
  return log_.pending_bytes() > limits_.pending_max_bytes || log_.is_overfull() ||
         log_.is_out_of_space() || engine_.memory_bytes() > limits_.memory_max_bytes;
}

void SimBroker::advance() {
  engine_.advance(clock_.now_ms);
}

bool SimBroker::close_clean() {
  engine_.mark_delivered();
  return log_.close_clean();
}

}  // namespace haypile::simulation
