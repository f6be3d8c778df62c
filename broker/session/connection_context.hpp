// What the channels of one connection share: its output, what was negotiated, who is there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <haypile/amqp/frame.hpp>

#include "engine/queue.hpp"
#include "session/memory.hpp"
#include "session/output.hpp"
#include "session/session_host.hpp"
#include "session/settings.hpp"

namespace haypile::session {

class ConnectionContext {
 public:
  // Host and settings outlive the link.
  ConnectionContext(SessionHost& its_host, const Settings& its_settings, engine::OwnerId its_owner,
                    Time its_now)
      : host(its_host),
        settings(its_settings),
        owner(its_owner),
        memory(its_host.memory()),
        now(its_now) {
    memory.add(fixed_bytes, 0);
  }
  ~ConnectionContext() {
    clear();
    memory.add(0, fixed_bytes);
  }
  ConnectionContext(const ConnectionContext&) = delete;
  ConnectionContext& operator=(const ConnectionContext&) = delete;

  SessionHost& host;
  const Settings& settings;
  const engine::OwnerId owner;
  SessionMemory& memory;
  Time now;

  std::string user;
  std::uint32_t frame_max_bytes = handshake_frame_max_bytes;
  // The largest properties that a content header can have in one frame.
  std::size_t properties_max_bytes() const {
    return amqp::frame_payload_max(frame_max_bytes) - amqp::content_header_fixed_size;
  }
  bool wants_cancel_notify = false;
  bool wants_blocked = false;
  // The client takes qos(global=false) for the whole channel, as the specification has it: py-amqp,
  // and so kombu and Celery, with any broker that is not called RabbitMQ.
  bool qos_is_for_channel = false;
  bool has_exclusive_queues = false;
  bool has_published = false;  // since somebody last asked
  // What it published and declared since it was first stopped by an alarm, in bytes.
  std::size_t taken_in_alarm = 0;
  // What is published in the open transactions of all channels.
  std::size_t transaction_bytes = 0;
  // Set aside for messages that have begun to come.
  std::size_t unfinished_bytes = 0;
  // The channels that hold something back until the log is durable, by number.
  std::vector<std::uint16_t> awaiting_log;
  // A channel may have been refused room for its deliveries since somebody last asked.
  bool room_was_refused = false;
  // A channel was to be given what its client cannot be sent.
  bool has_refused = false;
  // See lose_output().
  bool output_is_lost = false;

  // Where to append what is to be sent.
  Output& output() {
    if (output_.empty()) host.output_ready();
    return output_;
  }
  const Output& waiting() const { return output_; }
  void sent(std::size_t size) {
    output_.pop(size, memory.spare_buffers());
    account();
  }
  // For good: nothing of it will be sent.
  void clear() {
    output_ = {};
    held_ = {};
    account();
  }

  // Calls `append`, which adds whole frames to some output. There may be no memory for them: then
  // the connection cannot go on, and its host learns it from output_is_lost.
  template <class Append>
  void append(Append append) {
    try {
      append();
    } catch (const std::bad_alloc&) {
      lose_output();
    }
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    append([&] { amqp::append_method(output().frames(), channel, method); });
  }

  // There was no memory for something that had to be said.
  void lose_output() {
    output_is_lost = true;
    host.output_ready();  // nobody may have been told yet
  }

  // The channel that says so has to be closed.
  void refuse() {
    has_refused = true;
    host.output_ready();
  }

  // What channels hold back until the log is durable.
  void count_held(const OutputSizes& now_held, const OutputSizes& before) {
    held_ += now_held;
    held_ -= before;
  }
  std::size_t unsent_size() const { return output_.size() + held_.all; }
  // Of that, what the client has asked for: all but large deliveries. Those have limits of their
  // own.
  std::size_t replies_size() const {
    return unsent_size() - output_.delivery_bytes() - held_.deliveries;
  }
  // So much of it that nothing more should be asked for.
  bool is_unread() const {
    return output_.size() + held_.all >= SessionMemory::scarce_output_bytes && is_much_unread();
  }
  bool has_room() const { return unsent_size() < output_max_bytes(); }
  std::size_t output_max_bytes() const {
    return memory.is_output_scarce()
               ? std::min(SessionMemory::scarce_output_bytes, settings.output_max_bytes)
               : settings.output_max_bytes;
  }
  std::size_t replies_max_bytes() const {
    return memory.is_output_scarce()
               ? std::min(SessionMemory::scarce_output_bytes, settings.replies_max_bytes)
               : settings.replies_max_bytes;
  }

  void count_unfinished(std::size_t now_bytes, std::size_t before) {
    unfinished_bytes += now_bytes - before;
    memory.add_unfinished(now_bytes, before);
  }
  // One message can always begin. More of them find room within a sixteenth of the server's memory,
  // and all connections together within a quarter.
  bool has_own_room_for(std::size_t size) const {
    return unfinished_bytes == 0 || unfinished_bytes + size <= unfinished_max_bytes(16);
  }
  bool has_room_for(std::size_t size) const {
    return has_own_room_for(size) && (memory.unfinished_bytes() == 0 ||
                                      memory.unfinished_bytes() + size <= unfinished_max_bytes(4));
  }
  void count_transaction(std::size_t now_bytes, std::size_t before) {
    transaction_bytes += now_bytes - before;
    memory.add_transaction(now_bytes, before);
  }
  // All connections' transactions take so much that none may become large.
  bool are_transactions_scarce() const {
    return memory.transaction_bytes() > memory.limit_bytes() / 2 &&
           transaction_bytes > small_transaction_bytes;
  }

  // To be called after more was appended: what is little is counted later.
  void account_for_more() {
    if (output_.size() < counted_output_bytes_ + uncounted_max_bytes) return;
    output_.look_for_room(memory.spare_buffers());
    account();
  }
  // Has the memory that the output takes counted.
  void account() {
    const std::size_t memory_bytes = output_.memory_bytes() + held_.all - held_.referenced;
    if (memory_bytes != counted_bytes_) {
      memory.add(memory_bytes, std::exchange(counted_bytes_, memory_bytes));
    }
    const std::size_t size = unsent_size();
    if (size != counted_output_bytes_) {
      memory.add_output(size, std::exchange(counted_output_bytes_, size));
    }
  }

 private:
  std::size_t unfinished_max_bytes(std::size_t share) const {
    return std::max<std::size_t>(settings.message_size_max_bytes, memory.limit_bytes() / share);
  }

  bool is_much_unread() const { return replies_size() >= replies_max_bytes(); }

  static constexpr std::size_t small_transaction_bytes = 1u << 20;
  static constexpr std::size_t uncounted_max_bytes = 4096;
  // About what a connection takes without any channel, and what is not counted yet.
  static constexpr std::size_t fixed_bytes = 4096 + uncounted_max_bytes;

  Output output_;
  OutputSizes held_;
  std::size_t counted_bytes_ = 0;
  std::size_t counted_output_bytes_ = 0;
};

}  // namespace haypile::session
