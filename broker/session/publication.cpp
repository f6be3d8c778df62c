#include "session/publication.hpp"

#include <haypile/amqp/table.hpp>

#include "session/amqp_property_codec.hpp"

namespace haypile::session {

bool Rewrite::is_needed(const amqp::Properties& properties) {
  if (properties.reply_to == reply_queue) return true;
  if (!properties.headers) return false;
  for (const amqp::Field& field : *properties.headers) {
    if (field.key == "CC" || field.key == "BCC") return true;
  }
  return false;
}

Rewrite::Rewrite(const amqp::Properties& original, std::string_view reply_name) {
  more_keys = strings_in_header(original, "CC");
  amqp::Properties changed = original;
  amqp::Table headers;
  const bool has_bcc = original.headers && original.headers->find("BCC");
  if (has_bcc) {
    const std::vector<std::string> hidden = strings_in_header(original, "BCC");
    more_keys.insert(more_keys.end(), hidden.begin(), hidden.end());
    headers = amqp::Table(*original.headers);
    headers.erase("BCC");
    changed.headers = headers.view();
  }
  key_views.assign(more_keys.begin(), more_keys.end());
  const bool wants_reply = original.reply_to == reply_queue;
  if (wants_reply) changed.reply_to = reply_name;
  if (has_bcc || wants_reply) amqp::append_properties(properties, changed);
}

std::string with_common_reply_name(std::string_view raw) {
  amqp::Properties properties;
  static_cast<void>(amqp::decode_properties(raw, properties));
  if (properties.reply_to && properties.reply_to->starts_with(reply_queue)) {
    properties.reply_to = reply_queue;
  }
  std::string changed;
  amqp::append_properties(changed, properties);
  return changed;
}

std::string with_delivery_count(std::string_view raw, std::uint32_t count) {
  amqp::Properties properties;
  static_cast<void>(amqp::decode_properties(raw, properties));
  amqp::Table headers = properties.headers ? amqp::Table(*properties.headers) : amqp::Table();
  // If there is no room for one more value, the count is left out.
  if (!headers.try_set("x-delivery-count", std::int64_t{count})) return std::string(raw);
  properties.headers = headers.view();
  std::string changed;
  amqp::append_properties(changed, properties);
  return changed;
}

}  // namespace haypile::session
