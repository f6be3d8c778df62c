#include "tools/load/link.hpp"

#include <utility>
#include <variant>

#include <haypile/amqp/table.hpp>

namespace haypile::bench::load {

Link::Link(const Address& address) : Stream(address.host, address.port) {
  log_in(address);
}

void Link::log_in(const Address& address) {
  out = amqp::protocol_header;
  while (!flush()) {
  }
  if (!std::holds_alternative<amqp::connection::Start>(wait_for_method())) refuse("does not start");
  amqp::Table capabilities;
  capabilities.set("basic.nack", true);
  capabilities.set("publisher_confirms", true);
  amqp::Table properties;
  properties.set("product", "haypile-perf");
  properties.set("capabilities", capabilities);
  const std::string response = '\0' + address.user + '\0' + address.password;
  const auto tune = call_on<amqp::connection::Tune>(
      0, amqp::connection::StartOk{.client_properties = properties.view(),
                                   .mechanism = "PLAIN",
                                   .response = response,
                                   .locale = "en_US"});
  if (tune.frame_max != 0) frame_max_ = tune.frame_max;
  amqp::append_method(
      out, 0,
      amqp::connection::TuneOk{
          .channel_max = tune.channel_max, .frame_max = frame_max_, .heartbeat = 0});
  call_on<amqp::connection::OpenOk>(0, amqp::connection::Open{.virtual_host = "/"});
  call<amqp::channel::OpenOk>(amqp::channel::Open{});
}

amqp::Method Link::wait_for_method() {
  while (true) {
    drop_first(std::exchange(taken_, 0));
    amqp::Frame frame;
    const auto status = amqp::parse_frame(in(), 0, frame, taken_);
    if (status == amqp::FrameStatus::incomplete) {
      receive();
      continue;
    }
    if (status != amqp::FrameStatus::complete) refuse("sent what is no frame");
    if (frame.type != amqp::FrameType::method) continue;
    amqp::Method method;
    if (amqp::decode_method(frame.payload, method) != amqp::DecodeError::none) {
      refuse("sent a method that cannot be read");
    }
    if (const auto* close = std::get_if<amqp::connection::Close>(&method)) {
      refuse("closes the connection: " + std::string(close->reply_text));
    }
    if (const auto* close = std::get_if<amqp::channel::Close>(&method)) {
      refuse("closes the channel: " + std::string(close->reply_text));
    }
    return method;
  }
}

void Link::start() {
  drop_first(std::exchange(taken_, 0));
  Stream::start();
}

}  // namespace haypile::bench::load
