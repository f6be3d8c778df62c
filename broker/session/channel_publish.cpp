#include <optional>

#include "session/arguments.hpp"
#include "session/channel.hpp"
#include "session/wire_format.hpp"

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
  if (Fault fault = check_properties(content_.properties(), link_.user)) {
    if (Fault worse = engine_.check_publish(content_.exchange())) return worse;
    return fault;
  }
  return content_.take_complete() ? publish() : Fault{};
}

Fault Channel::on_body(std::string_view payload) {
  if (Fault fault = content_.body(payload)) return fault;
  return content_.take_complete() ? publish() : Fault{};
}

Fault Channel::publish() {
  link_.has_published = true;
  const amqp::Properties& properties = content_.properties();
  engine::PublishRequest request{
      .message = {.exchange = content_.exchange(),
                  .routing_key = content_.routing_key(),
                  .properties = content_.raw_properties(),
                  .body = content_.body()},
      .traits = traits_of(properties),
      .headers = properties.headers ? properties.headers->bytes() : std::string_view{},
  };
  std::optional<Rewrite> rewrite;
  std::vector<std::string_view> more_keys;
  if (Rewrite::is_needed(properties)) {
    if (properties.reply_to == reply_queue && consumers_.reply_name().empty()) {
      return {ReplyCode::precondition_failed, "reply_to '" + std::string(reply_queue) +
                                                  "' without a consumer of that queue on this "
                                                  "channel"};
    }
    rewrite.emplace(properties, consumers_.reply_name());
    more_keys.assign(rewrite->more_keys.begin(), rewrite->more_keys.end());
    request.more_keys = more_keys;
    if (!rewrite->properties.empty()) request.message.properties = rewrite->properties;
  }
  if (transactional_) return publish_later(request);
  engine::PublishResult result = engine_.publish(request);
  if (result.error) return std::move(result.error);
  if (result.queue_count == 0 && content_.mandatory()) return_unroutable(request.message);
  confirms_.published();
  if (result.rejected) confirms_.rejected(engine_.journal().end());
  return {};
}

void Channel::return_unroutable(const engine::MessageView& message) {
  amqp::append_message(out(), number_,
                       amqp::basic::Return{.reply_code = 312,
                                           .reply_text = amqp::name(ReplyCode::no_route),
                                           .exchange = message.exchange,
                                           .routing_key = message.routing_key},
                       message.properties, message.body, link_.frame_max_bytes);
}

Fault Channel::handle(const amqp::confirm::Select& method) {
  if (transactional_) {
    return {ReplyCode::precondition_failed, "cannot switch from tx to confirm mode"};
  }
  confirms_.enable();
  if (!method.no_wait) send(amqp::confirm::SelectOk{});
  return {};
}

void Channel::end_of_input() {
  if (!confirms_.enabled()) return;
  confirms_.seal(engine_.journal().end());
  send_confirms();
  if (awaits_log()) await_log();
}

void Channel::send_confirms() {
  if (state_ != State::open) return;
  while (confirms_.any_waiting()) {
    const Confirms::Answer answer = confirms_.take(engine_.journal().durable());
    if (answer.delivery_tag == 0) return;
    if (answer.rejected) {
      send(amqp::basic::Nack{.delivery_tag = answer.delivery_tag});
    } else {
      send(amqp::basic::Ack{.delivery_tag = answer.delivery_tag, .multiple = answer.multiple});
    }
  }
}

}  // namespace haypile::session
