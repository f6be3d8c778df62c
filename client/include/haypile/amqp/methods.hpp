// Methods as values: one struct each in the headers below methods/, here what decodes and writes
// them (AMQP 0-9-1, 4.2.4).
//
// A struct's fields are those of the specification in its order, all views. fields() ties them
// together for code that works on any method. A short string (std::string_view) is at most 255
// bytes on the wire: no writer produces a longer one, it refuses the whole method.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>

#include <haypile/amqp/fields.hpp>
#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods/access.hpp>
#include <haypile/amqp/methods/basic.hpp>
#include <haypile/amqp/methods/channel.hpp>
#include <haypile/amqp/methods/confirm.hpp>
#include <haypile/amqp/methods/connection.hpp>
#include <haypile/amqp/methods/exchange.hpp>
#include <haypile/amqp/methods/queue.hpp>
#include <haypile/amqp/methods/tx.hpp>
#include <haypile/amqp/types.hpp>

namespace haypile::amqp {

using Method = std::variant<
    connection::Start, connection::StartOk, connection::Secure, connection::SecureOk,
    connection::Tune, connection::TuneOk, connection::Open, connection::OpenOk, connection::Close,
    connection::CloseOk, connection::Blocked, connection::Unblocked, connection::UpdateSecret,
    connection::UpdateSecretOk, channel::Open, channel::OpenOk, channel::Flow, channel::FlowOk,
    channel::Close, channel::CloseOk, access::Request, access::RequestOk, exchange::Declare,
    exchange::DeclareOk, exchange::Delete, exchange::DeleteOk, exchange::Bind, exchange::BindOk,
    exchange::Unbind, exchange::UnbindOk, queue::Declare, queue::DeclareOk, queue::Bind,
    queue::BindOk, queue::Purge, queue::PurgeOk, queue::Delete, queue::DeleteOk, queue::Unbind,
    queue::UnbindOk, basic::Qos, basic::QosOk, basic::Consume, basic::ConsumeOk, basic::Cancel,
    basic::CancelOk, basic::Publish, basic::Return, basic::Deliver, basic::Get, basic::GetOk,
    basic::GetEmpty, basic::Ack, basic::Reject, basic::RecoverAsync, basic::Recover,
    basic::RecoverOk, basic::Nack, confirm::Select, confirm::SelectOk, tx::Select, tx::SelectOk,
    tx::Commit, tx::CommitOk, tx::Rollback, tx::RollbackOk>;

// The octets that name the method at the start of a method frame's payload.
inline constexpr std::size_t method_id_size = 4;

// {0, 0}, which is no method, for a payload without room for an id.
inline MethodId peek_method_id(std::string_view payload) {
  if (payload.size() < method_id_size) return {};
  return {wire::load<std::uint16_t>(payload.data()), wire::load<std::uint16_t>(payload.data() + 2)};
}

// Decodes a method frame's whole payload. On an error the contents of `out` mean nothing.
DecodeError decode_method(std::string_view payload, Method& out);

// Decodes what follows the id, for those who have looked at it already. On an error the fields
// before it are set.
template <class M>
DecodeError decode_arguments(std::string_view arguments, M& out) {
  detail::FieldReader reader(arguments);
  std::apply([&](auto&... fields) { static_cast<void>((reader.read(fields) && ...)); },
             out.fields());
  return reader.finish();
}

namespace detail {

template <class M>
FieldSizer measure(const M& method) {
  FieldSizer sizer;
  std::apply([&](const auto&... fields) { (sizer.add(fields), ...); }, method.fields());
  return sizer;
}

// `to` has room for frame_overhead + method_id_size + arguments_size bytes; returns their end.
template <class M>
char* put_method(char* to, std::uint16_t channel, const M& method, std::size_t arguments_size) {
  to = put_frame_header(to, FrameType::method, channel, method_id_size + arguments_size);
  to = wire::put(to, M::id.class_id);
  to = wire::put(to, M::id.method_id);
  FieldWriter writer(to);
  std::apply([&](const auto&... fields) { (writer.add(fields), ...); }, method.fields());
  to = writer.end();
  *to++ = frame_end;
  return to;
}

}  // namespace detail

// Whether every string fits its place on the wire, so that append_method will not refuse.
template <class M>
bool encodable(const M& method) {
  return detail::measure(method).fits();
}

// Bytes of the whole frame, to be held against frame_max where fields come from a user: a method
// cannot be split.
template <class M>
std::size_t method_frame_size(const M& method) {
  return frame_overhead + method_id_size + detail::measure(method).size();
}

// Appends the method as a frame. False, and nothing is appended, if it is not encodable.
template <class M>
bool append_method(std::string& out, std::uint16_t channel, const M& method) {
  const detail::FieldSizer sizer = detail::measure(method);
  if (!sizer.fits()) return false;
  char* to = detail::extend(out, frame_overhead + method_id_size + sizer.size());
  detail::put_method(to, channel, method, sizer.size());
  return true;
}
bool append_method(std::string& out, std::uint16_t channel, const Method& method);

// Appends a method that carries content with its header and body frames, as one message goes over
// the wire. False, and nothing is appended, if the method is not encodable. `raw_properties` are
// encoded property flags and list.
template <class M>
bool append_message(std::string& out, std::uint16_t channel, const M& method,
                    std::string_view raw_properties, std::string_view body,
                    std::uint32_t frame_max);

std::string_view method_name(const Method& method);
// "unknown" if there is no such method.
std::string_view method_name(MethodId id);

// Whether a content header and body follow the method.
constexpr bool carries_content(MethodId id) {
  return id == basic::Publish::id || id == basic::Return::id || id == basic::Deliver::id ||
         id == basic::GetOk::id;
}

template <class M>
bool append_message(std::string& out, std::uint16_t channel, const M& method,
                    std::string_view raw_properties, std::string_view body,
                    std::uint32_t frame_max) {
  static_assert(carries_content(M::id));
  const detail::FieldSizer sizer = detail::measure(method);
  if (!sizer.fits()) return false;
  // Room for a body frame, too, if there is just one.
  const bool one_frame = !body.empty() && body.size() <= frame_payload_max(frame_max);
  char* to = detail::extend(out, frame_overhead + method_id_size + sizer.size() + frame_overhead +
                                     content_header_fixed_size + raw_properties.size() +
                                     (one_frame ? frame_overhead + body.size() : 0));
  to = detail::put_method(to, channel, method, sizer.size());
  to = detail::put_content_header(to, channel, M::id.class_id, body.size(), raw_properties);
  if (one_frame) {
    detail::put_frame(to, FrameType::body, channel, body);
  } else {
    append_body_frames(out, channel, body, frame_max);
  }
  return true;
}

}  // namespace haypile::amqp
