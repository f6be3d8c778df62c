// The blocking client with a broker that behaves badly, or not at all.
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include "client/socket_peer.hpp"

using namespace haypile;
using namespace std::chrono_literals;

namespace {

// The code with which a call fails because its connection has ended.
template <class Call>
int connection_closed_with(Call&& call) {
  try {
    call();
  } catch (const ConnectionClosed& closed) {
    return closed.reply_code;
  }
  FAIL("the call did not throw");
  return -1;
}

template <class Object>
Object moved_out_of(Object& object) {
  return std::move(object);
}

// Publishes until the client does not take more. Returns how many messages it has taken.
std::size_t publish_until_timed_out(Channel& channel, const std::string& body) {
  for (std::size_t count = 0;; ++count) {
    try {
      channel.basic_publish("", "q", body);
    } catch (const TimedOut&) {
      return count;
    }
  }
}

}  // namespace

TEST_CASE("a program that only publishes is told of a lost connection by the next call") {
  SocketPeer peer;
  Connection connection = peer.connect();
  Channel channel = peer.open_channel(connection);
  channel.basic_publish("", "q", "m");
  CHECK(peer.expect_publish(1) == "m");
  SUBCASE("that was cut") {
    peer.hang_up();
    CHECK(connection_closed_with([&] { channel.basic_publish("", "q", "m"); }) == 0);
  }
  SUBCASE("that the broker has closed, with its reason") {
    peer.send(0, amqp::connection::Close{.reply_code = 320, .reply_text = "bye"});
    CHECK(connection_closed_with([&] { channel.basic_publish("", "q", "m"); }) == 320);
    peer.expect<amqp::connection::CloseOk>(0);
  }
  SUBCASE("by asking") {
    peer.hang_up();
    CHECK_FALSE(channel.is_open());
  }
  CHECK_FALSE(connection.is_open());
  CHECK_FALSE(channel.is_open());
  CHECK(connection_closed_with([&] { channel.basic_ack(1); }) >= 0);
  CHECK(connection_closed_with([&] { channel.queue_declare("q"); }) >= 0);
}

TEST_CASE("a channel that the broker has closed is told by the next call") {
  SocketPeer peer;
  Connection connection = peer.connect();
  Channel channel = peer.open_channel(connection);
  peer.send(1, amqp::channel::Close{.reply_code = 404, .reply_text = "NOT_FOUND"});
  CHECK_THROWS_AS(channel.basic_publish("absent", "q", "m"), ChannelClosed);
  CHECK_FALSE(channel.is_open());
  CHECK(connection.is_open());
  peer.expect<amqp::channel::CloseOk>(1);
  // Its number is free, and both objects are used side by side.
  Channel next = peer.open_channel(connection, 1);
  CHECK(next.is_open());
  CHECK_FALSE(channel.is_open());
}

TEST_CASE("the broker's goodbye is answered, also if the program only asks how things are") {
  SocketPeer peer;
  Connection connection = peer.connect();
  peer.send(0, amqp::connection::Close{.reply_code = 320});
  CHECK_FALSE(connection.is_open());
  peer.expect<amqp::connection::CloseOk>(0);
}

TEST_CASE("a broker that breaks the protocol is told") {
  SocketPeer peer;
  Connection connection = peer.connect();
  peer.send(3, amqp::basic::GetEmpty{});
  CHECK_FALSE(connection.is_open());
  CHECK(peer.expect<amqp::connection::Close>(0).reply_code == 504);
}

TEST_CASE("publishing waits for room no longer than its limit, and then nothing was sent") {
  SocketPeer peer;
  Connection connection = peer.connect({.publish_timeout = 20ms});
  Channel channel = peer.open_channel(connection);
  std::string body(3000, 'b');
  SUBCASE("small messages") {}
  SUBCASE("messages of many frames") {
    body.resize(1'000'000, 'b');
  }
  const std::size_t count = publish_until_timed_out(channel, body);
  CHECK(connection.is_open());
  for (std::size_t i = 0; i < count; ++i)
    CHECK(peer.expect_publish(1) == body);
  // It goes on where it was.
  channel.basic_publish("", "q", "next");
  CHECK(peer.expect_publish(1) == "next");
}

TEST_CASE("calls have deadlines while nothing can be sent") {
  SocketPeer peer;
  Connection connection =
      peer.connect({.rpc_timeout = 20ms, .publish_timeout = 20ms, .close_timeout = 20ms});
  Channel channel = peer.open_channel(connection);
  peer.select_confirms(channel);
  publish_until_timed_out(channel, std::string(3000, 'b'));
  SUBCASE("confirms") {
    CHECK_THROWS_AS(channel.wait_for_confirms(0, 20ms), StillUnconfirmed);
    CHECK_THROWS_AS(channel.wait_for_confirms(0, 0ms), StillUnconfirmed);
    CHECK(channel.unconfirmed_count() != 0);
    CHECK(connection.is_open());
  }
  SUBCASE("an answer; the connection is closed") {
    CHECK_THROWS_AS(channel.queue_declare("q"), TimedOut);
    CHECK(connection_closed_with([&] { channel.basic_publish("", "q", "m"); }) == 0);
  }
  SUBCASE("acknowledgements") {
    CHECK_THROWS_AS(channel.basic_ack(1), TimedOut);
  }
  SUBCASE("the goodbye") {
    connection.close();
  }
  SUBCASE("the goodbye of a destructor") {}
}

TEST_CASE("publishing to a broker that is silent ends after two heartbeats") {
  SocketPeer peer;
  Connection connection = peer.connect({.heartbeat_s = 1});
  Channel channel = peer.open_channel(connection);
  CHECK(connection_closed_with([&] {
          while (true)
            channel.basic_publish("", "q", std::string(3000, 'b'));
        }) == 0);
}

TEST_CASE("connecting to a listener that says nothing has one limit for all of it") {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener, generic, size) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, generic, &size) == 0);
  ConnectionOptions options{.host = "127.0.0.1", .port = ntohs(address.sin_port)};
  options.connection_timeout = 50ms;
  CHECK_THROWS_AS(Connection{options}, TimedOut);
  ::close(listener);
  options.connection_timeout = 10s;
  CHECK_THROWS_AS(Connection{options}, ConnectionFailed);
}

TEST_CASE("confirms are told by number, and returned messages before them") {
  SocketPeer peer;
  Connection connection = peer.connect();
  Channel channel = peer.open_channel(connection);
  peer.select_confirms(channel);
  std::string seen;
  channel.on_confirm([&](std::uint64_t number, bool confirmed) {
    seen += std::to_string(number) + (confirmed ? "+" : "-");
  });
  channel.on_return([&](const Message& message) {
    seen += std::string(message.reply_text()) + ":" + std::string(message.body()) + " ";
  });
  for (std::uint64_t number = 1; number <= 5; ++number)
    CHECK(channel.basic_publish("", "q", "m", {}, true) == number);
  peer.send(1, amqp::basic::Ack{.delivery_tag = 2});
  peer.send_message(1, amqp::basic::Return{.reply_code = 312, .reply_text = "NO_ROUTE"}, "m");
  peer.send(1, amqp::basic::Ack{.delivery_tag = 3, .multiple = true});
  peer.send(1, amqp::basic::Nack{.delivery_tag = 0, .multiple = true});
  CHECK_FALSE(channel.wait_for_confirms());
  CHECK(seen == "2+NO_ROUTE:m 1+3+4-5-");
  CHECK(channel.wait_for_confirms());
}

TEST_CASE("a callback may close and destroy its channel") {
  SocketPeer peer;
  Connection connection = peer.connect();
  std::optional<Channel> channel = peer.open_channel(connection);
  peer.select_confirms(*channel);
  channel->on_return([&](const Message&) { channel.reset(); });
  channel->basic_publish("", "q", "m", {}, true);
  peer.send_message(1, amqp::basic::Return{.reply_code = 312}, "m");
  peer.send_message(1, amqp::basic::Return{.reply_code = 312}, "m");
  peer.send(1, amqp::basic::Ack{.delivery_tag = 1});
  Channel& same = *channel;
  CHECK_NOTHROW(same.wait_for_confirms());
  CHECK_FALSE(channel);
  CHECK(connection.is_open());
}

TEST_CASE("a consumer that the broker has cancelled is told, the others go on") {
  SocketPeer peer;
  Connection connection = peer.connect();
  Channel channel = peer.open_channel(connection);
  peer.answer<amqp::basic::Qos>(1, amqp::basic::QosOk{}, [&] { channel.basic_qos(10); });
  std::string seen;
  channel.on_cancel([&](std::string_view tag) { seen += "cancelled " + std::string(tag) + " "; });
  peer.consume(
      channel, [&](const Message&) { seen += "a"; }, 1, "a");
  peer.consume(
      channel,
      [&](const Message&) {
        seen += "b";
        channel.stop_consuming();
      },
      1, "b");
  peer.deliver(1, 1, "m", "a");
  peer.send(1, amqp::basic::Cancel{.consumer_tag = "a"});
  peer.deliver(1, 2, "m", "b");
  channel.start_consuming();
  CHECK(seen == "cancelled a b");
  // What the cancelled one had not handled is given back.
  CHECK(peer.expect<amqp::basic::Nack>(1).delivery_tag == 1);
  peer.send(1, amqp::basic::Cancel{.consumer_tag = "b"});
  channel.start_consuming();  // no consumer is left
  CHECK(seen ==
        "cancelled a b"
        "cancelled b ");
}

TEST_CASE("consuming for some time looks at the clock after each message") {
  SocketPeer peer;
  Connection connection = peer.connect({.default_prefetch_count = 0});
  Channel channel = peer.open_channel(connection);
  int count = 0;
  peer.consume(channel, [&](const Message&) { ++count; });
  for (std::uint64_t tag = 1; tag <= 100; ++tag)
    peer.deliver(1, tag, "m");
  CHECK(channel.consume_for(0ms));
  CHECK(count == 1);
  CHECK(connection.run_for(0ms));
  CHECK(count == 2);
  while (count < 100)
    channel.consume_for(1ms);
}

TEST_CASE("one call serves all channels of a connection, in turn") {
  SocketPeer peer;
  Connection connection = peer.connect({.default_prefetch_count = 0});
  std::vector<Channel> channels;
  std::string seen;
  for (std::uint16_t number = 1; number <= 3; ++number) {
    channels.push_back(peer.open_channel(connection, number));
    peer.consume(
        channels.back(),
        [&, number](const Message&) {
          seen += std::to_string(number);
          if (seen.size() == 9) connection.stop();
        },
        number);
  }
  for (std::uint16_t number = 1; number <= 3; ++number) {
    for (std::uint64_t tag = 1; tag <= 3; ++tag)
      peer.deliver(number, tag, "m");
  }
  // All of it has come when the answer to this has.
  peer.answer<amqp::queue::Declare>(1, amqp::queue::DeclareOk{},
                                    [&] { channels[0].queue_declare("q"); });
  connection.run();
  CHECK(seen == "123123123");
  // A channel with a consumer that is closed is told once; the others go on.
  peer.send(2, amqp::channel::Close{.reply_code = 406, .reply_text = "PRECONDITION_FAILED"});
  CHECK_THROWS_AS(connection.run(), ChannelClosed);
  peer.deliver(3, 4, "m");
  connection.run_for(0ms);
  CHECK(seen == "1231231233");
}

TEST_CASE("a channel without a prefetch limit gets one with its first consumer") {
  SocketPeer peer;
  const auto consume = [](Channel& channel, bool automatic) {
    return std::async(std::launch::async, [&channel, automatic] {
      channel.basic_consume("q", [](const Message&) {}, {.no_ack = automatic});
    });
  };
  Connection connection = peer.connect({.default_prefetch_count = 7});
  Channel channel = peer.open_channel(connection);
  auto consuming = consume(channel, true);
  peer.expect<amqp::basic::Consume>(1);
  peer.send(1, amqp::basic::ConsumeOk{.consumer_tag = "1"});
  consuming.get();
  consuming = consume(channel, false);
  CHECK(peer.expect<amqp::basic::Qos>(1).prefetch_count == 7);
  peer.send(1, amqp::basic::QosOk{});
  peer.expect<amqp::basic::Consume>(1);
  peer.send(1, amqp::basic::ConsumeOk{.consumer_tag = "2"});
  consuming.get();
  consuming = consume(channel, false);
  peer.expect<amqp::basic::Consume>(1);
  peer.send(1, amqp::basic::ConsumeOk{.consumer_tag = "3"});
  consuming.get();
}

TEST_CASE("the number of a dropped channel is free for the next one") {
  SocketPeer peer;
  Connection connection = peer.connect({.channel_max = 1});
  { const Channel dropped = peer.open_channel(connection); }
  auto opening = std::async(std::launch::async, [&] { return connection.channel(); });
  peer.expect<amqp::channel::Close>(1);
  peer.send(1, amqp::channel::CloseOk{});
  peer.expect<amqp::channel::Open>(1);
  peer.send(1, amqp::channel::OpenOk{});
  const Channel next = opening.get();
  CHECK_THROWS_WITH(connection.channel(), "no channel number is free: all are open");
}

TEST_CASE("a message is acknowledged on its own channel only") {
  SocketPeer peer;
  Connection connection = peer.connect({.default_prefetch_count = 0});
  Channel channel = peer.open_channel(connection, 1);
  std::optional<Message> kept;
  peer.consume(channel, [&](Message&& message) {
    kept = std::move(message);
    channel.stop_consuming();
  });
  peer.deliver(1, 5, "m");
  channel.start_consuming();
  CHECK(kept->body() == "m");
  Channel other = peer.open_channel(connection, 2);
  CHECK_THROWS_AS(other.basic_ack(*kept), Error);
  CHECK_THROWS_AS(other.basic_nack(*kept), Error);
  CHECK_THROWS_AS(other.basic_reject(*kept), Error);
  channel.basic_ack(*kept);
  CHECK(peer.expect<amqp::basic::Ack>(1).delivery_tag == 5);
}

TEST_CASE("a stop leaves nothing behind that keeps later calls awake") {
  SocketPeer peer;
  Connection connection = peer.connect();
  Channel channel = peer.open_channel(connection);
  peer.select_confirms(channel);
  channel.stop_consuming();
  channel.basic_publish("", "q", "m");
  const auto used = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1us +
           (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1s;
  };
  const auto before = used();
  CHECK_THROWS_AS(channel.wait_for_confirms(0, 200ms), StillUnconfirmed);
  CHECK(used() - before < 50ms);
  channel.start_consuming();  // the stop is still for this call
}

TEST_CASE("objects that were moved from say so") {
  SocketPeer peer;
  Connection connection = peer.connect();
  Channel channel = peer.open_channel(connection);
  const Connection other_connection = moved_out_of(connection);
  Channel other_channel = moved_out_of(channel);
  CHECK_FALSE(connection.is_open());
  CHECK_FALSE(channel.is_open());
  CHECK_THROWS_AS(connection.channel(), Error);
  CHECK_THROWS_AS(connection.close(), Error);
  CHECK_THROWS_AS(connection.is_blocked(), Error);
  CHECK_THROWS_AS(connection.run_for(1ms), Error);
  CHECK_THROWS_AS(channel.basic_publish("", "q", "m"), Error);
  CHECK_THROWS_AS(channel.queue_declare("q"), Error);
  CHECK_THROWS_AS(channel.start_consuming(), Error);
  CHECK_THROWS_AS(channel.basic_ack(1), Error);
  connection.stop();
  channel.stop_consuming();
  CHECK(other_channel.is_open());
  channel = std::move(other_channel);
  CHECK(channel.is_open());
}

TEST_CASE("a connection that is assigned to closes the one that was there") {
  SocketPeer first;
  SocketPeer second;
  Connection connection = first.connect();
  Connection other = second.connect();
  auto assigning = std::async(std::launch::async, [&] { connection = std::move(other); });
  first.expect<amqp::connection::Close>(0);
  first.send(0, amqp::connection::CloseOk{});
  assigning.get();
  CHECK(connection.is_open());
}

TEST_CASE("the program is told when publishers are blocked") {
  SocketPeer peer;
  Connection connection = peer.connect({.publish_timeout = 20ms});
  Channel channel = peer.open_channel(connection);
  std::string seen;
  connection.on_blocked([&](bool blocked, std::string_view reason) {
    seen += (blocked ? "blocked: " : "unblocked") + std::string(reason) + " ";
  });
  peer.send(0, amqp::connection::Blocked{.reason = "low on disk"});
  CHECK(connection.is_blocked());
  try {
    while (true)
      channel.basic_publish("", "q", std::string(3000, 'b'));
  } catch (const TimedOut& timed_out) {
    CHECK(std::string(timed_out.what()).find("connection.blocked") != std::string::npos);
  }
  peer.send(0, amqp::connection::Unblocked{});
  CHECK_FALSE(connection.is_blocked());
  connection.run_for(0ms);
  CHECK(seen == "blocked: low on disk unblocked ");
}

TEST_CASE("that publishers are blocked is told while a program waits for deliveries") {
  SocketPeer peer;
  Connection connection = peer.connect({.default_prefetch_count = 0});
  Channel channel = peer.open_channel(connection);
  peer.consume(channel, [](const Message&) {});
  bool is_told = false;
  connection.on_blocked([&](bool, std::string_view) {
    is_told = true;
    channel.stop_consuming();
  });
  peer.send(0, amqp::connection::Blocked{.reason = "low on disk"});
  channel.consume_for(60s);
  CHECK(is_told);
}

TEST_CASE("properties may be views, or own their texts, also within the call") {
  SocketPeer peer;
  Connection connection = peer.connect();
  Channel channel = peer.open_channel(connection);
  const auto sent = [&] {
    peer.expect<amqp::basic::Publish>(1);
    amqp::ContentHeader header;
    REQUIRE(amqp::decode_content_header(peer.frame().payload, header) == amqp::DecodeError::none);
    Properties properties;
    REQUIRE(amqp::decode_properties(header.raw_properties, properties) == amqp::DecodeError::none);
    return MessageProperties::copy_of(properties);
  };
  channel.basic_publish("", "q", "", {.delivery_mode = persistent});
  CHECK(sent() == MessageProperties{.delivery_mode = persistent});
  channel.basic_publish("", "q", "",
                        {.headers = amqp::Table{{"a", 1}}, .expiration = std::to_string(60'000)});
  CHECK(sent() ==
        MessageProperties{.headers = amqp::Table{{"a", 1}}, .expiration = std::string("60000")});
  const MessageProperties owned{.message_id = std::string("m")};
  channel.basic_publish("", "q", "", owned);
  CHECK(sent() == owned);
}
