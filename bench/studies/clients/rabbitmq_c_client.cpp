#include "studies/clients/client.hpp"

#include <chrono>
#include <stdexcept>

#include <amqp.h>
#include <amqp_tcp_socket.h>

namespace clients {

namespace {

amqp_bytes_t bytes_of(const std::string& text) {
  return {text.size(), const_cast<char*>(text.data())};
}

class RabbitmqC : public Client {
 public:
  explicit RabbitmqC(std::uint16_t port) : connection_(amqp_new_connection()) {
    amqp_socket_t* const socket = amqp_tcp_socket_new(connection_);
    if (!socket || amqp_socket_open(socket, "127.0.0.1", port) != 0) {
      throw std::runtime_error("rabbitmq-c: no connection");
    }
    check(amqp_login(connection_, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    amqp_channel_open(connection_, 1);
    check();
    amqp_queue_declare(connection_, 1, bytes_of(queue_), 0, 1, 0, 0, amqp_empty_table);
    check();
    amqp_confirm_select(connection_, 1);
    check();
  }
  ~RabbitmqC() override {
    amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection_);
  }
  RabbitmqC(const RabbitmqC&) = delete;
  RabbitmqC& operator=(const RabbitmqC&) = delete;

  void publish(std::uint64_t count, std::uint64_t window, const std::string& body) override {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = 2;
    std::uint64_t confirmed = 0;
    for (std::uint64_t i = 1; i <= count; ++i) {
      if (amqp_basic_publish(connection_, 1, amqp_empty_bytes, bytes_of(queue_), 0, 0, &properties,
                             bytes_of(body)) != AMQP_STATUS_OK) {
        throw std::runtime_error("rabbitmq-c: publish");
      }
      const std::uint64_t wanted = i - confirmed < window ? confirmed : i - window / 2;
      while (confirmed < wanted)
        confirmed = next_confirm(confirmed);
    }
    while (confirmed < count)
      confirmed = next_confirm(confirmed);
    first_ += count;
  }
  void consume(std::uint64_t count) override {
    amqp_basic_qos(connection_, 1, 0, 1000, 0);
    check();
    amqp_basic_consume(connection_, 1, bytes_of(queue_), bytes_of(tag_), 0, 0, 0, amqp_empty_table);
    check();
    for (; count > 0; --count) {
      amqp_maybe_release_buffers(connection_);
      amqp_envelope_t envelope;
      check(amqp_consume_message(connection_, &envelope, nullptr, 0));
      amqp_basic_ack(connection_, 1, envelope.delivery_tag, 0);
      amqp_destroy_envelope(&envelope);
    }
    amqp_basic_cancel(connection_, 1, bytes_of(tag_));
    check();
  }

 private:
  void check() { check(amqp_get_rpc_reply(connection_)); }
  static void check(const amqp_rpc_reply_t& reply) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error("rabbitmq-c: refused");
  }
  // Returns how many messages of this round are confirmed now. Haypile confirms in order.
  std::uint64_t next_confirm(std::uint64_t confirmed) {
    amqp_maybe_release_buffers(connection_);
    amqp_frame_t frame;
    if (amqp_simple_wait_frame(connection_, &frame) != AMQP_STATUS_OK) {
      throw std::runtime_error("rabbitmq-c: no confirm");
    }
    if (frame.frame_type != AMQP_FRAME_METHOD) return confirmed;
    if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) return confirmed;
    const auto* const ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    return ack->delivery_tag - first_;
  }

  const std::string queue_ = "bench";
  const std::string tag_ = "c";
  amqp_connection_state_t connection_;
  std::uint64_t first_ = 0;  // the number of the last message before this round
};

}  // namespace

std::unique_ptr<Client> rabbitmq_c_client(std::uint16_t port) {
  return std::make_unique<RabbitmqC>(port);
}

}  // namespace clients
