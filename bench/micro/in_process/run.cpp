#include "micro/in_process/run.hpp"

#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/wire.hpp>

namespace haypile::bench {

namespace {

constexpr std::uint16_t prefetch_count = 2 * chunk_size;
const std::string queue_name = "task_queue";
const std::string exchange_name = "events";
const std::string consumer_tag = "ctag1.0123456789abcdef";
const std::string body(100, 'x');
constexpr int binding_count = 100;

// A key of the benchmark matches only patterns of the first kind, and only one of them.
std::string pattern(int i) {
  const std::string number = std::to_string(100 + i);
  if (i >= 95) return "#.failed" + number;
  if (i >= 90) return "*.order" + number + ".#";
  return "region" + number + ".*.created";
}

}  // namespace

Run::Run(const Work& work)
    : work_(work), broker_(work.ring_size), publisher_(broker_, 1), consumer_(broker_, 2) {
  declare();
  if (work_.persistent) publisher_.send_method(amqp::confirm::Select{});
  if (work_.consumed) {
    consumer_.send_method(amqp::basic::Qos{.prefetch_count = prefetch_count});
    consumer_.send_method(amqp::basic::Consume{
        .queue = queue_name, .consumer_tag = consumer_tag, .no_ack = !work_.acked});
  }
  broker_.turn();
  broker_.log().step();
  publisher_.log_advanced();
  publisher_.expect_success();
  consumer_.expect_success();
  make_bytes();
}

void Run::publish() {
  publisher_.send(publishes_);
  broker_.turn();
  published_ += chunk_size;
}

void Run::deliver() {
  if (!work_.consumed) return;
  expect(consumer_.receive().size() == deliveries_size_, "all messages are delivered");
}

void Run::write_log() {
  broker_.log().step();
}

void Run::confirm() {
  consumer_.log_advanced();
  publisher_.log_advanced();
  if (work_.persistent) check_confirm(publisher_.receive());
}

void Run::acknowledge() {
  if (work_.consumed && work_.acked) consumer_.send(acks());
}

void Run::check() {
  broker_.turn();
  engine::Queue* queue = nullptr;
  expect(!broker_.engine().find_queue(queue_name, 0, queue), "the queue is there");
  expect(queue->ready_count() == left() && queue->unacked_count() == 0, "all went its way");
  expect(broker_.engine().memory_bytes() < 2 * work_.ring_size, "what is left has been moved");
}

void Run::declare() {
  publisher_.send_method(amqp::queue::Declare{.queue = queue_name, .durable = true});
  if (!work_.by_topic) return;
  publisher_.send_method(
      amqp::exchange::Declare{.exchange = exchange_name, .type = "topic", .durable = true});
  for (int i = 0; i < binding_count; ++i) {
    publisher_.send_method(amqp::queue::Bind{
        .queue = queue_name, .exchange = exchange_name, .routing_key = pattern(i)});
  }
}

std::string Run::routing_key(std::uint64_t i) const {
  return work_.by_topic ? "region" + std::to_string(100 + i) + ".task.created" : queue_name;
}

void Run::make_bytes() {
  std::string properties;
  amqp::append_properties(properties,
                          {.content_type = "text/plain",
                           .delivery_mode = work_.persistent ? std::uint8_t{2} : std::uint8_t{1}});
  const std::string exchange = work_.by_topic ? exchange_name : "";
  std::string deliveries;
  for (std::uint64_t i = 0; i < chunk_size; ++i) {
    const std::string key = routing_key(i);
    amqp::append_message(publishes_, 1,
                         amqp::basic::Publish{.exchange = exchange, .routing_key = key}, properties,
                         body, frame_max_bytes);
    amqp::append_message(deliveries, 1,
                         amqp::basic::Deliver{.consumer_tag = consumer_tag,
                                              .delivery_tag = i + 1,
                                              .exchange = exchange,
                                              .routing_key = key},
                         properties, body, frame_max_bytes);
    amqp::append_method(acks_, 1, amqp::basic::Ack{});
  }
  deliveries_size_ = deliveries.size();
}

// Acknowledges the last deliveries, with one ack for each message, although one could be for all.
std::string_view Run::acks() {
  const std::size_t size = acks_.size() / chunk_size;
  char* tag = acks_.data() + amqp::frame_header_size + amqp::method_id_size;
  for (std::uint64_t i = 0; i < chunk_size; ++i, tag += size)
    amqp::wire::put(tag, published_ - chunk_size + 1 + i);
  return acks_;
}

void Run::check_confirm(std::string_view bytes) const {
  amqp::Frame frame;
  std::size_t size = 0;
  amqp::basic::Ack ack;
  expect(amqp::parse_frame(bytes, frame_max_bytes, frame, size) == amqp::FrameStatus::complete &&
             size == bytes.size() && amqp::peek_method_id(frame.payload) == ack.id &&
             amqp::decode_arguments(frame.payload.substr(amqp::method_id_size), ack) ==
                 amqp::DecodeError::none &&
             ack.delivery_tag == published_,
         "one confirm for all messages");
}

}  // namespace haypile::bench
