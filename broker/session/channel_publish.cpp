#include "session/arguments.hpp"
#include "session/channel.hpp"

namespace haypile::session {

using amqp::ReplyCode;

Fault Channel::handle(const amqp::basic::Publish& method) {
  if (method.immediate) {
    return {ReplyCode::not_implemented, "basic.publish(immediate=true) is not supported"};
  }
  content_.begin(method);
  return {};
}

Fault Channel::on_header(std::string_view payload) {
  if (Fault fault = content_.header(payload, link_.settings.message_size_max_bytes)) return fault;
  if (Fault fault = check_properties(content_.properties(), link_.user)) return fault;
  return content_.take_complete() ? publish() : Fault{};
}

Fault Channel::on_body(std::string_view payload) {
  if (Fault fault = content_.body(payload)) return fault;
  return content_.take_complete() ? publish() : Fault{};
}

Fault Channel::publish() {
  link_.has_published = true;
  const amqp::Properties& properties = content_.properties();
  engine::PublishResult result = engine_.publish({
      .message = {.exchange = content_.exchange(),
                  .routing_key = content_.routing_key(),
                  .properties = content_.raw_properties(),
                  .body = content_.body()},
      .persistent = properties.delivery_mode == amqp::delivery_mode_persistent,
      .headers = properties.headers ? properties.headers->bytes() : std::string_view{},
  });
  if (result.error) return std::move(result.error);
  if (result.queue_count == 0 && content_.mandatory()) return_unroutable();
  confirms_.published();
  return {};
}

void Channel::return_unroutable() {
  amqp::append_message(out(), number_,
                       amqp::basic::Return{.reply_code = 312,
                                           .reply_text = amqp::name(ReplyCode::no_route),
                                           .exchange = content_.exchange(),
                                           .routing_key = content_.routing_key()},
                       content_.raw_properties(), content_.body(), link_.frame_max_bytes);
}

Fault Channel::handle(const amqp::confirm::Select& method) {
  confirms_.enable();
  if (!method.no_wait) send(amqp::confirm::SelectOk{});
  return {};
}

void Channel::end_of_input() {
  if (!confirms_.enabled()) return;
  confirms_.seal(engine_.journal().end());
  send_confirms();
  if (awaits_log()) link_.awaits_log = true;
}

void Channel::send_confirms() {
  if (state_ != State::open || !confirms_.any_waiting()) return;
  const Confirms::Ack ack = confirms_.take(engine_.journal().durable());
  if (ack.delivery_tag == 0) return;
  send(amqp::basic::Ack{.delivery_tag = ack.delivery_tag, .multiple = ack.multiple});
}

}  // namespace haypile::session
