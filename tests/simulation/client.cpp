#include "simulation/client.hpp"

#include <iterator>

#include <haypile/amqp/properties.hpp>

namespace haypile::simulation {

namespace {

constexpr std::uint16_t working_channels = 2;
// The broker is made to close this channel; nothing else is done on it.
constexpr std::uint16_t channel_for_faults = 3;
constexpr std::size_t consumers_max = 3;

template <class M>
bool decode(const amqp::Frame& frame, M& method) {
  return amqp::decode_arguments(frame.payload.substr(amqp::method_id_size), method) ==
         amqp::DecodeError::none;
}

}  // namespace

Client::Client(Messages& messages, Random& random, std::size_t index, const Style& style)
    : messages_(messages), random_(random), index_(index), style_(style) {
  output_ = amqp::protocol_header;
  number_ = 0;
  send(amqp::connection::StartOk{
      .mechanism = "PLAIN", .response = std::string_view("\0guest\0guest", 12), .locale = "en_US"});
  send(amqp::connection::TuneOk{.channel_max = 10, .frame_max = 4096, .heartbeat = heartbeat_s});
  send(amqp::connection::Open{.virtual_host = "/"});
  for (std::uint16_t number = 1; number <= working_channels; ++number)
    open(number);
  number_ = 1;
  declare_all();
}

// A client that does not wait may use a channel at once.
void Client::open(std::uint16_t number) {
  number_ = number;
  channel() = {.open = true};
  send(amqp::channel::Open{});
  if (number == channel_for_faults || index_ == client_count) return;
  if (random_.one_in(2)) {
    channel().mode = Mode::confirm;
    send(amqp::confirm::Select{});
  } else if (random_.one_in(2)) {
    channel().mode = Mode::tx;
    send(amqp::tx::Select{});
  }
}

void Client::declare_all() {
  const auto declare_exchange = [this](int index) {
    send(amqp::exchange::Declare{
        .exchange = exchange_name(index), .type = exchange_type(index), .durable = true});
  };
  const auto declare_queue = [this](int index) {
    const QueueSpec& spec = queue(index);
    send(amqp::queue::Declare{
        .queue = spec.name, .durable = spec.durable, .arguments = spec.arguments.view()});
  };
  declare_exchange(fanout);
  declare_exchange(direct);
  for (int index = 0; index < c0; ++index)
    declare_queue(index);
  for (const BindingSpec& binding : bindings()) {
    if (binding.owner != client_count) continue;
    send(amqp::queue::Bind{.queue = queue(binding.destination).name,
                           .exchange = exchange_name(binding.source),
                           .routing_key = binding.key});
  }
  if (index_ == client_count) return;
  declare_queue(own_queue(index_));
  declare_exchange(own_exchange(index_));
  has_queue_ = has_exchange_ = true;
}

void Client::act() {
  if (has_ended_ || is_closing_) return;
  number_ = static_cast<std::uint16_t>(random_.between(1, working_channels));
  if (!channel().open) {
    if (!channel().closing) open(number_);
    return;
  }
  const std::size_t dice = random_.below(100);
  if (dice < 35) {
    publish();
  } else if (dice < 65) {
    settle();
  } else if (dice < 75) {
    consume();
  } else if (dice < 79) {
    cancel();
  } else if (dice < 84) {
    get();
  } else if (dice < 89) {
    end_transaction();
  } else if (dice < 96) {
    change_topology();
  } else if (dice < 98) {
    close_channel();
  } else {
    provoke();
  }
}

void Client::close() {
  if (std::exchange(is_closing_, true)) return;
  number_ = 0;
  send(amqp::connection::Close{});
}

void Client::publish() {
  static constexpr std::array<QueueIndex, 9> named{p0, p1, prio, rej, t0, loose, ttl, limit, tries};
  static constexpr std::array<QueueIndex, 4> few{p0, p1, rej, tries};
  for (std::size_t count = random_.between(1, style_.is_brisk ? 5 : 3); count > 0; --count) {
    if (style_.is_brisk && !random_.one_in(150)) {
      publish_one(default_exchange, queue(random_.any(few)).name);
      continue;
    }
    const std::size_t dice = random_.below(12);
    if (dice < 7) {
      publish_one(default_exchange, queue(random_.any(named)).name);
    } else if (dice < 8) {
      publish_one(default_exchange, channel().mode == Mode::tx ? "nowhere" : "full");
    } else if (dice < 9) {
      publish_one(default_exchange, "nowhere");
    } else if (dice < 10) {
      publish_one(fanout, "");
    } else {
      publish_one(direct, own_key(index_));
    }
  }
}

void Client::publish_one(int exchange, const std::string& key) {
  const Message& message = messages_.make(random_, exchange, key, style_);
  amqp::append_message(
      output_, number_,
      amqp::basic::Publish{
          .exchange = exchange_name(exchange), .routing_key = key, .mandatory = message.mandatory},
      properties_of(message), body_of(message), 4096);
}

void Client::consume() {
  static constexpr std::array<QueueIndex, 12> named{p0,    p1,    prio, dead,  rej,   t0,
                                                    fdead, loose, ttl,  limit, tries, full};
  static constexpr std::array<QueueIndex, 5> few{p0, p1, dead, rej, tries};
  if (channel().consumers.size() >= consumers_max) return;
  const QueueIndex index =
      style_.is_brisk && !random_.one_in(8) ? random_.any(few) : random_.any(named);
  const bool no_ack = index == loose && random_.one_in(2);
  const std::string tag = (no_ack ? "n" : "c") + std::to_string(++last_consumer_);
  send(amqp::basic::Qos{.prefetch_count = static_cast<std::uint16_t>(random_.below(5))});
  send(amqp::basic::Consume{.queue = queue(index).name, .consumer_tag = tag, .no_ack = no_ack});
  channel().consumers.push_back(tag);
}

void Client::cancel() {
  auto& consumers = channel().consumers;
  if (consumers.empty()) return;
  const std::size_t which = random_.below(consumers.size());
  send(amqp::basic::Cancel{.consumer_tag = consumers[which]});
  consumers.erase(consumers.begin() + static_cast<std::ptrdiff_t>(which));
}

void Client::get() {
  const int index = static_cast<int>(random_.below(c0));
  const bool no_ack = index == loose && random_.one_in(2);
  channel().gets.push_back(no_ack);
  send(amqp::basic::Get{.queue = queue(index).name, .no_ack = no_ack});
}

void Client::drain(int index, std::size_t count) {
  number_ = 1;
  for (; count > 0; --count) {
    channel().gets.push_back(true);
    send(amqp::basic::Get{.queue = queue(index).name, .no_ack = true});
  }
}

void Client::settle() {
  Channel& its_channel = channel();
  if (its_channel.unacked.empty()) return;
  const bool all = style_.is_brisk && random_.one_in(2);
  const std::size_t count = its_channel.unacked.size();
  const std::size_t which = all ? count - 1 : random_.below(count);
  const auto it = std::next(its_channel.unacked.begin(), static_cast<std::ptrdiff_t>(which));
  const std::uint64_t tag = *it;
  const bool multiple = all || random_.one_in(4);
  const auto first = multiple ? its_channel.unacked.begin() : it;
  if (its_channel.mode == Mode::tx) its_channel.held.insert(first, std::next(it));
  its_channel.unacked.erase(first, std::next(it));
  send_settlement(tag, multiple);
}

void Client::send_settlement(std::uint64_t tag, bool multiple) {
  const bool requeue = random_.one_in(style_.is_brisk ? 6 : 2);
  if (random_.one_in(2)) {
    send(amqp::basic::Ack{.delivery_tag = tag, .multiple = multiple});
  } else if (multiple || random_.one_in(2)) {
    send(amqp::basic::Nack{.delivery_tag = tag, .multiple = multiple, .requeue = requeue});
  } else {
    send(amqp::basic::Reject{.delivery_tag = tag, .requeue = requeue});
  }
}

void Client::end_transaction() {
  Channel& its_channel = channel();
  if (its_channel.mode != Mode::tx) return;
  if (random_.one_in(4)) {
    its_channel.unacked.merge(its_channel.held);
    send(amqp::tx::Rollback{});
  } else {
    send(amqp::tx::Commit{});
  }
  its_channel.held.clear();
}

void Client::change_topology() {
  const int mine = own_queue(index_);
  const int exchange = own_exchange(index_);
  const std::size_t dice = random_.below(10);
  if (dice < 1) {
    send(amqp::queue::Delete{.queue = queue(mine).name});
    has_queue_ = false;
  } else if (dice < 2) {
    send(amqp::exchange::Delete{.exchange = exchange_name(exchange)});
    has_exchange_ = false;
  } else if (dice < 3 && has_queue_) {
    send(amqp::queue::Purge{.queue = queue(mine).name});
  } else if (!has_queue_) {
    send(amqp::queue::Declare{.queue = queue(mine).name, .durable = true});
    has_queue_ = true;
  } else if (!has_exchange_) {
    send(amqp::exchange::Declare{
        .exchange = exchange_name(exchange), .type = exchange_type(exchange), .durable = true});
    has_exchange_ = true;
  } else {
    change_binding();
  }
}

void Client::change_binding() {
  const BindingSpec& binding = random_.any(bindings());
  if (binding.owner != index_) return;
  const std::string& source = exchange_name(binding.source);
  const bool on = !random_.one_in(3);
  if (binding.to_exchange) {
    const std::string& name = exchange_name(binding.destination);
    if (on) {
      send(amqp::exchange::Bind{.destination = name, .source = source, .routing_key = binding.key});
    } else {
      send(amqp::exchange::Unbind{
          .destination = name, .source = source, .routing_key = binding.key});
    }
    return;
  }
  const std::string& name = queue(binding.destination).name;
  if (on) {
    send(amqp::queue::Bind{.queue = name, .exchange = source, .routing_key = binding.key});
  } else {
    send(amqp::queue::Unbind{.queue = name, .exchange = source, .routing_key = binding.key});
  }
}

void Client::provoke() {
  number_ = channel_for_faults;
  if (channel().open) return;
  open(number_);
  send(amqp::queue::Declare{.queue = "nowhere", .passive = true});
}

void Client::close_channel() {
  channel() = {.closing = true};
  send(amqp::channel::Close{});
}

void Client::receive(std::string_view bytes) {
  input_ += bytes;
  std::string_view rest = input_;
  amqp::Frame frame;
  std::size_t size = 0;
  while (amqp::parse_frame(rest, 0, frame, size) == amqp::FrameStatus::complete) {
    rest.remove_prefix(size);
    if (frame.type == amqp::FrameType::method) on_method(frame);
  }
  input_.erase(0, input_.size() - rest.size());
}

void Client::on_method(const amqp::Frame& frame) {
  const amqp::MethodId id = amqp::peek_method_id(frame.payload);
  if (is_closing_ && frame.channel != 0) return;
  if (frame.channel == 0) {
    if (id == amqp::connection::CloseOk::id) has_ended_ = true;
    return;
  }
  number_ = frame.channel;
  if (id == amqp::channel::Close::id) {
    channel() = {};
    send(amqp::channel::CloseOk{});
  } else if (id == amqp::channel::CloseOk::id) {
    channel() = {};
  } else if (id == amqp::basic::Deliver::id) {
    amqp::basic::Deliver deliver;
    if (decode(frame, deliver)) given(deliver.delivery_tag, deliver.consumer_tag.starts_with('n'));
  } else if (id == amqp::basic::GetOk::id) {
    amqp::basic::GetOk get_ok;
    if (decode(frame, get_ok)) {
      given(get_ok.delivery_tag, !channel().gets.empty() && channel().gets.front());
    }
  }
  if (id == amqp::basic::GetOk::id || id == amqp::basic::GetEmpty::id) {
    if (!channel().gets.empty()) channel().gets.pop_front();
  }
}

// The body follows; nobody needs it here.
void Client::given(std::uint64_t tag, bool no_ack) {
  if (channel().open && !no_ack) channel().unacked.insert(tag);
}

}  // namespace haypile::simulation
