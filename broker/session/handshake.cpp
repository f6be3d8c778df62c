#include "session/handshake.hpp"

#include <algorithm>
#include <utility>

#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/printable.hpp>
#include <haypile/amqp/table.hpp>

#include "session/login.hpp"

namespace haypile::session {

using amqp::ReplyCode;

namespace {

// A name of at most 128 characters, so that the rest of the reply text has room behind it.
std::string shown(std::string_view name) {
  return amqp::printable(name, 128);
}

template <class M>
Fault decode(std::string_view arguments, M& method) {
  const amqp::DecodeError error = amqp::decode_arguments(arguments, method);
  if (error == amqp::DecodeError::none) return {};
  return malformed(M::name, error);
}

bool has_capability(amqp::TableView client_properties, std::string_view name) {
  return client_properties.table("capabilities").get<bool>(name).value_or(false);
}

}  // namespace

// The states, and what moves to the next one:
// - header: the protocol header came, connection.start is sent -> start
// - start: start-ok came, and the host is asked -> login
// - login: the host has accepted, now or later, and tune is sent -> tune
// - tune: tune-ok came, from now on with its limits -> open
// - open: connection.open came, open-ok is sent -> opened
// A peer without AMQP 0-9-1, and the refused login of a client that does not ask to be told, lead
// to `refused`. A fault does not change the state: the session closes the connection.

// A peer that speaks anything else is sent the protocol header of this version (AMQP 0-9-1, 4.2.2).
std::size_t Handshake::receive_header(std::string_view bytes, std::string& out) {
  const std::size_t size = std::min(bytes.size(), amqp::protocol_header.size());
  if (bytes.substr(0, size) != amqp::protocol_header.substr(0, size)) {
    out += amqp::protocol_header;
    refuse("peer does not speak AMQP 0-9-1");
    return bytes.size();
  }
  if (size < amqp::protocol_header.size()) return 0;
  send_start(out);
  state_ = State::start;
  return size;
}

void Handshake::send_start(std::string& out) const {
  const amqp::Table capabilities{{"publisher_confirms", true},
                                 {"exchange_exchange_bindings", true},
                                 {"basic.nack", true},
                                 {"consumer_cancel_notify", true},
                                 {"connection.blocked", true},
                                 {"consumer_priorities", true},
                                 {"authentication_failure_close", true},
                                 {"per_consumer_qos", true},
                                 {"direct_reply_to", true}};
  const amqp::Table properties{{"product", settings_.product},
                               {"version", settings_.version},
                               {"platform", "C++"},
                               {"copyright", "Copyright (c) 2026 The Haypile authors"},
                               {"information", "Licensed under the MIT license"},
                               {"capabilities", capabilities}};
  amqp::append_method(out, 0,
                      amqp::connection::Start{.server_properties = properties.view(),
                                              .mechanisms = login_mechanisms,
                                              .locales = std::string_view("en_US")});
}

Fault Handshake::on_method(std::string_view payload, std::string& out) {
  const amqp::MethodId id = amqp::peek_method_id(payload);
  if (payload.size() < amqp::method_id_size) return too_short_for_a_method();
  const std::string_view arguments = payload.substr(amqp::method_id_size);
  if (state_ == State::start && id == amqp::connection::StartOk::id) {
    return on_start_ok(arguments, out);
  }
  if (state_ == State::tune && id == amqp::connection::TuneOk::id) return on_tune_ok(arguments);
  if (state_ == State::open && id == amqp::connection::Open::id) return on_open(arguments, out);
  const std::string_view name = amqp::method_name(id);
  if (name == "unknown") return unknown_method(id);
  return {ReplyCode::command_invalid,
          "unexpected method " + std::string(name) + " on channel 0 before connection.open"};
}

Fault Handshake::on_start_ok(std::string_view arguments, std::string& out) {
  amqp::connection::StartOk method;
  if (Fault fault = decode(arguments, method)) return fault;
  if (!is_login_mechanism(method.mechanism)) {
    return {ReplyCode::command_invalid, "unknown mechanism '" + shown(method.mechanism) +
                                            "', expected one of " + std::string(login_mechanisms)};
  }
  const amqp::TableView properties = method.client_properties;
  opened_.wants_cancel_notify = has_capability(properties, "consumer_cancel_notify");
  opened_.wants_blocked = has_capability(properties, "connection.blocked");
  const auto product = properties.find("product");
  opened_.qos_is_for_channel =
      product && product->as_string() == "py-amqp" && settings_.product != product_rabbitmq;
  wants_authentication_failure_close_ = has_capability(properties, "authentication_failure_close");
  mechanism_ = method.mechanism;
  const auto credentials = parse_login(method.mechanism, method.response);
  if (!credentials) return refuse_login();
  opened_.user = credentials->user;
  state_ = State::login;
  const LoginAnswer answer = host_.log_in(credentials->user, credentials->password);
  return answer == LoginAnswer::later ? Fault{}
                                      : login_answered(answer == LoginAnswer::accepted, out);
}

Fault Handshake::login_answered(bool is_accepted, std::string& out) {
  if (state_ != State::login) return {};
  if (!is_accepted) return refuse_login();
  amqp::append_method(out, 0,
                      amqp::connection::Tune{.channel_max = settings_.channel_max,
                                             .frame_max = settings_.frame_max_bytes,
                                             .heartbeat = settings_.heartbeat_s});
  state_ = State::tune;
  return {};
}

// A client without the capability authentication_failure_close is told nothing: its connection is
// closed without a close method.
Fault Handshake::refuse_login() {
  Fault fault{ReplyCode::access_refused, "Login was refused using authentication mechanism " +
                                             mechanism_ + ": user '" + shown(opened_.user) + "'"};
  opened_.user.clear();
  if (wants_authentication_failure_close_) return fault;
  refuse(std::move(fault.text));
  return {};
}

void Handshake::refuse(std::string reason) {
  reason_ = std::move(reason);
  state_ = State::refused;
}

Fault Handshake::on_tune_ok(std::string_view arguments) {
  amqp::connection::TuneOk method;
  if (Fault fault = decode(arguments, method)) return fault;
  const auto refused = [](const char* what, std::uint64_t value, std::uint64_t min,
                          std::uint64_t max) {
    const std::string which = value > max ? " is higher than the maximum allowed value ("
                                          : " is lower than the minimum allowed value (";
    return Fault{ReplyCode::not_allowed, "negotiated " + std::string(what) + " = " +
                                             std::to_string(value) + which +
                                             std::to_string(value > max ? max : min) + ")"};
  };
  if (method.channel_max == 0 || method.channel_max > settings_.channel_max) {
    return refused("channel_max", method.channel_max, 1, settings_.channel_max);
  }
  if (method.frame_max < amqp::frame_min_size || method.frame_max > settings_.frame_max_bytes) {
    return refused("frame_max", method.frame_max, amqp::frame_min_size, settings_.frame_max_bytes);
  }
  opened_.channel_max = method.channel_max;
  opened_.frame_max_bytes = method.frame_max;
  opened_.heartbeat = std::chrono::seconds(method.heartbeat);
  state_ = State::open;
  return {};
}

Fault Handshake::on_open(std::string_view arguments, std::string& out) {
  amqp::connection::Open method;
  if (Fault fault = decode(arguments, method)) return fault;
  opened_.engine = host_.find_vhost(method.virtual_host);
  if (!opened_.engine) {
    return {ReplyCode::not_allowed, "vhost " + shown(method.virtual_host) + " not found"};
  }
  amqp::append_method(out, 0, amqp::connection::OpenOk{});
  state_ = State::opened;
  return {};
}

}  // namespace haypile::session
