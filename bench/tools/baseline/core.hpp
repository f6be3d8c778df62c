// The part that knows AMQP and no sockets: frames come in, frames for others and log records go
// out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <haypile/amqp/frame.hpp>

#include "tools/baseline/buffer.hpp"
#include "tools/baseline/state.hpp"

namespace haypile::bench::baseline {

// Handles frames without keeping any message.
class Core {
 public:
  explicit Core(bool logs) : logs_(logs) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Handles all complete frames of the inbox and moves the rest to its front. Returns false if the
  // connection is to be closed at once; error() says why.
  bool take(Connection& connection);
  const std::string& error() const { return error_; }

  // Writes nothing more to the connection.
  void forget(Connection& connection);

  // The log records since the batch was last emptied.
  Buffer& batch() { return batch_; }
  // Lets everything that was published since the last call be confirmed when this batch is on disk.
  void note_confirms(std::uint64_t batch_number);
  // Writes the confirms that waited for this batch or an earlier one.
  void confirm(std::uint64_t batch_number);

  // Connections that were written to. The caller empties the list and resets their flags.
  std::vector<Connection*>& touched() { return touched_; }
  void touch(Connection& connection) {
    if (connection.touched) return;
    connection.touched = true;
    touched_.push_back(&connection);
  }

  // Used by the methods.

  // Appends a record that a delivery is settled.
  void settle(std::uint64_t delivery_tag);
  // Null if there is no such queue or, with `make`, if there are too many queues.
  Queue* find_queue(std::string_view name, bool make);
  void close_channel(Connection& connection, Channel& channel);
  template <class Predicate>
  void drop_consumers(const Predicate& predicate) {
    for (auto& [name, queue] : queues_) {
      std::erase_if(queue->consumers, predicate);
      queue->next = 0;
    }
  }

 private:
  struct Confirm {
    Connection* connection;  // null if it is not needed any more
    Channel* channel;
    std::uint64_t publish_count;
    std::uint64_t batch_number;
  };

  bool take_frame(Connection& connection, const char* frame, std::size_t payload_size);
  bool take_publish(Channel& channel, std::string_view arguments);
  bool take_header(Connection& connection, Channel& channel, std::string_view payload);
  bool take_body(Connection& connection, Channel& channel, std::string_view payload);
  // Defined in methods.cpp: connection.start, and all methods except basic.publish and basic.ack.
  void greet(Connection& connection);
  bool take_method(Connection& connection, std::uint16_t channel, std::string_view payload);
  void finish_publish(Connection& connection, Channel& channel, std::string_view body);
  void log_publish(std::string_view key, std::string_view properties, std::string_view body);
  void deliver(Queue& queue, std::string_view properties, std::string_view body);
  bool fail(std::string_view error) {
    error_ = error;
    return false;
  }

  bool logs_;
  std::string error_;
  std::string reply_;
  Buffer batch_;
  std::uint64_t record_count_ = 0;
  // Queues are never removed, because a channel may point to any of them.
  std::map<std::string, std::unique_ptr<Queue>, std::less<>> queues_;
  std::vector<Connection*> touched_;
  // The channels with publishes in this turn, and the confirms that wait, oldest first.
  std::vector<Confirm> new_confirms_;
  std::vector<Confirm> confirms_;
  std::size_t confirms_begin_ = 0;
};

}  // namespace haypile::bench::baseline
