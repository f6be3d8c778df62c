#include <new>
#include <optional>

#include "session/amqp_property_codec.hpp"
#include "session/arguments.hpp"
#include "session/channel.hpp"
#include "session/refusals.hpp"

namespace haypile::session {

using amqp::ReplyCode;

namespace {

// Properties must fit into one frame of the largest size that is offered. Otherwise no client could
// be sent them.
constexpr std::size_t properties_max_bytes = (128u << 10) - amqp::frame_overhead;

}  // namespace

// How a message arrives: handle(Publish) keeps its names, on_header() checks its properties and
// publishes it if it has no body. A body that comes in one frame is published from the input
// buffer. A body that comes in more is collected in `draft_`, for which all memory is taken with
// the first frame. Large headers and drafts count as unfinished until publish().
//
// Confirms: publish() only counts the message. end_of_input() binds all counted ones to the
// log's end, which comes after them, and send_confirms() answers those that are durable.
Fault Channel::handle(const amqp::basic::Publish& method) {
  if (method.immediate) return refusals::immediate_publish();
  content_.begin(method);
  return {};
}

Fault Channel::on_header(std::string_view payload) {
  if (Fault fault = content_.header(payload, context_.settings.message_size_max_bytes))
    return fault;
  if (Fault fault = check_properties(content_.properties(), context_.user)) {
    // An unknown exchange is reported rather than wrong properties.
    if (Fault worse = engine_.check_publish(content_.exchange())) return worse;
    return fault;
  }
  if (payload.size() > small_header_max_bytes) [[unlikely]] {
    if (payload.size() > properties_max_bytes) {
      return refusals::properties_too_large(payload.size(), properties_max_bytes);
    }
    set_unfinished(payload.size());
    last_piece_ = context_.now;
  }
  return content_.take_complete() ? publish({}, nullptr) : Fault{};
}

Fault Channel::on_body(std::string_view payload) {
  if (Fault fault = content_.body(payload)) return fault;
  if (content_.body_left() == 0 && !draft_) {
    content_.take_complete();
    return publish(payload, nullptr);
  }
  return on_part(payload);
}

Fault Channel::on_part(std::string_view payload) {
  if (!draft_) {
    if (Fault fault = begin_draft()) return fault;
  }
  draft_->append(payload);
  last_piece_ = context_.now;
  if (!content_.take_complete()) return {};
  engine::Draft draft = std::move(*draft_);
  draft_.reset();
  return publish(draft.message()->body(), &draft);
}

std::optional<Time> Channel::unfinished_since() const {
  return unfinished_bytes_ == 0 ? std::nullopt : std::optional(last_piece_);
}

void Channel::set_unfinished(std::size_t bytes) {
  context_.count_unfinished(bytes, std::exchange(unfinished_bytes_, bytes));
}

engine::PublishRequest Channel::request() const {
  const amqp::Properties& properties = content_.properties();
  return {.message = {.exchange = content_.exchange(),
                      .routing_key = content_.routing_key(),
                      .properties = content_.raw_properties(),
                      .body = {}},
          .traits = traits_of(properties),
          .headers = properties.headers ? properties.headers->bytes() : std::string_view{}};
}

// The request refers to `rewrite` afterwards.
Fault Channel::rewrite(engine::PublishRequest& request, std::optional<Rewrite>& rewrite) const {
  const amqp::Properties& properties = content_.properties();
  if (!Rewrite::is_needed(properties)) return {};
  if (properties.reply_to == reply_queue && subscriptions_.reply_name().empty()) {
    return {ReplyCode::precondition_failed,
            "fast reply consumer does not exist: reply_to '" + std::string(reply_queue) +
                "' without a consumer of that queue on this channel"};
  }
  rewrite.emplace(properties, subscriptions_.reply_name());
  request.more_keys = rewrite->key_views;
  if (!rewrite->properties.empty()) request.message.properties = rewrite->properties;
  return {};
}

// The client declares the size before it sends the body: there may be no memory for it.
Fault Channel::begin_draft() {
  engine::PublishRequest request = this->request();
  std::optional<Rewrite> rewrite;
  if (Fault fault = this->rewrite(request, rewrite)) return fault;
  const auto size = static_cast<std::size_t>(content_.body_size());
  try {
    draft_.emplace(engine_.begin_draft(request, size));
  } catch (const std::bad_alloc&) {
    return {ReplyCode::resource_error,
            "there is no memory for a message of " + std::to_string(size) + " bytes"};
  }
  set_unfinished(unfinished_bytes_ + size);
  return {};
}

Fault Channel::publish(std::string_view body, engine::Draft* draft) {
  context_.has_published = has_ever_published_ = true;
  context_.taken_in_alarm += body.size();
  engine::PublishRequest request = this->request();
  request.message.body = body;
  request.draft = draft;
  Fault fault =
      Rewrite::is_needed(content_.properties()) ? publish_rewritten(request) : publish(request);
  if (unfinished_bytes_ != 0) [[unlikely]] {
    set_unfinished(0);
    content_.shrink();
  }
  return fault;
}

Fault Channel::publish_rewritten(engine::PublishRequest& request) {
  std::optional<Rewrite> rewrite;
  if (Fault fault = this->rewrite(request, rewrite)) return fault;
  return publish(request);
}

Fault Channel::publish(const engine::PublishRequest& request) {
  if (transactional_) return publish_later(request);
  engine::PublishResult result = engine_.publish(request);
  if (result.error) return std::move(result.error);
  if (result.queue_count == 0 && content_.mandatory()) return_unroutable(request);
  confirms_.published();
  if (result.rejected) confirms_.rejected(engine_.journal().end());
  return {};
}

// The properties came in one frame, but the name for replies in them is longer now than the name
// that the client wrote.
void Channel::return_unroutable(const engine::PublishRequest& request) {
  engine::MessageView message = request.message;
  std::string changed;
  if (message.properties.size() > context_.properties_max_bytes()) {
    changed = with_common_reply_name(message.properties);
    message.properties = changed;
  }
  const amqp::basic::Return method{.reply_code = 312,
                                   .reply_text = amqp::name(ReplyCode::no_route),
                                   .exchange = message.exchange,
                                   .routing_key = message.routing_key};
  if (request.draft) {
    send_message(method, message.properties, request.draft->message(), Output::Kind::reply);
    return;
  }
  send_small_message(method, message.properties, message.body);
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
