#include "tools/load/topology.hpp"

#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/table.hpp>

namespace haypile::bench::load {

void make_queue(const Address& address, const std::string& name, const std::string& type) {
  Link link(address);
  amqp::Table arguments;
  if (!type.empty()) arguments.set("x-queue-type", type);
  link.call<amqp::queue::DeclareOk>(
      amqp::queue::Declare{.queue = name, .durable = true, .arguments = arguments.view()});
  link.call<amqp::queue::PurgeOk>(amqp::queue::Purge{.queue = name});
}

void delete_queue(const Address& address, const std::string& name) {
  Link(address).call<amqp::queue::DeleteOk>(amqp::queue::Delete{.queue = name});
}

void make_topic_exchange(const Address& address, const std::string& name,
                         const std::vector<std::string>& queues, std::size_t binding_count) {
  Link link(address);
  link.call<amqp::exchange::DeclareOk>(
      amqp::exchange::Declare{.exchange = name, .type = "topic", .durable = true});
  const auto bind = [&](const std::string& queue, const std::string& pattern) {
    link.call<amqp::queue::BindOk>(
        amqp::queue::Bind{.queue = queue, .exchange = name, .routing_key = pattern});
  };
  for (const std::string& queue : queues)
    bind(queue, "perf." + queue + ".*");
  for (std::size_t i = queues.size(); i < binding_count; ++i)
    bind(queues.front(), "perf.other-" + std::to_string(i) + ".*");
}

std::string topic_key_of(const std::string& queue) {
  return "perf." + queue + ".work";
}

void delete_exchange(const Address& address, const std::string& name) {
  Link(address).call<amqp::exchange::DeleteOk>(amqp::exchange::Delete{.exchange = name});
}

}  // namespace haypile::bench::load
