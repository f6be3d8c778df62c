// Tests of the client library with a broker: the one that HAYPILE_TEST_URI names, or a Haypile in
// this process. RabbitMQ has to pass them as well as Haypile.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <haypile/broker.hpp>
#include <haypile/client.hpp>

using namespace haypile;
using namespace std::chrono_literals;

namespace {

std::string broker_uri() {
  if (const char* uri = std::getenv("HAYPILE_TEST_URI")) return uri;
  static Broker broker;
  static const std::uint16_t port = broker.listen("127.0.0.1", 0);
  return "amqp://127.0.0.1:" + std::to_string(port);
}

// A name for things that outlive a connection: the broker may have things of an earlier run.
std::string unique_name() {
  static const auto run = std::chrono::steady_clock::now().time_since_epoch().count();
  static int count = 0;
  return "haypile.acceptance." + std::to_string(run) + "." + std::to_string(++count);
}

struct Session {
  explicit Session(const ConnectionOptions& options = ConnectionOptions::from_uri(broker_uri()))
      : connection(options) {}

  Connection connection;
  Channel channel = connection.channel();
  // The queue is deleted with the connection.
  std::string queue = channel.queue_declare("", {.exclusive = true}).name;
};

// Deliveries may take a moment.
void consume_until(Channel& channel, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!done() && std::chrono::steady_clock::now() < deadline)
    channel.consume_for(5ms);
  REQUIRE(done());
}

// What was published without a confirm may take a moment, too.
Message get(Channel& channel, const std::string& queue, bool no_ack = false) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  std::optional<Message> got;
  while (!got && std::chrono::steady_clock::now() < deadline)
    got = channel.basic_get(queue, no_ack);
  REQUIRE(got);
  return std::move(*got);
}

template <class Act>
void refused(std::uint16_t code, const std::string& part_of_text, const std::string& method,
             Act&& act) {
  try {
    act();
    FAIL("was not refused");
  } catch (const ChannelClosed& closed) {
    CHECK(closed.reply_code == code);
    CHECK(closed.method_name == method);
    INFO(std::string(closed.what()));
    CHECK(std::string(closed.what()).find(part_of_text) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("publish and get, with every property") {
  Session session;
  const amqp::Table headers{{"text", "s"}, {"number", 42}, {"nested", amqp::Table{{"a", true}}}};
  const Properties sent{.content_type = "text/plain",
                        .content_encoding = "utf-8",
                        .headers = headers.view(),
                        .delivery_mode = persistent,
                        .priority = 3,
                        .correlation_id = "c",
                        .reply_to = "r",
                        .message_id = "m",
                        .timestamp = amqp::Timestamp{1700000000},
                        .type = "t",
                        .user_id = "guest",
                        .app_id = "a"};
  session.channel.basic_publish("", session.queue, "body", sent);
  const Message got = get(session.channel, session.queue);
  CHECK(got.body() == "body");
  CHECK(got.exchange().empty());
  CHECK(got.routing_key() == session.queue);
  CHECK_FALSE(got.redelivered);
  CHECK(got.message_count == 0);
  const Properties properties = got.properties();
  REQUIRE(properties.headers);
  CHECK(properties.headers->find("number")->as_int64() == 42);
  CHECK(properties.content_type == "text/plain");
  CHECK(properties.delivery_mode == persistent);
  CHECK(properties.timestamp == amqp::Timestamp{1700000000});
  CHECK(properties.user_id == "guest");
  session.channel.basic_ack(got.delivery_tag);
  CHECK_FALSE(session.channel.basic_get(session.queue));
}

TEST_CASE("bodies of every size around a frame come back as they were") {
  Session session;
  for (const std::size_t size : {0u, 1u, 4087u, 4088u, 131063u, 131064u, 131065u, 1000000u}) {
    CAPTURE(size);
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; ++i)
      body[i] = static_cast<char>(i * 7);
    session.channel.basic_publish("", session.queue, body);
    CHECK(get(session.channel, session.queue, true).body() == body);
  }
}

TEST_CASE("small frames are agreed upon") {
  ConnectionOptions options = ConnectionOptions::from_uri(broker_uri());
  options.frame_max_bytes = 4096;
  Session session(options);
  const std::string body(50000, 'b');
  session.channel.basic_publish("", session.queue, body);
  CHECK(get(session.channel, session.queue, true).body() == body);
}

TEST_CASE("confirms: all that was published is confirmed") {
  Session session;
  session.channel.confirm_select();
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    CHECK(session.channel.basic_publish("", session.queue, "m") == i);
    CHECK(session.channel.wait_for_confirms(100));
    CHECK(session.channel.unconfirmed_count() <= 100);
  }
  CHECK(session.channel.wait_for_confirms());
  CHECK(session.channel.unconfirmed_count() == 0);
  const QueueInfo info = session.channel.queue_declare(session.queue, {.passive = true});
  CHECK(info.message_count == 1000);
  CHECK(session.channel.queue_purge(session.queue) == 1000);
}

TEST_CASE("a mandatory message without a queue comes back") {
  Session session;
  std::vector<std::string> returned;
  session.channel.on_return([&](const Message& message) {
    CHECK(message.reply_code == 312);
    CHECK(message.reply_text() == "NO_ROUTE");
    CHECK(message.routing_key() == "haypile.absent");
    returned.emplace_back(message.body());
  });
  session.channel.confirm_select();
  session.channel.basic_publish("", "haypile.absent", "lost", {}, true);
  CHECK(session.channel.wait_for_confirms());  // routed nowhere is not refused
  CHECK(returned == std::vector<std::string>{"lost"});
}

TEST_CASE("consume: in order, acknowledged one by one") {
  Session session;
  session.channel.basic_qos(1);
  std::string seen;
  const std::string tag = session.channel.basic_consume(session.queue, [&](const Message& task) {
    seen += task.body();
    session.channel.basic_ack(task.delivery_tag);
    if (seen.size() == 5) session.channel.stop_consuming();
  });
  CHECK_FALSE(tag.empty());
  for (const char* task : {"1", "2", "3", "4", "5"})
    session.channel.basic_publish("", session.queue, task);
  session.channel.start_consuming();
  CHECK(seen == "12345");
  session.channel.basic_cancel(tag);
  CHECK(session.channel.queue_declare(session.queue, {.passive = true}).consumer_count == 0);
}

TEST_CASE("two workers take turns") {
  Session session;
  Channel second = session.connection.channel();
  std::string of_first;
  std::string of_second;
  session.channel.basic_consume(session.queue, [&](const Message& m) { of_first += m.body(); });
  second.basic_consume(session.queue, [&](const Message& m) { of_second += m.body(); });
  for (const char* task : {"1", "2", "3", "4", "5"})
    session.channel.basic_publish("", session.queue, task);
  consume_until(session.channel, [&] { return of_first.size() == 3; });
  consume_until(second, [&] { return of_second.size() == 2; });
  CHECK(of_first == "135");
  CHECK(of_second == "24");
}

TEST_CASE("fair dispatch: a busy worker gets nothing more while another is free") {
  Session session;
  Channel quick = session.connection.channel();
  session.channel.basic_qos(1);
  quick.basic_qos(1);
  std::string of_busy;
  std::string of_quick;
  session.channel.basic_consume(session.queue, [&](const Message& m) { of_busy += m.body(); });
  for (const char* task : {"1", "2", "3", "4", "5"})
    session.channel.basic_publish("", session.queue, task);
  consume_until(session.channel, [&] { return !of_busy.empty(); });
  quick.basic_consume(session.queue, [&](const Message& m) {
    of_quick += m.body();
    quick.basic_ack(m.delivery_tag);
  });
  consume_until(quick, [&] { return of_quick.size() == 4; });
  CHECK(of_busy == "1");
  CHECK(of_quick == "2345");
}

TEST_CASE("rejected and given back: redelivered, in its old place") {
  Session session;
  session.channel.confirm_select();
  session.channel.basic_publish("", session.queue, "a");
  session.channel.basic_publish("", session.queue, "b");
  session.channel.wait_for_confirms();
  const auto first = session.channel.basic_get(session.queue);
  REQUIRE(first);
  session.channel.basic_nack(first->delivery_tag);
  const auto again = session.channel.basic_get(session.queue);
  REQUIRE(again);
  CHECK(again->body() == "a");
  CHECK(again->redelivered);
  session.channel.basic_reject(again->delivery_tag, false);
  const auto second = session.channel.basic_get(session.queue);
  REQUIRE(second);
  CHECK(second->body() == "b");
  session.channel.basic_recover();
  const auto third = session.channel.basic_get(session.queue);
  REQUIRE(third);
  CHECK(third->body() == "b");
  CHECK(third->redelivered);
}

TEST_CASE("what a lost connection had goes to another") {
  const std::string queue = unique_name();
  Connection connection(broker_uri());
  Channel channel = connection.channel();
  channel.queue_declare(queue);
  channel.basic_publish("", queue, "task");
  {
    Connection dying(broker_uri());
    Channel dying_channel = dying.channel();
    std::string seen;
    dying_channel.basic_consume(queue, [&](const Message& m) { seen += m.body(); });
    consume_until(dying_channel, [&] { return seen == "task"; });
  }
  const Message back = get(channel, queue);
  CHECK(back.redelivered);
  channel.basic_ack(back.delivery_tag);
  channel.queue_delete(queue);
}

TEST_CASE("exchanges: direct, fanout, topic, headers, and one bound to another") {
  Session session;
  Channel& channel = session.channel;
  const std::string name = unique_name();
  for (const char* type : {"direct", "fanout", "topic", "headers"})
    channel.exchange_declare(name + type, type, {.auto_delete = true});
  channel.queue_bind(session.queue, name + "direct", "key");
  channel.queue_bind(session.queue, name + "topic", "a.*.#");
  channel.queue_bind(session.queue, name + "headers", "",
                     amqp::Table{{"x-match", "all"}, {"kind", "hay"}});
  channel.exchange_bind(name + "direct", name + "fanout");
  channel.confirm_select();
  const amqp::Table hay{{"kind", "hay"}};
  channel.basic_publish(name + "direct", "key", "1");
  channel.basic_publish(name + "direct", "other", "not");
  channel.basic_publish(name + "topic", "a.b.c.d", "2");
  channel.basic_publish(name + "topic", "a", "not");
  channel.basic_publish(name + "headers", "", "3", {.headers = hay.view()});
  channel.basic_publish(name + "headers", "", "not");
  channel.basic_publish(name + "fanout", "key", "4");
  CHECK(channel.wait_for_confirms());
  std::string got;
  while (const auto message = channel.basic_get(session.queue, true))
    got += message->body();
  CHECK(got == "1234");
  channel.exchange_unbind(name + "direct", name + "fanout");
  channel.queue_unbind(session.queue, name + "direct", "key");
  for (const char* type : {"direct", "fanout", "topic", "headers"})
    channel.exchange_delete(name + type);
}

TEST_CASE("refusals close the channel with code and text, the connection goes on") {
  Session session;
  const auto on_new_channel = [&](auto&& act) {
    return [&, act] {
      Channel channel = session.connection.channel();
      act(channel);
    };
  };
  refused(404, "haypile.absent", "queue.declare", on_new_channel([](Channel& channel) {
            channel.queue_declare("haypile.absent", {.passive = true});
          }));
  refused(404, "haypile.absent", "basic.consume", on_new_channel([](Channel& channel) {
            channel.basic_consume("haypile.absent", [](const Message&) {});
          }));
  refused(406, "durable", "queue.declare", on_new_channel([&](Channel& channel) {
            const std::string queue = unique_name();
            channel.queue_declare(queue, {.auto_delete = true});
            channel.basic_consume(queue, [](const Message&) {});  // deleted with the channel
            channel.queue_declare(queue, {.durable = true, .auto_delete = true});
          }));
  refused(406, "unknown delivery tag", "basic.ack", on_new_channel([](Channel& channel) {
            channel.basic_ack(99);
            channel.queue_declare("", {.exclusive = true});
            channel.queue_declare("", {.exclusive = true});
          }));
  refused(404, "haypile.absent", "basic.publish", on_new_channel([](Channel& channel) {
            channel.confirm_select();
            channel.basic_publish("haypile.absent", "", "x");
            channel.wait_for_confirms();
          }));
  CHECK(session.connection.is_open());
  CHECK(session.channel.queue_declare(session.queue, {.passive = true}).message_count == 0);
}

TEST_CASE("an exclusive queue is not durable, whatever is asked for") {
  Session session;
  const std::string queue = unique_name();
  session.channel.queue_declare(queue, {.durable = true, .exclusive = true});
  CHECK(session.channel.queue_declare(queue, {.exclusive = true}).name == queue);
}

TEST_CASE("a consumer is told when its queue is deleted") {
  Session session;
  const std::string queue = session.channel.queue_declare("", {.exclusive = true}).name;
  session.channel.basic_consume(queue, [](const Message&) {});
  session.channel.queue_delete(queue);
  session.channel.start_consuming();  // no consumer is left
}

TEST_CASE("wrong logins and vhosts are refused with a reason") {
  ConnectionOptions options = ConnectionOptions::from_uri(broker_uri());
  options.password = "wrong";
  try {
    Connection refused_login(options);
    FAIL("was let in");
  } catch (const ConnectionClosed& closed) {
    CHECK(closed.reply_code == 403);
  }
  options = ConnectionOptions::from_uri(broker_uri());
  options.virtual_host = "absent";
  try {
    Connection refused_vhost(options);
    FAIL("was let in");
  } catch (const ConnectionClosed& closed) {
    CHECK(closed.reply_code == 530);
  }
}

TEST_CASE("heartbeats keep a connection open while a callback works") {
  ConnectionOptions options = ConnectionOptions::from_uri(broker_uri());
  options.heartbeat_s = 1;
  Session session(options);
  std::this_thread::sleep_for(4s);  // as in a callback
  CHECK(session.channel.queue_declare(session.queue, {.passive = true}).message_count == 0);
}
