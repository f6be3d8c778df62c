// The rare methods, decoded and answered with the codec.
#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include <haypile/amqp/methods.hpp>

#include "tools/baseline/core.hpp"

namespace haypile::bench::baseline {

namespace {

constexpr std::size_t consumer_count_max = 65536;

// Handles one method. Each call returns whether the connection may continue.
class Handler {
 public:
  Handler(Core& core, Connection& connection, std::uint16_t number, std::string& out)
      : core_(core), connection_(connection), number_(number), out_(out) {}

  bool operator()(const amqp::connection::StartOk&) {
    return on_connection() &&
           answer(amqp::connection::Tune{.channel_max = channel_max, .frame_max = frame_max});
  }
  bool operator()(const amqp::connection::TuneOk& tune) {
    if (!on_connection()) return false;
    const std::uint32_t wanted = tune.frame_max == 0 ? frame_max : tune.frame_max;
    if (wanted < amqp::frame_min_size || wanted > frame_max) return false;
    connection_.body_frame_max = wanted - amqp::frame_overhead;
    return true;
  }
  bool operator()(const amqp::connection::Open&) {
    return on_connection() && answer(amqp::connection::OpenOk{});
  }
  bool operator()(const amqp::connection::Close&) {
    if (!on_connection()) return false;
    core_.forget(connection_);
    connection_.finished = true;
    return answer(amqp::connection::CloseOk{});
  }

  bool operator()(const amqp::channel::Open&) {
    if (number_ == 0 || number_ > channel_max || channel() != nullptr) return false;
    if (connection_.channels.size() <= number_) connection_.channels.resize(number_ + 1U);
    auto& place = connection_.channels[number_];
    if (place == nullptr) place = std::make_unique<Channel>();
    place->number = number_;
    place->open = true;
    return answer(amqp::channel::OpenOk{});
  }
  bool operator()(const amqp::channel::Close&) {
    if (channel() == nullptr) return false;
    core_.close_channel(connection_, *channel());
    return answer(amqp::channel::CloseOk{});
  }

  bool operator()(const amqp::queue::Declare& declare) {
    if (channel() == nullptr || declare.queue.empty()) return false;
    const Queue* queue = core_.find_queue(declare.queue, true);
    if (queue == nullptr) return false;
    return declare.no_wait ||
           answer(amqp::queue::DeclareOk{
               .queue = declare.queue,
               .consumer_count = static_cast<std::uint32_t>(queue->consumers.size())});
  }
  bool operator()(const amqp::queue::Purge& purge) {
    return acknowledge(purge, amqp::queue::PurgeOk{});
  }
  bool operator()(const amqp::queue::Delete& request) {
    if (Queue* queue = core_.find_queue(request.queue, false)) {
      queue->consumers.clear();
      queue->next = 0;
    }
    return acknowledge(request, amqp::queue::DeleteOk{});
  }
  bool operator()(const amqp::queue::Bind& bind) {
    return acknowledge(bind, amqp::queue::BindOk{});
  }
  bool operator()(const amqp::queue::Unbind&) {
    return channel() != nullptr && answer(amqp::queue::UnbindOk{});
  }
  bool operator()(const amqp::exchange::Declare& declare) {
    return acknowledge(declare, amqp::exchange::DeclareOk{});
  }
  bool operator()(const amqp::exchange::Delete& request) {
    return acknowledge(request, amqp::exchange::DeleteOk{});
  }

  bool operator()(const amqp::confirm::Select& select) {
    if (channel() == nullptr) return false;
    channel()->confirm = true;
    return acknowledge(select, amqp::confirm::SelectOk{});
  }
  bool operator()(const amqp::basic::Qos&) {
    return channel() != nullptr && answer(amqp::basic::QosOk{});
  }
  bool operator()(const amqp::basic::Consume& consume) {
    if (channel() == nullptr) return false;
    Queue* queue = core_.find_queue(consume.queue, false);
    if (queue == nullptr || queue->consumers.size() >= consumer_count_max) return false;
    std::string tag(consume.consumer_tag);
    if (tag.empty()) tag.append("c").append(std::to_string(++connection_.made_tags));
    const bool answered = consume.no_wait || answer(amqp::basic::ConsumeOk{.consumer_tag = tag});
    add_consumer(*queue, std::move(tag));
    return answered;
  }
  bool operator()(const amqp::basic::Cancel& cancel) {
    if (channel() == nullptr) return false;
    core_.drop_consumers([&](const Consumer& consumer) {
      return consumer.channel == channel() && consumer.tag == cancel.consumer_tag;
    });
    return acknowledge(cancel, amqp::basic::CancelOk{.consumer_tag = cancel.consumer_tag});
  }
  bool operator()(const amqp::basic::Nack& nack) { return settle(nack.delivery_tag); }
  bool operator()(const amqp::basic::Reject& reject) { return settle(reject.delivery_tag); }

  template <class M>
  bool operator()(const M&) {
    return false;
  }

 private:
  // Null if the channel is not open.
  Channel* channel() const {
    if (number_ >= connection_.channels.size()) return nullptr;
    Channel* channel = connection_.channels[number_].get();
    return channel != nullptr && channel->open ? channel : nullptr;
  }
  bool on_connection() const { return number_ == 0; }
  template <class M>
  bool answer(const M& method) {
    return amqp::append_method(out_, number_, method);
  }
  template <class Request, class M>
  bool acknowledge(const Request& request, const M& method) {
    return channel() != nullptr && (request.no_wait || answer(method));
  }
  bool settle(std::uint64_t delivery_tag) {
    if (channel() == nullptr) return false;
    core_.settle(delivery_tag);
    return true;
  }

  void add_consumer(Queue& queue, std::string tag) {
    Consumer consumer;
    consumer.connection = &connection_;
    consumer.channel = channel();
    consumer.tag = std::move(tag);
    amqp::append_method(
        consumer.deliver, number_,
        amqp::basic::Deliver{.consumer_tag = consumer.tag, .routing_key = queue.name});
    // The tag follows the frame's header, the method's id and the consumer tag.
    consumer.delivery_tag_offset =
        amqp::frame_header_size + amqp::method_id_size + 1 + consumer.tag.size();
    queue.consumers.push_back(std::move(consumer));
  }

  Core& core_;
  Connection& connection_;
  std::uint16_t number_;
  std::string& out_;
};

}  // namespace

void Core::greet(Connection& connection) {
  const amqp::Table capabilities{
      {"publisher_confirms", true}, {"basic.nack", true}, {"consumer_cancel_notify", false}};
  const amqp::Table properties{{"product", "haypile bare loop"}, {"capabilities", capabilities}};
  reply_.clear();
  amqp::append_method(
      reply_, 0,
      amqp::connection::Start{
          .server_properties = properties, .mechanisms = "PLAIN", .locales = "en_US"});
  connection.outbox.append(reply_);
  touch(connection);
}

bool Core::take_method(Connection& connection, std::uint16_t channel, std::string_view payload) {
  amqp::Method method;
  const amqp::DecodeError error = amqp::decode_method(payload, method);
  if (error != amqp::DecodeError::none) return fail(amqp::text(error));
  reply_.clear();
  if (!std::visit(Handler(*this, connection, channel, reply_), method)) {
    return fail("refused " + std::string(amqp::method_name(method)));
  }
  connection.outbox.append(reply_);
  touch(connection);
  return true;
}

}  // namespace haypile::bench::baseline
