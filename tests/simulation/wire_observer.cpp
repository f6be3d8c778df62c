// What the broker reads.
#include "simulation/wire_observer.hpp"

#include <algorithm>
#include <utility>

#include <haypile/amqp/properties.hpp>

namespace haypile::simulation {

using amqp::MethodId;

template <class M>
M WireObserver::decode(const amqp::Frame& frame) {
  M method;
  if (amqp::decode_arguments(frame.payload.substr(amqp::method_id_size), method) !=
      amqp::DecodeError::none) {
    throw Violation{"malformed", std::string(M::name)};
  }
  return method;
}

bool WireObserver::add(Content& content, const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::header) {
    amqp::ContentHeader header;
    if (amqp::decode_content_header(frame.payload, header) != amqp::DecodeError::none) {
      throw Violation{"malformed", "content header"};
    }
    content.size = header.body_size;
    content.properties = header.raw_properties;
    content.body.clear();
  } else {
    content.body += frame.payload;
  }
  return content.body.size() == content.size;
}

void WireObserver::received(std::string_view bytes) {
  if (bytes.starts_with("AMQP")) bytes.remove_prefix(amqp::protocol_header.size());
  amqp::Frame frame;
  std::size_t size = 0;
  while (!gone_ && amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete) {
    bytes.remove_prefix(size);
    take(frame);
  }
}

void WireObserver::take(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::heartbeat) return;
  if (frame.type != amqp::FrameType::method) {
    if (add(in_, frame)) publish(channel(frame.channel));
    return;
  }
  const MethodId id = amqp::peek_method_id(frame.payload);
  events_.add(amqp::method_name(id).data(), id_, frame.channel);
  if (frame.channel == 0) {
    if (id != amqp::connection::Close::id) return;
    for (Channel& each : channels_)
      leave(each, true);
    gone_ = true;
    return;
  }
  Channel& its_channel = channel(frame.channel);
  if (id == amqp::channel::Open::id) {
    its_channel = {};
    its_channel.open = true;
    return expect(its_channel, amqp::channel::OpenOk::id);
  }
  if (id == amqp::channel::Close::id) {
    leave(its_channel, true);
    its_channel.closed_by_client = true;
    return expect(its_channel, amqp::channel::CloseOk::id);
  }
  if (id == amqp::channel::CloseOk::id) return;
  if (id.class_id == amqp::basic::Ack::id.class_id) return take_basic(its_channel, frame);
  if (id.class_id == amqp::tx::Select::id.class_id ||
      id.class_id == amqp::confirm::Select::id.class_id) {
    return take_tx(its_channel, frame);
  }
  take_topology(its_channel, frame);
}

void WireObserver::take_topology(Channel& its_channel, const amqp::Frame& frame) {
  const MethodId id = amqp::peek_method_id(frame.payload);
  const auto binding = [](std::string_view source, bool to_exchange, std::string_view destination,
                          std::string_view key) {
    const int index = find_binding(source, to_exchange, destination, key);
    if (index == nowhere) throw Violation{"malformed", "a binding that is not known"};
    return index;
  };
  if (id == amqp::queue::Declare::id) {
    const auto method = decode<amqp::queue::Declare>(frame);
    if (method.passive) return expect(its_channel, amqp::channel::Close::id);
    const Operation operation = model_.declare_queue(find_queue(method.queue));
    expect(its_channel, amqp::queue::DeclareOk::id, operation);
  } else if (id == amqp::queue::Delete::id) {
    const auto method = decode<amqp::queue::Delete>(frame);
    const Operation operation = model_.delete_queue(find_queue(method.queue));
    expect(its_channel, amqp::queue::DeleteOk::id, operation);
  } else if (id == amqp::queue::Purge::id) {
    const auto method = decode<amqp::queue::Purge>(frame);
    const Operation operation = model_.purge(find_queue(method.queue));
    expect(its_channel, amqp::queue::PurgeOk::id, operation);
  } else if (id == amqp::queue::Bind::id) {
    const auto method = decode<amqp::queue::Bind>(frame);
    const int index = binding(method.exchange, false, method.queue, method.routing_key);
    expect(its_channel, amqp::queue::BindOk::id, model_.bind(index));
  } else if (id == amqp::queue::Unbind::id) {
    const auto method = decode<amqp::queue::Unbind>(frame);
    const int index = binding(method.exchange, false, method.queue, method.routing_key);
    expect(its_channel, amqp::queue::UnbindOk::id, model_.unbind(index));
  } else if (id == amqp::exchange::Declare::id) {
    const auto method = decode<amqp::exchange::Declare>(frame);
    const Operation operation = model_.declare_exchange(find_exchange(method.exchange));
    expect(its_channel, amqp::exchange::DeclareOk::id, operation);
  } else if (id == amqp::exchange::Delete::id) {
    const auto method = decode<amqp::exchange::Delete>(frame);
    const Operation operation = model_.delete_exchange(find_exchange(method.exchange));
    expect(its_channel, amqp::exchange::DeleteOk::id, operation);
  } else if (id == amqp::exchange::Bind::id) {
    const auto method = decode<amqp::exchange::Bind>(frame);
    const int index = binding(method.source, true, method.destination, method.routing_key);
    expect(its_channel, amqp::exchange::BindOk::id, model_.bind(index));
  } else if (id == amqp::exchange::Unbind::id) {
    const auto method = decode<amqp::exchange::Unbind>(frame);
    const int index = binding(method.source, true, method.destination, method.routing_key);
    expect(its_channel, amqp::exchange::UnbindOk::id, model_.unbind(index));
  }
}

void WireObserver::take_basic(Channel& its_channel, const amqp::Frame& frame) {
  const MethodId id = amqp::peek_method_id(frame.payload);
  if (id == amqp::basic::Publish::id) {
    const auto method = decode<amqp::basic::Publish>(frame);
    in_ = {};
    in_.mandatory = method.mandatory;
  } else if (id == amqp::basic::Ack::id) {
    const auto method = decode<amqp::basic::Ack>(frame);
    settle(its_channel, method.delivery_tag, method.multiple, How::ack);
  } else if (id == amqp::basic::Nack::id) {
    const auto method = decode<amqp::basic::Nack>(frame);
    settle(its_channel, method.delivery_tag, method.multiple,
           method.requeue ? How::requeue : How::drop);
  } else if (id == amqp::basic::Reject::id) {
    const auto method = decode<amqp::basic::Reject>(frame);
    settle(its_channel, method.delivery_tag, false, method.requeue ? How::requeue : How::drop);
  } else if (id == amqp::basic::Qos::id) {
    its_channel.prefetch = decode<amqp::basic::Qos>(frame).prefetch_count;
    expect(its_channel, amqp::basic::QosOk::id);
  } else if (id == amqp::basic::Consume::id) {
    const auto method = decode<amqp::basic::Consume>(frame);
    const int queue = find_queue(method.queue);
    if (method.no_ack) model_.loosen(queue);
    its_channel.consumers[std::string(method.consumer_tag)] = {
        .queue = queue, .no_ack = method.no_ack, .prefetch = its_channel.prefetch};
    expect(its_channel, amqp::basic::ConsumeOk::id);
  } else if (id == amqp::basic::Cancel::id) {
    expect(its_channel, amqp::basic::CancelOk::id);
  } else if (id == amqp::basic::Get::id) {
    const auto method = decode<amqp::basic::Get>(frame);
    const int queue = find_queue(method.queue);
    if (method.no_ack && queue == loose) model_.loosen(queue);
    its_channel.calls.push_back(
        {.answer = amqp::basic::GetOk::id, .queue = queue, .no_ack = method.no_ack});
  }
}

void WireObserver::take_tx(Channel& its_channel, const amqp::Frame& frame) {
  const MethodId id = amqp::peek_method_id(frame.payload);
  if (id == amqp::confirm::Select::id) {
    its_channel.confirm = true;
    expect(its_channel, amqp::confirm::SelectOk::id);
  } else if (id == amqp::tx::Select::id) {
    its_channel.tx = true;
    expect(its_channel, amqp::tx::SelectOk::id);
  } else if (id == amqp::tx::Commit::id) {
    commit(its_channel);
  } else {
    its_channel.pending.clear();
    for (Held& held : its_channel.held) {
      for (auto& [tag, given] : held.messages)
        its_channel.unacked.emplace(tag, std::move(given));
    }
    its_channel.held.clear();
    expect(its_channel, amqp::tx::RollbackOk::id);
  }
}

void WireObserver::publish(Channel& its_channel) {
  const Number number = number_in(in_.body);
  const Message* message = model_.messages().find(number);
  if (!message) throw Violation{"malformed", "a message that nobody made"};
  events_.add("  message", id_, number);
  if (its_channel.tx) return its_channel.pending.push_back(number);
  std::size_t target_count = 0;
  const Operation operation = model_.publish(*message, target_count);
  const bool must_return = in_.mandatory && target_count == 0;
  if (must_return) its_channel.returns.push_back(number);
  if (!its_channel.confirm) return;
  const bool is_safe = message->persistent && target_count > 0 && message->key != "t0";
  its_channel.published.push_back({number, is_safe ? operation : 0, must_return});
}

void WireObserver::settle(Channel& its_channel, std::uint64_t tag, bool multiple, How how) {
  auto& unacked = its_channel.unacked;
  auto it = multiple ? unacked.begin() : unacked.find(tag);
  if (it == unacked.end()) throw Violation{"malformed", "a delivery tag that nobody has"};
  Held held{{}, how};
  while (it != unacked.end() && it->first <= tag) {
    held.messages.emplace_back(it->first, std::move(it->second));
    it = unacked.erase(it);
  }
  // Dead letters leave when all messages are settled.
  const auto leaves_nothing = [&](const auto& message) {
    return how != How::drop || queue(message.second.queue).dead_to == nowhere;
  };
  std::stable_partition(held.messages.begin(), held.messages.end(), leaves_nothing);
  if (its_channel.tx) return its_channel.held.push_back(std::move(held));
  for (const auto& [its_tag, given] : held.messages)
    settle_now(its_channel, given, how);
}

void WireObserver::settle_now(Channel& its_channel, const Given& given, How how) {
  model_.settle(given.queue, given.number, how);
  const auto consumer = its_channel.consumers.find(given.consumer);
  if (consumer != its_channel.consumers.end()) --consumer->second.unacked;
}

// Publications come first, because that is the order in which a transaction takes effect.
void WireObserver::commit(Channel& its_channel) {
  model_.begin();
  for (const Number number : its_channel.pending) {
    std::size_t target_count = 0;
    const Message& message = *model_.messages().find(number);
    model_.publish(message, target_count);
    if (message.mandatory && target_count == 0) its_channel.returns.push_back(number);
  }
  for (const Held& held : its_channel.held) {
    for (const auto& [tag, given] : held.messages)
      settle_now(its_channel, given, held.how);
  }
  const Operation operation = model_.end();
  expect(its_channel, amqp::tx::CommitOk::id, operation);
  if (!its_channel.pending.empty()) {
    its_channel.calls.back().last_message = its_channel.pending.back();
  }
  its_channel.pending.clear();
  its_channel.held.clear();
}

// Unacked messages return to their queues. The observer may not have seen some of them: answers
// that wait for the disk delay what comes after them, and what is read at once is answered at once.
void WireObserver::leave(Channel& its_channel, bool in_doubt) {
  for (const auto& [tag, given] : its_channel.unacked)
    model_.settle(given.queue, given.number, How::requeue);
  for (const Held& held : its_channel.held) {
    for (const auto& [tag, given] : held.messages)
      model_.settle(given.queue, given.number, How::requeue);
  }
  its_channel.unacked.clear();
  its_channel.held.clear();
  its_channel.pending.clear();
  if (!in_doubt) return;
  for (const auto& [tag, consumer] : its_channel.consumers)
    model_.doubt(consumer.queue);
  for (const Call& call : its_channel.calls) {
    if (call.queue != nowhere) model_.doubt(call.queue);
  }
}

void WireObserver::gone() {
  if (std::exchange(gone_, true)) return;
  for (Channel& its_channel : channels_)
    leave(its_channel, !its_channel.calls.empty());
}

// What the broker sends.

void WireObserver::sent(std::string_view bytes) {
  events_.add_bytes("sent by the broker", id_, bytes);
  if (gone_) return;
  amqp::Frame frame;
  std::size_t size = 0;
  while (amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete) {
    bytes.remove_prefix(size);
    send(frame);
  }
  if (!bytes.empty()) throw Violation{"malformed", "half a frame"};
}

void WireObserver::send(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::heartbeat) return;
  if (frame.channel == 0) {
    const MethodId id = amqp::peek_method_id(frame.payload);
    if (id != amqp::connection::Close::id) return;
    throw Violation{"connection-closed",
                    std::string(decode<amqp::connection::Close>(frame).reply_text)};
  }
  Channel& its_channel = channel(frame.channel);
  if (frame.type != amqp::FrameType::method) {
    if (!add(out_, frame)) return;
    return out_.method == amqp::basic::Return::id ? return_message(its_channel)
                                                  : deliver(its_channel);
  }
  const MethodId id = amqp::peek_method_id(frame.payload);
  events_.add(amqp::method_name(id).data(), id_, frame.channel);
  out_ = {};
  out_.method = id;
  if (id == amqp::basic::Deliver::id) {
    const auto method = decode<amqp::basic::Deliver>(frame);
    out_.consumer = method.consumer_tag;
    out_.delivery_tag = method.delivery_tag;
    out_.redelivered = method.redelivered;
    out_.exchange = method.exchange;
    out_.routing_key = method.routing_key;
  } else if (id == amqp::basic::GetOk::id) {
    const auto method = decode<amqp::basic::GetOk>(frame);
    out_.delivery_tag = method.delivery_tag;
    out_.redelivered = method.redelivered;
    out_.exchange = method.exchange;
    out_.routing_key = method.routing_key;
  } else if (id == amqp::basic::Return::id) {
    const auto method = decode<amqp::basic::Return>(frame);
    out_.exchange = method.exchange;
    out_.routing_key = method.routing_key;
  } else if (id == amqp::basic::Ack::id) {
    const auto method = decode<amqp::basic::Ack>(frame);
    confirm(its_channel, method.delivery_tag, method.multiple, false);
  } else if (id == amqp::basic::Nack::id) {
    const auto method = decode<amqp::basic::Nack>(frame);
    confirm(its_channel, method.delivery_tag, method.multiple, true);
  } else {
    answer(its_channel, frame);
  }
}

void WireObserver::answer(Channel& its_channel, const amqp::Frame& frame) {
  const MethodId id = amqp::peek_method_id(frame.payload);
  const MethodId as_if = id == amqp::basic::GetEmpty::id ? amqp::basic::GetOk::id : id;
  if (its_channel.calls.empty() || its_channel.calls.front().answer != as_if) {
    std::string text(amqp::method_name(id));
    if (id == amqp::channel::Close::id) text = decode<amqp::channel::Close>(frame).reply_text;
    throw Violation{"wrong-answer", text};
  }
  const Call call = its_channel.calls.front();
  its_channel.calls.pop_front();
  if (call.operation != 0) {
    model_.confirm(call.operation);
    ++confirm_count_;
  }
  if (id == amqp::basic::CancelOk::id) {
    const std::string tag(decode<amqp::basic::CancelOk>(frame).consumer_tag);
    its_channel.consumers.erase(tag);
  }
  if (id == amqp::tx::CommitOk::id && !its_channel.returns.empty() &&
      its_channel.returns.front() <= call.last_message) {
    throw Violation{"not-returned", "message " + std::to_string(its_channel.returns.front())};
  }
  if (id == amqp::basic::GetEmpty::id && call.no_ack && call.queue != loose) {
    const Number number = model_.head(call.queue);
    if (number != 0 && !model_.may_be_underway(call.queue, number)) {
      throw Violation{"lost", "message " + std::to_string(number)};
    }
  }
}

// Each message is answered once, in order.
void WireObserver::confirm(Channel& its_channel, std::uint64_t tag, bool multiple, bool refused) {
  const std::uint64_t first = multiple ? its_channel.confirmed + 1 : tag;
  if (first != its_channel.confirmed + 1 || tag < first || tag > its_channel.published.size()) {
    throw Violation{"confirm-order", "tag " + std::to_string(tag)};
  }
  for (std::uint64_t each = first; each <= tag; ++each) {
    const Published& published = its_channel.published[each - 1];
    if (published.must_return && !its_channel.returns.empty() &&
        its_channel.returns.front() <= published.number) {
      throw Violation{"not-returned", "message " + std::to_string(published.number)};
    }
    if (refused) {
      model_.refuse(published.number);
    } else {
      model_.accept(published.number);
      model_.confirm(published.operation);
    }
  }
  its_channel.confirmed = tag;
  ++confirm_count_;
}

void WireObserver::return_message(Channel& its_channel) {
  const Number number = number_in(out_.body);
  const Message* message = model_.messages().find(number);
  if (!message || its_channel.returns.empty() || its_channel.returns.front() != number) {
    throw Violation{"wrong-return", "message " + std::to_string(number)};
  }
  its_channel.returns.pop_front();
  const std::string text =
      difference(*message, out_.exchange, out_.routing_key, out_.properties, out_.body, "");
  if (!text.empty()) throw Violation{"altered", text + " of a returned message"};
}

void WireObserver::deliver(Channel& its_channel) {
  const Number number = number_in(out_.body);
  const Message* message = model_.messages().find(number);
  if (!message) throw Violation{"unknown-message", std::to_string(number)};
  events_.add("  message", id_, number);
  int queue = nowhere;
  bool no_ack = false;
  Consumer* consumer = nullptr;
  if (out_.method == amqp::basic::GetOk::id) {
    if (its_channel.calls.empty() || its_channel.calls.front().queue == nowhere) {
      throw Violation{"wrong-answer", "a message that nobody asked for"};
    }
    queue = its_channel.calls.front().queue;
    no_ack = its_channel.calls.front().no_ack;
    its_channel.calls.pop_front();
  } else {
    const auto found = its_channel.consumers.find(out_.consumer);
    if (found == its_channel.consumers.end()) throw Violation{"no-consumer", out_.consumer};
    consumer = &found->second;
    queue = consumer->queue;
    no_ack = consumer->no_ack;
  }
  check_content(queue, *message);
  if (its_channel.closed_by_client) return;
  if (!consumer && no_ack && queue != loose &&
      simulation::queue(queue).knowledge == Knowledge::exact) {
    const Number head = model_.head(queue);
    if (head != number) throw Violation{"order", "message " + std::to_string(number)};
  }
  model_.deliver(queue, number, out_.redelivered, no_ack);
  if (consumer) check_turn(*consumer, number, out_.redelivered);
  if (no_ack) return;
  if (!its_channel.unacked.emplace(out_.delivery_tag, Given{queue, number, out_.consumer}).second) {
    throw Violation{"tag-twice", std::to_string(out_.delivery_tag)};
  }
  if (!consumer) return;
  if (++consumer->unacked > consumer->prefetch && consumer->prefetch != 0) {
    throw Violation{"prefetch", out_.consumer};
  }
}

void WireObserver::check_content(int queue, const Message& message) const {
  const int origin = model_.origin_of(message.number, queue);
  const std::string_view died_in =
      origin == nowhere ? std::string_view() : std::string_view(simulation::queue(origin).name);
  const std::string text =
      difference(message, out_.exchange, out_.routing_key, out_.properties, out_.body, died_in);
  if (!text.empty()) {
    throw Violation{"altered", text + " of message " + std::to_string(message.number)};
  }
}

// Messages that were not delivered before come in the order of the queue, within each priority.
void WireObserver::check_turn(Consumer& consumer, Number number, bool redelivered) {
  if (redelivered || queue(consumer.queue).knowledge != Knowledge::exact) return;
  const Message& message = *model_.messages().find(number);
  const std::uint8_t level =
      consumer.queue == prio ? std::min<std::uint8_t>(message.priority, 3) : std::uint8_t{0};
  const std::uint64_t place = model_.place_of(consumer.queue, number);
  std::uint64_t& last = consumer.last_places[level];
  if (place < last) throw Violation{"order", "message " + std::to_string(number)};
  last = place;
}

}  // namespace haypile::simulation
