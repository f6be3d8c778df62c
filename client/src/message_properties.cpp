#include <haypile/message_properties.hpp>

namespace haypile {
namespace {

std::optional<std::string> copy(const amqp::OptionalView<std::string_view>& view) {
  return view ? std::optional<std::string>(*view) : std::nullopt;
}

}  // namespace

MessageProperties MessageProperties::copy_of(const amqp::Properties& views) {
  return {.content_type = copy(views.content_type),
          .content_encoding = copy(views.content_encoding),
          .headers = amqp::Table(views.headers.value_or(amqp::TableView())),
          .delivery_mode = views.delivery_mode,
          .priority = views.priority,
          .correlation_id = copy(views.correlation_id),
          .reply_to = copy(views.reply_to),
          .expiration = copy(views.expiration),
          .message_id = copy(views.message_id),
          .timestamp = views.timestamp,
          .type = copy(views.type),
          .user_id = copy(views.user_id),
          .app_id = copy(views.app_id),
          .cluster_id = copy(views.cluster_id)};
}

MessageProperties::operator amqp::Properties() const& {
  amqp::Properties views{.content_type = content_type,
                         .content_encoding = content_encoding,
                         .delivery_mode = delivery_mode,
                         .priority = priority,
                         .correlation_id = correlation_id,
                         .reply_to = reply_to,
                         .expiration = expiration,
                         .message_id = message_id,
                         .timestamp = timestamp,
                         .type = type,
                         .user_id = user_id,
                         .app_id = app_id,
                         .cluster_id = cluster_id};
  if (!headers.empty()) views.headers = headers;
  return views;
}

}  // namespace haypile
