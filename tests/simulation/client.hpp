// A client of the simulation: does something allowed at random, and knows what it was given. It
// waits for an answer only where AMQP requires that.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "simulation/messages.hpp"
#include "simulation/random.hpp"
#include "simulation/topology.hpp"

namespace haypile::simulation {

// Writes the frames of one client to its output, and reads what the broker sends.
class Client {
 public:
  // The heartbeat interval that the client negotiates.
  static constexpr std::uint16_t heartbeat_s = 5;

  // `index` says which queue and exchange are the client's own; client_count: none. The other
  // arguments must outlive the client. Opens the connection and declares what it needs.
  Client(Messages& messages, Random& random, std::size_t index, const Style& style);

  void act();
  // Sends connection.close.
  void close();
  void send_heartbeat() { amqp::append_heartbeat(output_); }
  // Gets up to `count` messages, without acknowledgements.
  void drain(int queue, std::size_t count);
  void receive(std::string_view bytes);
  std::string take_output() { return std::exchange(output_, {}); }
  // Whether the client does nothing any more.
  bool has_ended() const { return has_ended_; }

 private:
  enum class Mode { plain, confirm, tx };
  struct Channel {
    bool open = false;
    bool closing = false;
    Mode mode = Mode::plain;
    std::set<std::uint64_t> unacked{};
    std::set<std::uint64_t> held{};  // acknowledged in the transaction
    std::vector<std::string> consumers{};
    std::deque<bool> gets{};  // basic.get without an answer: whether with no_ack
  };

  template <class M>
  void send(const M& method) {
    amqp::append_method(output_, number_, method);
  }
  Channel& channel() { return channels_.at(number_); }
  void declare_all();
  void open(std::uint16_t number);
  void publish();
  void publish_one(int exchange, const std::string& key);
  void consume();
  void cancel();
  void get();
  void settle();
  void send_settlement(std::uint64_t tag, bool multiple);
  void end_transaction();
  void change_topology();
  void change_binding();
  void provoke();
  void close_channel();
  void on_method(const amqp::Frame& frame);
  void given(std::uint64_t tag, bool no_ack);

  Messages& messages_;
  Random& random_;
  const std::size_t index_;
  const Style& style_;
  bool has_ended_ = false;
  bool is_closing_ = false;
  bool has_queue_ = false;
  bool has_exchange_ = false;
  int last_consumer_ = 0;
  std::string input_;
  std::string output_;
  std::uint16_t number_ = 1;  // the channel that is used now
  std::array<Channel, 4> channels_;
};

}  // namespace haypile::simulation
