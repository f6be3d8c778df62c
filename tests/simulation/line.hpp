// A client, its connection, and the bytes on their way between the two.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "simulation/client.hpp"
#include "simulation/events.hpp"
#include "simulation/reference_model.hpp"
#include "simulation/sim_broker.hpp"
#include "simulation/wire_observer.hpp"

namespace haypile::simulation {

struct Line {
  Line(std::shared_ptr<SimBroker::Connection> its_connection, ReferenceModel& model, Events& events,
       Random& random, std::size_t its_index, std::uint64_t its_id, const Style& style)
      : index(its_index),
        id(its_id),
        connection(std::move(its_connection)),
        observer(model, events, its_id),
        client(model.messages(), random, its_index, style) {
    connection->set_on_taken([this](std::string_view bytes) { observer.received(bytes); });
  }
  ~Line() {
    connection->set_on_taken({});
    connection->cut();
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  const std::size_t index;  // the client's index
  const std::uint64_t id;
  std::shared_ptr<SimBroker::Connection> connection;
  WireObserver observer;
  Client client;
  std::string to_broker;
  std::string to_client;
  engine::TimeMs last_heard_ms = 0;
  bool is_frozen = false;     // the client neither reads nor writes
  bool has_vanished = false;  // nothing is transferred any more, and nobody is told
};

}  // namespace haypile::simulation
