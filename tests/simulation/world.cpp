// What can happen to a broker and its clients, one thing at a time.
#include "simulation/world.hpp"

#include <algorithm>
#include <utility>

namespace haypile::simulation {

void Simulation::step() {
  const std::size_t dice = random_.below(100);
  if (dice < 32) {
    act();
    if (style_.is_prompt) turn();
  } else if (dice < 57) {
    move_to_broker();
  } else if (dice < 75) {
    move_to_client();
  } else if (dice < 83) {
    turn();
  } else if (dice < 90) {
    if (style_.writes_late && !random_.one_in(4)) return turn();
    step_log_thread();
  } else if (dice < 95) {
    hear_of_log();
  } else if (dice < 98) {
    pass_time();
  } else if (!style_.is_brisk || random_.one_in(4)) {
    trouble();
  }
}

Line* Simulation::any_line() {
  return lines_.empty() ? nullptr : random_.any(lines_).get();
}

Line& Simulation::connect(std::size_t index) {
  lines_.push_back(std::make_unique<Line>(broker_->connect(), model_, events_, random_, index,
                                          ++last_line_, style_));
  events_.add("connects", index, last_line_);
  lines_.back()->last_heard_ms = clock_.now_ms;
  return *lines_.back();
}

void Simulation::act() {
  const std::size_t index = random_.below(client_count);
  const auto found = std::ranges::find_if(
      lines_, [&](const auto& line) { return line->index == index && !line->has_vanished; });
  // What the client sent before it vanished may still wait in the broker. Nothing of it may come
  // after what the client sends when it is back.
  const bool has_left_something = std::ranges::any_of(lines_, [&](const auto& line) {
    return line->index == index && line->has_vanished && line->connection->is_paused();
  });
  if (found == lines_.end() && has_left_something) return;
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
  model_.set_now(clock_.now_ms);
  line.connection->receive(bytes);
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
  remove_ended();
}

// Healthy clients send something in time, unless the network delays it.
void Simulation::pass_time() {
  clock_.now_ms += random_.one_in(3) ? random_.between(500, 3000) : random_.between(1, 60);
  events_.set_now(clock_.now_ms);
  model_.set_now(clock_.now_ms);
  for (const auto& line : lines_) {
    if (line->is_frozen || line->has_vanished || clock_.now_ms < line->last_heard_ms + 2000) {
      continue;
    }
    line->client.send_heartbeat();
    line->to_broker += line->client.take_output();
  }
  if (random_.one_in(2) && broker_->is_due()) turn();
  for (const auto& line : lines_) {
    if (line->connection->session().deadline() > clock_.now()) continue;
    line->connection->session().tick(clock_.now());
    if (line->connection->session().finished()) {
      events_.add("heartbeats missed", line->id);
      line->observer.gone();
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
    turn();
  }
}

void Simulation::cut(Line& line) {
  events_.add("cut", line.id);
  line.observer.gone();
  line.connection->cut();
  collect(nullptr);
  std::erase_if(lines_, [&](const auto& each) { return each.get() == &line; });
}

void Simulation::remove_ended() {
  std::erase_if(lines_, [](const auto& line) {
    return line->connection->session().finished() &&
           (line->client.has_ended() || !line->connection->session().closed_by_client());
  });
}

void Simulation::turn() {
  events_.add("turn");
  model_.set_now(clock_.now_ms);
  broker_->turn();
  collect(nullptr);
}

void Simulation::step_log() {
  events_.add("log's turn", files_.calls());
  broker_->step_log();
}

// Runs one of the log's two threads, or both.
void Simulation::step_log_thread() {
  const std::size_t dice = random_.below(style_.keeps_late ? 12 : 3);
  if (dice == 0) return step_log();
  events_.add(dice == 1 ? "maintenance's turn" : "writer's turn", files_.calls());
  if (dice == 1) {
    broker_->step_maintenance();
  } else {
    broker_->step_writer();
  }
}

void Simulation::hear_of_log() {
  if (!broker_->take_advanced()) return;
  events_.add("log advanced", broker_->log().durable());
  broker_->log_advanced();
  collect(nullptr);
}

void Simulation::collect(Line* first) {
  std::uint64_t confirmed = 0;
  const auto take = [&](Line& line) {
    const std::string bytes = line.connection->take_output();
    if (bytes.empty()) return;
    const std::uint64_t before = line.observer.confirm_count();
    line.observer.sent(bytes);
    confirmed += line.observer.confirm_count() - before;
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

}  // namespace haypile::simulation
