// One AMQP channel between the frames of a connection and the engine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "engine/engine.hpp"
#include "session/confirms.hpp"
#include "session/connection_context.hpp"
#include "session/content.hpp"
#include "session/fault.hpp"
#include "session/held_output.hpp"
#include "session/publication.hpp"

namespace haypile::session {

// Runs one AMQP channel: reads the methods and messages in its frames, calls the engine, and
// appends the replies to the connection's output, or to `held_` while they wait for the log.
// A channel is `open` from its construction on. close() makes it `closing` until the peer's
// close-ok, close_by_peer() makes it `closed`.
class Channel final : private engine::DeliverySink {
 public:
  // The context and the engine must outlive the channel.
  Channel(ConnectionContext& context, engine::Engine& engine, std::uint16_t number);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Each call takes one frame. After a fault the caller closes the channel or the connection,
  // unless Fault::is_not_yet() asks for the same frame again; method() is the method that caused
  // the fault. The session itself handles channel.open, close and close-ok. `id` is the id at the
  // beginning of the payload.
  Fault on_method(amqp::MethodId id, std::string_view payload);
  Fault on_header(std::string_view payload);
  Fault on_body(std::string_view payload);
  amqp::MethodId method() const { return method_; }

  // Call this when the input is used up, or continues with another channel. All messages that wait
  // for a confirm until now are confirmed together.
  void end_of_input();
  // Call this for the channels in ConnectionContext::awaiting_log when the log has advanced.
  void log_advanced();
  // Call this when there may be room in the output again.
  void resume();
  // Closes the channel if a message for its client was too large to be sent.
  void close_if_refused();
  // Ends all deliveries for good, because the connection ends.
  void stop_deliveries() { subscriptions_.stop_deliveries(); }

  // Closes the channel from our side: unacked messages return to their queues. Frames are discarded
  // until the peer's close-ok.
  void close(const Fault& fault);
  // Whether anything was ever published on this channel.
  bool has_ever_published() const { return has_ever_published_; }

  // The memory, in bytes, that has to be set aside for the message before this header or body frame
  // is handled; 0 if the frame needs none, or if the memory was set aside before.
  std::size_t room_wanted(const amqp::Frame& frame) const {
    const std::size_t size = frame.payload.size();
    if (frame.type == amqp::FrameType::header) return size > small_header_max_bytes ? size : 0;
    return size < content_.body_left() && !draft_ ? size_of_begun() : 0;
  }
  // Whether the method would make the vhost remember something new, or would add to the unacked
  // messages while there are too many of them.
  bool would_hold_more(std::string_view payload) const;
  // When the last part of an incomplete message came; nothing if there is none.
  std::optional<Time> unfinished_since() const;
  bool has_published_in_transaction() const { return !pending_.empty(); }
  // An estimate of the bytes that settling would release, counted up to about `max`.
  // settled_bytes() is what settling has released so far.
  std::size_t unsettled_bytes(std::size_t max) const { return subscriptions_.unsettled_bytes(max); }
  std::size_t settled_bytes() const { return subscriptions_.settled_bytes(); }

  // Fails if the peer may not close the channel now, because a message is incomplete.
  Fault check_may_close() const;
  // The peer closes the channel: unacked messages return to their queues, and close-ok goes out
  // after everything that is held back.
  void close_by_peer();

  enum class State : std::uint8_t { open, closing, closed };
  State state() const { return state_; }
  // Whether the channel is closed and has nothing more to send.
  bool finished() const { return state_ == State::closed && held_.empty(); }

 private:
  bool deliver(const engine::Delivery& delivery) override;
  void consumer_cancelled(std::string_view consumer_tag) override;
  void refused(std::size_t properties_size) override;

  Fault dispatch(std::string_view arguments);
  template <class M>
  Fault call(std::string_view arguments);

  Fault handle(const amqp::channel::Flow& method);
  Fault handle(const amqp::access::Request& method);
  Fault handle(const amqp::exchange::Declare& method);
  Fault handle(const amqp::exchange::Delete& method);
  Fault handle(const amqp::exchange::Bind& method);
  Fault handle(const amqp::exchange::Unbind& method);
  Fault handle(const amqp::queue::Declare& method);
  Fault handle(const amqp::queue::Bind& method);
  Fault handle(const amqp::queue::Unbind& method);
  Fault handle(const amqp::queue::Purge& method);
  Fault handle(const amqp::queue::Delete& method);
  Fault handle(const amqp::basic::Qos& method);
  Fault handle(const amqp::basic::Consume& method);
  Fault handle(const amqp::basic::Cancel& method);
  Fault handle(const amqp::basic::Publish& method);
  Fault handle(const amqp::basic::Get& method);
  Fault handle(const amqp::basic::Ack& method);
  Fault handle(const amqp::basic::Nack& method);
  Fault handle(const amqp::basic::Reject& method);
  Fault handle(const amqp::basic::Recover& method);
  Fault handle(const amqp::basic::RecoverAsync& method);
  Fault handle(const amqp::confirm::Select& method);
  Fault handle(const amqp::tx::Select& method);
  Fault handle(const amqp::tx::Commit& method);
  Fault handle(const amqp::tx::Rollback& method);

  // A header that is larger is counted as unfinished until its message is complete.
  static constexpr std::size_t small_header_max_bytes = 1024;
  std::size_t size_of_begun() const {
    return content_.expects() == Content::Expects::body ? content_.body_size() : 0;
  }
  // The current message as it came, without its body. All views are into content_.
  engine::PublishRequest request() const;
  Fault rewrite(engine::PublishRequest& request, std::optional<Rewrite>& rewrite) const;
  Fault begin_draft();
  // Handles one frame of a body that comes in several frames.
  Fault on_part(std::string_view payload);
  // `draft` already contains the body, or is null.
  Fault publish(std::string_view body, engine::Draft* draft);
  Fault publish_rewritten(engine::PublishRequest& request);
  Fault publish(const engine::PublishRequest& request);
  Fault publish_later(const engine::PublishRequest& request);
  // The properties as a consumer gets them: the message's own, or a view into `changed`.
  std::string_view delivered_properties(const engine::Message& message,
                                        std::uint32_t delivery_count, std::string& changed) const {
    const std::string_view own = message.properties();
    if (delivery_count == 0 && own.size() <= subscriptions_.properties_max()) return own;
    return changed_properties(own, delivery_count, changed);
  }
  std::string_view changed_properties(std::string_view own, std::uint32_t delivery_count,
                                      std::string& changed) const;
  Fault header_too_large(std::size_t properties_size) const;
  void return_unroutable(const engine::PublishRequest& request);
  void set_unfinished(std::size_t bytes);
  void forget_transaction();
  template <class Visit>
  void with_request(Pending& pending, Visit visit);
  // Whether routing the transaction's messages is more work than one step may be.
  bool leads_too_far();
  Fault consume_replies(const amqp::basic::Consume& method, const std::string& tag);
  Fault settle(std::uint64_t delivery_tag, bool multiple, engine::Settlement how);
  Fault check_is_transactional() const;
  void send_confirms();
  Fault declare_queue(const amqp::queue::Declare& method, engine::Queue*& queue);
  Fault declare_reply_queue(const amqp::queue::Declare& method);
  // An empty name stands for the queue that was declared last on this channel.
  Fault resolve_queue(std::string_view given, std::string& name) const;
  Fault resolve_binding(std::string_view queue, std::string_view routing_key,
                        engine::BindingDefinition& binding) const;

  // Limits a count to what a 32-bit field of the protocol can hold.
  static std::uint32_t count32(std::size_t count) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(count, UINT32_MAX));
  }
  Output& out() { return held_.empty() ? context_.output() : held_.tail(); }
  template <class M>
  void send(const M& method) {
    context_.append([&] { amqp::append_method(out().frames(), number_, method); });
    if (!held_.empty()) count_held();
  }
  // The body is that of `message`. Large bodies are referenced, not copied.
  template <class M>
  void send_message(const M& method, std::string_view properties, const engine::MessagePtr& message,
                    Output::Kind kind) {
    const std::string_view body = message->body();
    if (body.size() < Output::referenced_min_bytes) {
      return send_small_message(method, properties, body);
    }
    context_.append([&] {
      Output& output = out();
      amqp::append_method(output.frames(), number_, method);
      amqp::append_content_header(output.frames(), number_, M::id.class_id, body.size(),
                                  properties);
      output.add_body(message, number_, context_.frame_max_bytes, kind);
    });
    if (!held_.empty()) count_held();
  }
  template <class M>
  void send_small_message(const M& method, std::string_view properties, std::string_view body) {
    context_.append([&] {
      amqp::append_message(out().frames(), number_, method, properties, body,
                           context_.frame_max_bytes);
    });
    if (!held_.empty()) count_held();
  }
  void count_held();
  // Sends the reply when everything that was logged until now is durable.
  template <class M>
  void send_when_durable(const M& method) {
    const engine::Journal& journal = engine_.journal();
    if (journal.durable() < journal.end()) {
      context_.append([&] { held_.hold(journal.end()); });
      await_log();
    }
    send(method);
  }
  bool awaits_log() const {
    return !held_.empty() || (state_ == State::open && confirms_.any_waiting());
  }
  // Lists the channel in ConnectionContext::awaiting_log. Call this when awaits_log() becomes true.
  void await_log() {
    if (!std::exchange(listed_, true)) context_.awaiting_log.push_back(number_);
  }
  ConnectionContext& context_;
  engine::Engine& engine_;
  const std::uint16_t number_;
  State state_ = State::open;
  bool listed_ = false;  // listed in ConnectionContext::awaiting_log
  amqp::MethodId method_;
  Content content_;
  Confirms confirms_;
  HeldOutput held_;
  OutputSizes held_counted_;
  std::string last_queue_;
  std::optional<engine::Purge> purge_;  // one that continues in another turn
  bool transactional_ = false;
  std::vector<Pending> pending_;  // published in the open transaction
  std::size_t pending_bytes_ = 0;
  std::optional<engine::Draft> draft_;  // a body that comes in several frames
  std::size_t unfinished_bytes_ = 0;
  Time last_piece_;  // when the last part of an incomplete message came
  bool has_ever_published_ = false;
  std::size_t refused_size_ = 0;  // bytes of properties that are too large for the client
  engine::Subscriptions subscriptions_;
};

}  // namespace haypile::session
