// The frames and the life of a channel. Its methods are handled in channel_topology.cpp,
// channel_publish.cpp, channel_consume.cpp and channel_tx.cpp.
#include "session/channel.hpp"

#include "session/refusals.hpp"

namespace haypile::session {

using amqp::ReplyCode;

namespace {

constexpr std::uint32_t key(amqp::MethodId id) {
  return (std::uint32_t{id.class_id} << 16) | id.method_id;
}

// The approximate memory of a channel that is not used.
constexpr std::size_t fixed_bytes = sizeof(Channel) + 512;

}  // namespace

Channel::Channel(ConnectionContext& context, engine::Engine& engine, std::uint16_t number)
    : context_(context),
      engine_(engine),
      number_(number),
      subscriptions_(engine, *this, context.owner) {
  context_.memory.add(fixed_bytes, 0);
  subscriptions_.set_properties_max(context_.properties_max_bytes());
}

Channel::~Channel() {
  subscriptions_.close();
  forget_transaction();
  set_unfinished(0);
  held_ = {};
  count_held();
  context_.memory.add(0, fixed_bytes);
}

Fault Channel::on_method(amqp::MethodId id, std::string_view payload) {
  if (content_.expects() != Content::Expects::method) return refusals::content_is_missing(id);
  method_ = id;
  if (payload.size() < amqp::method_id_size) return too_short_for_a_method();
  return dispatch(payload.substr(amqp::method_id_size));
}

template <class M>
Fault Channel::call(std::string_view arguments) {
  M method;
  const amqp::DecodeError error = amqp::decode_arguments(arguments, method);
  if (error != amqp::DecodeError::none) {
    return malformed(M::name, error);
  }
  return handle(method);
}

Fault Channel::dispatch(std::string_view arguments) {
  using namespace amqp;
  switch (key(method_)) {
    case key(basic::Publish::id):
      return call<basic::Publish>(arguments);
    case key(basic::Ack::id):
      return call<basic::Ack>(arguments);
    case key(basic::Nack::id):
      return call<basic::Nack>(arguments);
    case key(basic::Reject::id):
      return call<basic::Reject>(arguments);
    case key(basic::Get::id):
      return call<basic::Get>(arguments);
    case key(basic::Qos::id):
      return call<basic::Qos>(arguments);
    case key(basic::Consume::id):
      return call<basic::Consume>(arguments);
    case key(basic::Cancel::id):
      return call<basic::Cancel>(arguments);
    case key(basic::Recover::id):
      return call<basic::Recover>(arguments);
    case key(basic::RecoverAsync::id):
      return call<basic::RecoverAsync>(arguments);
    case key(channel::Flow::id):
      return call<channel::Flow>(arguments);
    case key(access::Request::id):
      return call<access::Request>(arguments);
    case key(exchange::Declare::id):
      return call<exchange::Declare>(arguments);
    case key(exchange::Delete::id):
      return call<exchange::Delete>(arguments);
    case key(exchange::Bind::id):
      return call<exchange::Bind>(arguments);
    case key(exchange::Unbind::id):
      return call<exchange::Unbind>(arguments);
    case key(queue::Declare::id):
      return call<queue::Declare>(arguments);
    case key(queue::Bind::id):
      return call<queue::Bind>(arguments);
    case key(queue::Unbind::id):
      return call<queue::Unbind>(arguments);
    case key(queue::Purge::id):
      return call<queue::Purge>(arguments);
    case key(queue::Delete::id):
      return call<queue::Delete>(arguments);
    case key(confirm::Select::id):
      return call<confirm::Select>(arguments);
    case key(tx::Select::id):
      return call<tx::Select>(arguments);
    case key(tx::Commit::id):
      return call<tx::Commit>(arguments);
    case key(tx::Rollback::id):
      return call<tx::Rollback>(arguments);
    default:
      return refusals::not_for_clients(method_);
  }
}

Fault Channel::check_may_close() const {
  if (content_.expects() == Content::Expects::method) return {};
  return {ReplyCode::unexpected_frame, "channel.close in the middle of a message"};
}

Fault Channel::handle(const amqp::channel::Flow& method) {
  if (!method.active) {
    return {ReplyCode::not_implemented, "active=false"};
  }
  send(amqp::channel::FlowOk{.active = true});
  return {};
}

// Realms belong to earlier versions of AMQP; their clients are told that they have access.
Fault Channel::handle(const amqp::access::Request&) {
  send(amqp::access::RequestOk{});
  return {};
}

void Channel::log_advanced() {
  const engine::LogPosition durable = engine_.journal().durable();
  listed_ = false;
  if (!held_.empty()) {
    context_.append([&] { held_.release(durable, context_.output()); });
    count_held();
  }
  send_confirms();
  if (awaits_log()) await_log();
  resume();
}

void Channel::resume() {
  if (state_ != State::open) return;
  if (context_.has_room()) {
    subscriptions_.resume();
  } else {
    context_.room_was_refused = true;
  }
}

void Channel::close_if_refused() {
  const std::size_t size = std::exchange(refused_size_, 0);
  if (size == 0 || state_ != State::open) return;
  method_ = {};  // no method of the client is the cause
  close(header_too_large(size));
}

void Channel::count_held() {
  const OutputSizes sizes = held_.sizes();
  context_.count_held(sizes, std::exchange(held_counted_, sizes));
}

void Channel::close(const Fault& fault) {
  subscriptions_.close();
  forget_transaction();
  draft_.reset();
  set_unfinished(0);
  send(amqp::channel::Close{.reply_code = static_cast<std::uint16_t>(fault.code),
                            .reply_text = reply_text(fault),
                            .class_id = method_.class_id,
                            .method_id = method_.method_id});
  state_ = State::closing;
}

// What the client published before is durable when close-ok is sent, with or without confirms.
void Channel::close_by_peer() {
  subscriptions_.close();
  forget_transaction();
  if (has_ever_published_) {
    send_when_durable(amqp::channel::CloseOk{});
  } else {
    send(amqp::channel::CloseOk{});
  }
  state_ = State::closed;
}

bool Channel::would_hold_more(std::string_view payload) const {
  using namespace amqp;
  const MethodId id = peek_method_id(payload);
  const std::string_view arguments = payload.substr(std::min(payload.size(), method_id_size));
  if (id == amqp::basic::Get::id) return subscriptions_.should_put_off_get();
  if (id == amqp::exchange::Bind::id || id == amqp::queue::Bind::id) return true;
  if (id == amqp::exchange::Declare::id) {
    amqp::exchange::Declare method;
    return decode_arguments(arguments, method) == DecodeError::none && !method.passive &&
           engine_.check_exchange(method.exchange);
  }
  if (id == amqp::queue::Declare::id) {
    amqp::queue::Declare method;
    engine::Queue* queue = nullptr;
    return decode_arguments(arguments, method) == DecodeError::none && !method.passive &&
           engine_.find_queue(method.queue, context_.owner, queue);
  }
  return false;
}

}  // namespace haypile::session
