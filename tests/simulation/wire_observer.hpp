// Observes one connection at the broker's end: records in the model what the broker reads and
// sends, and checks at once what can be checked.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "simulation/events.hpp"
#include "simulation/reference_model.hpp"

namespace haypile::simulation {

// One object for each connection. Throws Violation.
class WireObserver {
 public:
  static constexpr std::uint16_t channel_count = 4;

  WireObserver(ReferenceModel& model, Events& events, std::uint64_t id)
      : model_(model), events_(events), id_(id) {}

  // Takes whole frames, as the broker reads them; the protocol header counts as one.
  void received(std::string_view bytes);
  // Takes whole frames, as the broker sends them.
  void sent(std::string_view bytes);
  // The connection has ended. Its unacked messages are in their queues again.
  void gone();
  bool is_gone() const { return gone_; }
  // How often a client was told that something is durable.
  std::uint64_t confirm_count() const { return confirm_count_; }

 private:
  struct Given {
    int queue;
    Number number;
    std::string consumer;
  };
  struct Consumer {
    int queue = 0;
    bool no_ack = false;
    std::size_t prefetch = 0;
    std::size_t unacked = 0;
    std::map<std::uint8_t, std::uint64_t> last_places{};  // one for each priority
  };
  // A method whose answer the client waits for.
  struct Call {
    amqp::MethodId answer;
    Operation operation = 0;  // durable with the answer; 0: none
    int queue = nowhere;      // the queue of a basic.get
    Number last_message = 0;  // the last message of a tx.commit
    bool no_ack = false;
  };
  struct Published {
    Number number;
    Operation operation;
    bool must_return;
  };
  struct Held {
    std::vector<std::pair<std::uint64_t, Given>> messages;
    How how;
  };
  struct Channel {
    bool open = false;
    bool closed_by_client = false;
    bool tx = false;
    bool confirm = false;
    std::size_t prefetch = 0;
    std::map<std::string, Consumer, std::less<>> consumers;
    std::map<std::uint64_t, Given> unacked;
    std::deque<Call> calls;
    std::vector<Published> published;  // confirm mode only, by delivery tag
    std::uint64_t confirmed = 0;
    std::vector<Number> pending;  // those of a transaction
    std::vector<Held> held;
    std::deque<Number> returns;  // that must still come
  };
  // An incomplete message in one of the two directions.
  struct Content {
    std::uint16_t channel = 0;
    amqp::MethodId method{};
    std::string exchange, routing_key, properties, body;
    std::string consumer;
    std::uint64_t delivery_tag = 0;
    bool redelivered = false;
    bool mandatory = false;
    std::uint64_t size = 0;
  };

  Channel& channel(std::uint16_t number) { return channels_.at(number); }
  template <class M>
  static M decode(const amqp::Frame& frame);
  // Returns true if the content is complete.
  static bool add(Content& content, const amqp::Frame& frame);

  void take(const amqp::Frame& frame);
  void take_topology(Channel& channel, const amqp::Frame& frame);
  void take_basic(Channel& channel, const amqp::Frame& frame);
  void take_tx(Channel& channel, const amqp::Frame& frame);
  void expect(Channel& channel, amqp::MethodId answer, Operation operation = 0) {
    channel.calls.push_back({.answer = answer, .operation = operation});
  }
  void publish(Channel& channel);
  void settle(Channel& channel, std::uint64_t tag, bool multiple, How how);
  void settle_now(Channel& channel, const Given& given, How how);
  void commit(Channel& channel);
  void leave(Channel& channel, bool in_doubt);

  void send(const amqp::Frame& frame);
  void answer(Channel& channel, const amqp::Frame& frame);
  void confirm(Channel& channel, std::uint64_t tag, bool multiple, bool refused);
  void deliver(Channel& channel);
  void check_content(int queue, const Message& message) const;
  void check_turn(Consumer& consumer, Number number, bool redelivered);
  void return_message(Channel& channel);

  ReferenceModel& model_;
  Events& events_;
  const std::uint64_t id_;
  bool gone_ = false;
  std::uint64_t confirm_count_ = 0;
  std::array<Channel, channel_count> channels_;
  Content in_;
  Content out_;
};

}  // namespace haypile::simulation
