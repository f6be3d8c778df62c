// The content header: the size and the properties of a message (AMQP 0-9-1, 4.2.6.1 and class
// basic).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include <haypile/amqp/optional_view.hpp>
#include <haypile/amqp/table.hpp>
#include <haypile/amqp/types.hpp>

namespace haypile::amqp {

inline constexpr std::uint8_t delivery_mode_transient = 1;
inline constexpr std::uint8_t delivery_mode_persistent = 2;

// The properties of a message (class basic). Texts and headers are views of what somebody else
// owns, and must live as long as this is used; haypile::MessageProperties owns them. Texts are
// short strings: more than 255 bytes cannot be sent.
struct Properties {
  OptionalView<std::string_view> content_type{};
  OptionalView<std::string_view> content_encoding{};
  OptionalView<TableView> headers{};
  std::optional<std::uint8_t> delivery_mode{};
  std::optional<std::uint8_t> priority{};
  OptionalView<std::string_view> correlation_id{};
  OptionalView<std::string_view> reply_to{};
  OptionalView<std::string_view> expiration{};
  OptionalView<std::string_view> message_id{};
  std::optional<Timestamp> timestamp{};
  OptionalView<std::string_view> type{};
  OptionalView<std::string_view> user_id{};
  OptionalView<std::string_view> app_id{};
  OptionalView<std::string_view> cluster_id{};

  // The properties in the order of the property flags, highest bit first.
  auto fields() {
    return std::tie(content_type, content_encoding, headers, delivery_mode, priority,
                    correlation_id, reply_to, expiration, message_id, timestamp, type, user_id,
                    app_id, cluster_id);
  }
  auto fields() const {
    return std::tie(content_type, content_encoding, headers, delivery_mode, priority,
                    correlation_id, reply_to, expiration, message_id, timestamp, type, user_id,
                    app_id, cluster_id);
  }
  bool operator==(const Properties&) const = default;
};

// Decodes properties. `raw` is a content header's payload from the property flags on. After an
// error `out` has the properties in front of the wrong one. The class has 14 properties, so a
// second word of flags is bad_value.
DecodeError decode_properties(std::string_view raw, Properties& out);

// Returns what decode_properties() would return, without the values.
DecodeError validate_properties(std::string_view raw);

// Reads the delivery mode, which is near the beginning of the list, from properties that were
// validated before. Returns delivery_mode_transient if it is not set, or if `raw` is cut off.
std::uint8_t peek_delivery_mode(std::string_view raw);

// Returns false, and appends nothing, if a string is longer than 255 bytes.
bool append_properties(std::string& out, const Properties& properties);

// The fields of a content header. `raw_properties` is a view into the payload and is not validated.
struct ContentHeader {
  std::uint16_t class_id = 0;
  std::uint64_t body_size = 0;
  std::string_view raw_properties;
};

DecodeError decode_content_header(std::string_view payload, ContentHeader& out);

}  // namespace haypile::amqp
