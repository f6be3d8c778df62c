// From the protocol header to connection.open-ok, and the methods of class connection.
#include <utility>

#include "session/login.hpp"
#include "session/session.hpp"

namespace haypile::session {

using amqp::ReplyCode;

namespace {

template <class M>
Fault decode(std::string_view arguments, M& method) {
  const amqp::DecodeError error = amqp::decode_arguments(arguments, method);
  if (error == amqp::DecodeError::none) return {};
  return malformed(M::name, error);
}

bool has_capability(amqp::TableView client_properties, std::string_view name) {
  const auto value = client_properties.find("capabilities");
  const auto capabilities = value ? value->as_table() : std::nullopt;
  if (!capabilities) return false;
  const auto capability = capabilities->find(name);
  return capability && capability->as_bool().value_or(false);
}

}  // namespace

// A peer that speaks anything else is told what is spoken here (4.2.2).
std::size_t Session::receive_protocol_header(std::string_view bytes) {
  const std::size_t size = std::min(bytes.size(), amqp::protocol_header.size());
  if (bytes.substr(0, size) != amqp::protocol_header.substr(0, size)) {
    link_.output() += amqp::protocol_header;
    finish("peer does not speak AMQP 0-9-1");
    return bytes.size();
  }
  if (size < amqp::protocol_header.size()) return 0;
  send_start();
  phase_ = Phase::start;
  return size;
}

void Session::send_start() {
  const amqp::Table capabilities{{"publisher_confirms", true},
                                 {"exchange_exchange_bindings", true},
                                 {"basic.nack", true},
                                 {"consumer_cancel_notify", true},
                                 {"connection.blocked", true},
                                 {"consumer_priorities", true},
                                 {"authentication_failure_close", true},
                                 {"per_consumer_qos", true},
                                 {"direct_reply_to", true}};
  const amqp::Table properties{{"product", link_.settings.product},
                               {"version", link_.settings.version},
                               {"platform", "C++"},
                               {"copyright", "Copyright (c) 2026 The Haypile authors"},
                               {"information", "Licensed under the MIT license"},
                               {"capabilities", capabilities}};
  amqp::append_method(link_.output(), 0,
                      amqp::connection::Start{.server_properties = properties.view(),
                                              .mechanisms = login_mechanisms,
                                              .locales = std::string_view("en_US")});
}

Fault Session::on_connection_method(std::string_view payload) {
  const amqp::MethodId id = amqp::peek_method_id(payload);
  const std::string_view arguments = payload.substr(std::min(payload.size(), std::size_t{4}));
  if (id == amqp::connection::Close::id) {
    amqp::connection::Close close;
    if (Fault fault = decode(arguments, close)) return fault;
    amqp::append_method(link_.output(), 0, amqp::connection::CloseOk{});
    finish({});
    closed_by_client_ = true;
    return {};
  }
  if (phase_ == Phase::start && id == amqp::connection::StartOk::id) return on_start_ok(arguments);
  if (phase_ == Phase::tune && id == amqp::connection::TuneOk::id) return on_tune_ok(arguments);
  if (phase_ == Phase::open && id == amqp::connection::Open::id) return on_open(arguments);
  if (phase_ == Phase::running && id == amqp::connection::UpdateSecret::id) {
    amqp::connection::UpdateSecret update;
    if (Fault fault = decode(arguments, update)) return fault;
    amqp::append_method(link_.output(), 0, amqp::connection::UpdateSecretOk{});
    return {};
  }
  return unexpected_method(payload);
}

Fault Session::unexpected_method(std::string_view payload) const {
  const amqp::MethodId id = amqp::peek_method_id(payload);
  if (payload.size() < amqp::method_id_size) return too_short_for_a_method();
  const std::string_view name = amqp::method_name(id);
  if (name == "unknown") return unknown_method(id);
  const bool running = phase_ == Phase::running;
  return {running ? ReplyCode::channel_error : ReplyCode::command_invalid,
          "unexpected method " + std::string(name) + " on channel 0" +
              (running ? "" : " before connection.open")};
}

Fault Session::on_start_ok(std::string_view arguments) {
  amqp::connection::StartOk method;
  if (Fault fault = decode(arguments, method)) return fault;
  if (!is_login_mechanism(method.mechanism)) {
    return {ReplyCode::command_invalid, "unknown mechanism '" + std::string(method.mechanism) +
                                            "', expected one of " + std::string(login_mechanisms)};
  }
  link_.wants_cancel_notify = has_capability(method.client_properties, "consumer_cancel_notify");
  link_.wants_blocked = has_capability(method.client_properties, "connection.blocked");
  const auto product = method.client_properties.find("product");
  link_.qos_is_for_channel =
      product && product->as_string() == "py-amqp" && link_.settings.product != product_rabbitmq;
  link_.wants_authentication_failure_close =
      has_capability(method.client_properties, "authentication_failure_close");
  const auto credentials = parse_login(method.mechanism, method.response);
  if (!credentials) return refuse_login("", method.mechanism);
  if (!link_.host.may_log_in(credentials->user, credentials->password)) {
    return refuse_login(std::string(credentials->user), method.mechanism);
  }
  link_.user = credentials->user;
  amqp::append_method(link_.output(), 0,
                      amqp::connection::Tune{.channel_max = link_.settings.channel_max,
                                             .frame_max = link_.settings.frame_max_bytes,
                                             .heartbeat = link_.settings.heartbeat_s});
  phase_ = Phase::tune;
  return {};
}

// A client that did not ask to be told finds the connection closed.
Fault Session::refuse_login(const std::string& user, std::string_view mechanism) {
  Fault fault{ReplyCode::access_refused, "login of user '" + user +
                                             "' was refused using authentication mechanism " +
                                             std::string(mechanism)};
  if (link_.wants_authentication_failure_close) return fault;
  finish(fault.text);
  return {};
}

Fault Session::on_tune_ok(std::string_view arguments) {
  amqp::connection::TuneOk method;
  if (Fault fault = decode(arguments, method)) return fault;
  const auto refuse = [](const char* what, std::uint64_t value, std::uint64_t min,
                         std::uint64_t max) {
    return Fault{ReplyCode::not_allowed, "negotiated " + std::string(what) + " = " +
                                             std::to_string(value) + " is not within " +
                                             std::to_string(min) + " to " + std::to_string(max)};
  };
  const Settings& offer = link_.settings;
  if (method.channel_max == 0 || method.channel_max > offer.channel_max) {
    return refuse("channel_max", method.channel_max, 1, offer.channel_max);
  }
  if (method.frame_max < amqp::frame_min_size || method.frame_max > offer.frame_max_bytes) {
    return refuse("frame_max", method.frame_max, amqp::frame_min_size, offer.frame_max_bytes);
  }
  channel_max_ = method.channel_max;
  link_.frame_max_bytes = method.frame_max;
  heartbeat_ = std::chrono::seconds(method.heartbeat);
  phase_ = Phase::open;
  return {};
}

Fault Session::on_open(std::string_view arguments) {
  amqp::connection::Open method;
  if (Fault fault = decode(arguments, method)) return fault;
  engine_ = link_.host.find_vhost(method.virtual_host);
  if (!engine_) {
    return {ReplyCode::not_allowed, "vhost '" + std::string(method.virtual_host) + "' not found"};
  }
  amqp::append_method(link_.output(), 0, amqp::connection::OpenOk{});
  phase_ = Phase::running;
  return {};
}

}  // namespace haypile::session
