// Methods as values. The headers in methods/ have one struct for each; this one decodes and writes
// them (AMQP 0-9-1, 4.2.4).
//
// A struct has the fields of the specification in the same order; all strings and tables are views.
// fields() ties the fields together for code that works on any method. A short string
// (std::string_view) has at most 255 bytes on the wire: a writer refuses a method with a longer
// one.
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

// The size of the ids at the beginning of a method frame's payload.
inline constexpr std::size_t method_id_size = 4;

// Returns {0, 0}, which is no method, for a payload that is too short for the ids.
inline MethodId peek_method_id(std::string_view payload) {
  if (payload.size() < method_id_size) return {};
  return {wire::load<std::uint16_t>(payload.data()), wire::load<std::uint16_t>(payload.data() + 2)};
}

// Decodes the whole payload of a method frame. After an error the content of `out` has no meaning.
DecodeError decode_method(std::string_view payload, Method& out);

// Decodes what follows the ids, if the caller knows the method already. After an error the fields
// in front of the wrong one are set.
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

// `to` must have room for frame_overhead + method_id_size + arguments_size bytes. Returns the end
// of what was written.
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

// Whether every string fits on the wire, so that append_method() does not refuse the method.
template <class M>
bool encodable(const M& method) {
  return detail::measure(method).fits();
}

// The size of the whole frame. Compare it with frame_max if fields come from a user, because a
// method cannot be split.
template <class M>
std::size_t method_frame_size(const M& method) {
  return frame_overhead + method_id_size + detail::measure(method).size();
}

// Appends the method as a frame. Returns false, and appends nothing, if it is not encodable.
template <class M>
bool append_method(std::string& out, std::uint16_t channel, const M& method) {
  const detail::FieldSizer sizer = detail::measure(method);
  if (!sizer.fits()) return false;
  char* to = detail::extend(out, frame_overhead + method_id_size + sizer.size());
  detail::put_method(to, channel, method, sizer.size());
  return true;
}
bool append_method(std::string& out, std::uint16_t channel, const Method& method);

// Appends a whole message: a method that carries content, its header and its body frames. Returns
// false, and appends nothing, if the method is not encodable. `raw_properties` are encoded property
// flags and list.
template <class M>
bool append_message(std::string& out, std::uint16_t channel, const M& method,
                    std::string_view raw_properties, std::string_view body,
                    std::uint32_t frame_max);

std::string_view method_name(const Method& method);
// Returns "unknown" if there is no such method.
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
  // There is also room for a body frame, if there is exactly one.
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
