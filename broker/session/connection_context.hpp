// State that the channels of one connection share.
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

// The shared state of a session and its channels: output, negotiated limits, and what counts
// against limits. Adds what the connection holds to SessionMemory. Belongs to the session's thread.
class ConnectionContext {
 public:
  // The host and the settings must outlive the context.
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
  // The largest encoded properties that fit into the content header frame.
  std::size_t properties_max_bytes() const {
    return amqp::frame_payload_max(frame_max_bytes) - amqp::content_header_fixed_size;
  }
  bool wants_cancel_notify = false;
  bool wants_blocked = false;
  // Whether basic.qos with global=false applies to the whole channel, as the specification says.
  // py-amqp, and so kombu and Celery, expects that of every broker that is not called RabbitMQ.
  bool qos_is_for_channel = false;
  bool has_exclusive_queues = false;
  bool has_published = false;  // since the last Session::take_published()
  // Size of the bodies published since the last input without an alarm, in bytes.
  std::size_t taken_in_alarm = 0;
  // Size of what is published in the open transactions of all channels.
  std::size_t transaction_bytes = 0;
  // Bytes set aside for messages that are not complete.
  std::size_t unfinished_bytes = 0;
  // The numbers of the channels that hold something back until the log is durable.
  std::vector<std::uint16_t> awaiting_log;
  // Whether a channel may be waiting for room for its deliveries.
  bool room_was_refused = false;
  // Whether a message for the client was too large to be sent, so that its channel has to be
  // closed.
  bool has_refused = false;
  // Set by lose_output().
  bool output_is_lost = false;

  // The output to append to. Tells the host if there was nothing to send before.
  Output& output() {
    if (output_.empty()) host.output_ready();
    return output_;
  }
  const Output& waiting() const { return output_; }
  void sent(std::size_t size) {
    output_.pop(size, memory.spare_buffers());
    account();
  }
  // Discards all output for good.
  void clear() {
    output_ = {};
    held_ = {};
    account();
  }

  // Calls `append`, which adds whole frames to some output. If there is no memory for them, the
  // connection cannot continue; the host learns that from output_is_lost.
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

  // Call this when there was no memory for something that had to be sent.
  void lose_output() {
    output_is_lost = true;
    host.output_ready();  // the host may not have been told yet
  }

  // Call this when a channel has to be closed with Channel::close_if_refused().
  void refuse() {
    has_refused = true;
    host.output_ready();
  }

  // Counts what channels hold back until the log is durable.
  void count_held(const OutputSizes& now_held, const OutputSizes& before) {
    held_ += now_held;
    held_ -= before;
  }
  std::size_t unsent_size() const { return output_.size() + held_.all; }
  // The part of unsent_size() that the client has asked for: everything except the bodies of large
  // deliveries, which have the limit output_max_bytes().
  std::size_t replies_size() const {
    return unsent_size() - output_.delivery_bytes() - held_.deliveries;
  }
  // Whether so many replies are unsent that no more requests should be read.
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
  // One message can always begin. Further messages of this connection must find room within a
  // sixteenth of the server's memory limit, those of all connections together within a quarter.
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
  // Whether the transactions of all connections take so much that none may become large.
  bool are_transactions_scarce() const {
    return memory.transaction_bytes() > memory.limit_bytes() / 2 &&
           transaction_bytes > small_transaction_bytes;
  }

  // Call this after more was appended. A small growth is counted later.
  void account_for_more() {
    if (output_.size() < counted_output_bytes_ + uncounted_max_bytes) return;
    output_.look_for_room(memory.spare_buffers());
    account();
  }
  // Counts the memory that the output takes.
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
  // The approximate memory of a connection without channels, with what is not counted yet.
  static constexpr std::size_t fixed_bytes = 4096 + uncounted_max_bytes;

  Output output_;
  OutputSizes held_;
  std::size_t counted_bytes_ = 0;
  std::size_t counted_output_bytes_ = 0;
};

}  // namespace haypile::session
