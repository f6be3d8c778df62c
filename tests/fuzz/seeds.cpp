// Writes the inputs with which fuzzing begins if there is no corpus: `seeds DIRECTORY` makes
// DIRECTORY/TARGET/ for each target. The repository's corpus/ comes from these and from fuzzing.
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

#include "fuzz/session_world.hpp"
#include "fuzz/support.hpp"

namespace {

using namespace haypile;

std::filesystem::path target_directory;
int seed_count = 0;

void begin(const std::filesystem::path& root, const char* target) {
  target_directory = root / target;
  seed_count = 0;
  std::filesystem::create_directories(target_directory);
}

void seed(std::string_view prefix, std::string_view bytes) {
  const std::string name = "seed-" + std::to_string(++seed_count);
  std::ofstream(target_directory / name, std::ios::binary) << prefix << bytes;
}

std::string byte(int value) {
  return std::string(1, static_cast<char>(value));
}

template <class... Methods>
std::string methods(std::uint16_t channel, const Methods&... all) {
  std::string bytes;
  (amqp::append_method(bytes, channel, all), ...);
  return bytes;
}

std::string raw_properties(bool many) {
  static const amqp::Table headers{
      {"CC", std::vector<amqp::Value>{"a", "few"}}, {"n", 1}, {"d", 1.5}, {"t", true}};
  amqp::Properties properties{.delivery_mode = amqp::delivery_mode_persistent};
  if (many) {
    properties.content_type = "text/plain";
    properties.headers = headers.view();
    properties.priority = 2;
    properties.correlation_id = "7";
    properties.expiration = "15";
    properties.timestamp = amqp::Timestamp{1'700'000'000};
  }
  std::string raw;
  amqp::append_properties(raw, properties);
  return raw;
}

template <class M>
std::string message(const M& method, std::string_view body, bool many = false,
                    std::uint32_t frame_max = 20) {
  std::string bytes;
  amqp::append_message(bytes, 1, method, raw_properties(many), body, frame_max);
  return bytes;
}

std::string publish(std::string_view exchange, std::string_view key, bool many = false,
                    std::string_view body = "a body in frames") {
  return message(amqp::basic::Publish{.exchange = exchange, .routing_key = key, .mandatory = true},
                 body, many);
}

void seed_frames() {
  std::string bytes;
  amqp::append_heartbeat(bytes);
  bytes += publish("e", "k", true) + publish("", "q", false, "");
  for (const int frame_max : {0, 4, 6}) {
    for (const int cut : {0, 1, 9})
      seed(byte(frame_max) + byte(cut), bytes);
  }
}

template <std::size_t index = 0>
void seed_methods() {
  const auto payload_of = [](const auto& method) {
    const std::string frame = methods(1, method);
    return frame.substr(amqp::frame_header_size, frame.size() - amqp::frame_overhead);
  };
  seed(byte(0), payload_of(std::variant_alternative_t<index, amqp::Method>{}));
  if constexpr (index + 1 < std::variant_size_v<amqp::Method>) seed_methods<index + 1>();
}

void seed_tables() {
  const amqp::Table inner{{"d", 0.5}, {"T", amqp::Timestamp{5}}, {"V", nullptr}};
  const amqp::Table table{{"l", std::int64_t{1} << 40},
                          {"S", "text"},
                          {"F", inner},
                          {"A", std::vector<amqp::Value>{1, "two", inner}},
                          {"D", amqp::Decimal{2, 314}},
                          {"x", amqp::Value::binary("bytes")}};
  seed(byte(2), table.bytes());
  for (const std::string_view tag : {"b1", "B1", "s12", "u12", "i1234", "L12345678", "f1234"})
    seed(byte(2), "\1k" + std::string(tag));
  for (const bool many : {false, true}) {
    seed(byte(1), raw_properties(many));
    const std::string_view fixed("\0\x3c\0\0\0\0\0\0\0\0\0\5", 12);
    seed(byte(3), std::string(fixed) + raw_properties(many));
  }
  seed(byte(4), std::string_view("\0guest\0guest", 12));
  seed(byte(4), amqp::Table{{"LOGIN", "guest"}, {"PASSWORD", "guest"}}.bytes());
  seed(byte(5), "86400000");
}

std::string login_with(std::string_view mechanism, std::string_view response,
                       std::uint32_t frame_max) {
  std::string bytes(amqp::protocol_header);
  bytes += methods(
      0, amqp::connection::StartOk{.mechanism = mechanism, .response = response, .locale = "en_US"},
      amqp::connection::TuneOk{.channel_max = 9, .frame_max = frame_max},
      amqp::connection::Open{.virtual_host = "/"});
  return bytes;
}

void seed_sessions() {
  using namespace amqp;
  const auto both = [](int flags, const std::string& bytes) {
    for (const int cut : {0, 3})
      seed(byte(flags) + byte(cut), bytes);
    seed(byte(flags | 2) + byte(7), bytes);
  };
  const std::string goodbye = methods(0, connection::Close{.reply_code = 200});
  both(0, fuzz::login() + publish("", "a") + goodbye);
  both(0, std::string("AMQP\1\1\0\x0a", 8));
  const Table login{{"LOGIN", "guest"}, {"PASSWORD", "guest"}};
  both(0, login_with("AMQPLAIN", login.bytes(), 4096));
  both(0, login_with("AMQPLAIN", login.bytes(), 1));
  both(0, login_with("PLAIN", std::string_view("\0guest\0wrong", 12), 4096));
  both(1, fuzz::topology() + methods(1, channel::Close{}) + methods(1, channel::Open{}));
  both(5, publish("f", "") + publish("", "levels", true) + publish("", "nowhere") +
              methods(2, basic::Ack{.delivery_tag = 1}, basic::Nack{.delivery_tag = 2},
                      basic::Cancel{.consumer_tag = "c"}, basic::Recover{.requeue = true}));
  both(1, publish("", "few") + publish("", "few", true) + publish("t", "k.x.y") + publish("h", "") +
              publish("", "few") + publish("", "few") +
              methods(1, basic::Get{.queue = "few"}, basic::Reject{.delivery_tag = 1},
                      basic::Get{.queue = "a", .no_ack = true}, queue::Purge{.queue = "few"},
                      queue::Delete{.queue = "a"}, exchange::Delete{.exchange = "f"}));
  both(1, methods(1, tx::Select{}) + publish("", "full") + publish("", "x") +
              methods(1, tx::Commit{}, basic::Get{.queue = "full"}) + publish("", "once") +
              methods(1, basic::Ack{.delivery_tag = 1}, tx::Rollback{}, tx::Commit{}));
  both(1, methods(1, basic::Consume{.queue = "once", .consumer_tag = "e"}) + publish("", "once") +
              methods(1, basic::Nack{.delivery_tag = 1, .requeue = true},
                      basic::Nack{.delivery_tag = 2, .requeue = true},
                      basic::Nack{.delivery_tag = 3, .requeue = true}));
  both(1, methods(1, queue::Declare{.exclusive = true, .auto_delete = true},
                  queue::Bind{.exchange = "amq.direct", .routing_key = "k"},
                  exchange::Declare{.exchange = "e2", .type = "direct", .auto_delete = true},
                  exchange::Bind{.destination = "e2", .source = "amq.topic", .routing_key = "#"},
                  queue::Unbind{.exchange = "amq.direct", .routing_key = "k"},
                  exchange::Unbind{.destination = "e2", .source = "amq.topic", .routing_key = "#"},
                  basic::Qos{.prefetch_count = 1, .global = true}, channel::Flow{.active = true}) +
              publish("amq.topic", "k"));
  both(1, methods(1,
                  basic::Consume{
                      .queue = "amq.rabbitmq.reply-to", .consumer_tag = "r", .no_ack = true}) +
              publish("", "amq.rabbitmq.reply-to.unique-1") + publish("", "t", true));
  both(5, publish("", "full") + publish("", "full") + publish("", "full") + publish("", "full"));
  std::string bindings;
  for (const std::string_view key : {"a.b.c", "a.b.d.e", "a.*", "a.#.d", "#.#", "a.b.c.d.e.f"})
    bindings += methods(1, queue::Bind{.queue = "a", .exchange = "t", .routing_key = key});
  both(1, bindings + publish("t", "a.b.c") + publish("t", "a.b.c.d.e.f") +
              methods(1, queue::Unbind{.queue = "a", .exchange = "t", .routing_key = "a.b.d.e"},
                      access::Request{}, exchange::Declare{.exchange = "t", .type = "direct"}));
}

void seed_clients() {
  using namespace amqp;
  const auto both = [](int flags, const std::string& bytes) {
    for (const int cut : {0, 3})
      seed(byte(flags) + byte(cut), bytes);
  };
  const std::string handshake = methods(
      0,
      connection::Start{.mechanisms = std::string_view("PLAIN"),
                        .locales = std::string_view("en_US")},
      connection::Tune{.channel_max = 9, .frame_max = 8192, .heartbeat = 1}, connection::OpenOk{});
  const std::string end = methods(0, connection::Close{.reply_code = 320, .reply_text = "stop"});
  both(0, handshake + end);
  both(0, std::string("AMQP\0\0\x09\1", 8));
  const std::string deliveries =
      message(basic::Deliver{.consumer_tag = "c", .delivery_tag = 1, .routing_key = "q"}, "body") +
      message(basic::Return{.reply_code = 312, .reply_text = "NO_ROUTE"}, "back", true) +
      message(basic::GetOk{.delivery_tag = 2, .redelivered = true, .message_count = 4}, "", true);
  both(1,
       deliveries + methods(1, basic::Cancel{.consumer_tag = "c"}, channel::Flow{.active = true}));
  both(1, methods(1, basic::Ack{.delivery_tag = 3}, basic::Ack{.delivery_tag = 2},
                  basic::Nack{.delivery_tag = 9, .multiple = true}) +
              methods(0, connection::Blocked{.reason = "memory"}, connection::Unblocked{}));
  both(1, methods(2, queue::DeclareOk{.queue = "q", .message_count = 1}) +
              methods(1, channel::Close{.reply_code = 404, .reply_text = "no", .class_id = 50}));
  both(3, methods(3, basic::GetEmpty{}, channel::Close{}, channel::CloseOk{}) + deliveries);
  both(5, deliveries + methods(0, connection::CloseOk{}) + deliveries);
  both(8, handshake);
}

// Programs of random operations, followed by changes.
void seed_logs() {
  for (unsigned number = 0; number < 40; ++number) {
    fuzz::Random random(number + 1);
    std::string bytes = byte(static_cast<int>(number % 8));
    for (unsigned i = 0; i < 20 + number * 5; ++i)
      bytes += byte(static_cast<int>(random.below(255)));
    bytes += byte(0xFF);
    for (unsigned i = 0; i < number % 4 * 6; ++i)
      bytes += byte(static_cast<int>(random.below(256)));
    seed("", bytes);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path root = argv[1];
  begin(root, "frames");
  seed_frames();
  begin(root, "methods");
  seed_methods();
  seed_tables();
  begin(root, "session");
  seed_sessions();
  begin(root, "client");
  seed_clients();
  begin(root, "recovery");
  seed_logs();
}
