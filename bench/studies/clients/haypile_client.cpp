#include "studies/clients/client.hpp"

#include <haypile/client.hpp>

namespace clients {

namespace {

class HaypileClient : public Client {
 public:
  explicit HaypileClient(std::uint16_t port)
      : connection_("amqp://127.0.0.1:" + std::to_string(port)), channel_(connection_.channel()) {
    channel_.queue_declare("bench", {.durable = true});
    channel_.confirm_select();
  }
  void publish(std::uint64_t count, std::uint64_t window, const std::string& body) override {
    for (std::uint64_t i = 0; i < count; ++i) {
      channel_.basic_publish("", "bench", body, {.delivery_mode = haypile::persistent});
      if (channel_.unconfirmed_count() >= window) channel_.wait_for_confirms(window / 2);
    }
    channel_.wait_for_confirms();
  }
  void consume(std::uint64_t count) override {
    channel_.basic_qos(1000);
    const std::string tag = channel_.basic_consume("bench", [&](const haypile::Message& message) {
      channel_.basic_ack(message.delivery_tag);
      if (--count == 0) channel_.stop_consuming();
    });
    channel_.start_consuming();
    channel_.basic_cancel(tag);
  }

 private:
  haypile::Connection connection_;
  haypile::Channel channel_;
};

}  // namespace

std::unique_ptr<Client> haypile_client(std::uint16_t port) {
  return std::make_unique<HaypileClient>(port);
}

}  // namespace clients
