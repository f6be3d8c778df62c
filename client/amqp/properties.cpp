#include <haypile/amqp/properties.hpp>

#include <haypile/amqp/fields.hpp>
#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/wire.hpp>

namespace haypile::amqp {
namespace {

constexpr unsigned first_flag = 1U << 15;
// The two bits below the 14 properties: one without a meaning, and one that announces more flags.
constexpr unsigned flags_outside = 3;

constexpr unsigned content_type_flag = 1U << 15;
constexpr unsigned content_encoding_flag = 1U << 14;
constexpr unsigned headers_flag = 1U << 13;
constexpr unsigned delivery_mode_flag = 1U << 12;

constexpr std::size_t flags_size = 2;

}  // namespace

DecodeError decode_properties(std::string_view raw, Properties& out) {
  out = Properties{};
  detail::FieldReader reader(raw);
  std::uint16_t flags = 0;
  if (!reader.read(flags)) return reader.finish();
  if ((flags & flags_outside) != 0) return DecodeError::bad_value;
  // The highest bit is the flag of the current property. If no flag is left, nothing is left to
  // read.
  const auto read_one = [&](auto& property) {
    const bool present = (flags & first_flag) != 0;
    flags = static_cast<std::uint16_t>(flags << 1);
    return (!present || reader.read(property.emplace())) && flags != 0;
  };
  std::apply([&](auto&... properties) { static_cast<void>((read_one(properties) && ...)); },
             out.fields());
  return reader.finish();
}

DecodeError validate_properties(std::string_view raw) {
  Properties properties;
  return decode_properties(raw, properties);
}

std::uint8_t peek_delivery_mode(std::string_view raw) {
  if (raw.size() < flags_size) return delivery_mode_transient;
  const unsigned flags = wire::load<std::uint16_t>(raw.data());
  if ((flags & delivery_mode_flag) == 0) return delivery_mode_transient;
  std::size_t at = flags_size;
  const auto skip_short_string = [&] {
    if (at < raw.size()) at += 1 + std::size_t{static_cast<unsigned char>(raw[at])};
  };
  if ((flags & content_type_flag) != 0) skip_short_string();
  if ((flags & content_encoding_flag) != 0) skip_short_string();
  if ((flags & headers_flag) != 0) {
    if (raw.size() < at + 4) return delivery_mode_transient;
    at += 4 + std::size_t{wire::load<std::uint32_t>(raw.data() + at)};
  }
  return at < raw.size() ? static_cast<std::uint8_t>(raw[at]) : delivery_mode_transient;
}

bool append_properties(std::string& out, const Properties& properties) {
  unsigned flags = 0;
  unsigned flag = first_flag;
  detail::FieldSizer sizer;
  const auto measure_one = [&](const auto& property) {
    if (property) {
      flags |= flag;
      sizer.add(*property);
    }
    flag >>= 1;
  };
  std::apply([&](const auto&... all) { (measure_one(all), ...); }, properties.fields());
  if (!sizer.fits()) return false;
  char* to = detail::extend(out, flags_size + sizer.size());
  detail::FieldWriter writer(wire::put(to, static_cast<std::uint16_t>(flags)));
  const auto write_one = [&](const auto& property) {
    if (property) writer.add(*property);
  };
  std::apply([&](const auto&... all) { (write_one(all), ...); }, properties.fields());
  return true;
}

DecodeError decode_content_header(std::string_view payload, ContentHeader& out) {
  constexpr std::size_t fixed_size = content_header_fixed_size;
  if (payload.size() < fixed_size) return DecodeError::truncated;
  // The weight "is unused and must be zero" (AMQP 0-9-1, 4.2.6.1).
  if (wire::load<std::uint16_t>(payload.data() + 2) != 0) return DecodeError::bad_value;
  out.class_id = wire::load<std::uint16_t>(payload.data());
  out.body_size = wire::load<std::uint64_t>(payload.data() + 4);
  out.raw_properties = payload.substr(fixed_size);
  return DecodeError::none;
}

}  // namespace haypile::amqp
