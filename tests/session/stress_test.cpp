// Clients that do anything at random, in any order: nothing is lost, duplicated or left behind.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/stress_client.hpp"

using namespace haypile;
using test::StressBroker;
using test::StressClient;

namespace {

const std::vector<std::string> plain_queues{"plain", "transient", "single", "levels"};
const std::vector<std::string> queues{"a", "b", "c", "d"};

class Stress {
 public:
  explicit Stress(unsigned seed) : random_(seed), clients_(3) {
    StressClient setup(broker_, random_);
    setup.send(1, amqp::channel::Open{});
    for (const char* exchange : {"f", "t"}) {
      const amqp::Table alternate{{"alternate-exchange", "f"}};
      const bool is_fanout = *exchange == 'f';
      setup.send(1, amqp::exchange::Declare{
                        .exchange = exchange,
                        .type = is_fanout ? "fanout" : "topic",
                        .durable = is_fanout,
                        .arguments = is_fanout ? amqp::TableView() : alternate.view()});
    }
    for (const std::string& queue : plain_queues) {
      amqp::Table arguments;
      if (queue == "single") arguments.set("x-single-active-consumer", true);
      if (queue == "levels") arguments.set("x-max-priority", 3);
      setup.send(
          1, amqp::queue::Declare{
                 .queue = queue, .durable = queue != "transient", .arguments = arguments.view()});
    }
    setup.read();
    setup.disconnect();
  }

  void step() {
    const std::size_t who = below(clients_.size());
    auto& client = clients_[who];
    if (!client) client = std::make_unique<StressClient>(broker_, random_);
    if (one_in(12)) client->stalled = !client->stalled;
    if (one_in(40)) one_in(2) ? broker_.journal.hold() : make_durable();
    if (one_in(25)) broker_.wait(one_in(4) ? 2000 : below(60));
    if (one_in(30)) broker_.journal.want_room();
    broker_.engine.move_old_messages();
    if (one_in(60)) return disconnect(client);
    if (client->stalled) return;
    client->read();
    act(*client, static_cast<std::uint16_t>(1 + below(StressClient::channel_count)));
    client->read();
    read_all();
  }

  // All clients disconnect. The queues have exactly what the broker's record says.
  void finish() {
    for (auto& client : clients_) {
      if (client) disconnect(client);
    }
    make_durable();
    StressClient auditor(broker_, random_);
    auditor.send(1, amqp::channel::Open{});
    for (const std::string& queue : plain_queues) {
      const std::vector<std::string> left = broker_.left_in(queue);
      if (queue != "transient") check_journal(queue, left);
      CHECK(drain(auditor, queue) == left.size());
      CHECK(broker_.left_in(queue).empty());
    }
    for (const std::string& queue : queues)
      drain(auditor, queue);
    for (const auto& list : {plain_queues, queues}) {
      for (const std::string& queue : list)
        auditor.send(1, amqp::queue::Delete{.queue = queue});
    }
    auditor.send(1, amqp::exchange::Delete{.exchange = "f"});
    auditor.disconnect();
    CHECK(broker_.engine.queue_count() == 0);
    CHECK(broker_.engine.memory_bytes() == 0);
    CHECK(broker_.engine.next_deadline() == engine::no_deadline);
    CHECK(broker_.journal.empty());
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  bool one_in(std::size_t number) { return below(number) == 0; }
  const std::string& any(const std::vector<std::string>& all) { return all[below(all.size())]; }
  template <typename Key, typename Value>
  const Key& any_key(const std::map<Key, Value>& all) {
    return std::next(all.begin(), static_cast<std::ptrdiff_t>(below(all.size())))->first;
  }
  std::string any_queue() { return one_in(2) ? any(plain_queues) : any(queues); }

  void read_all() {
    for (auto& client : clients_) {
      if (client && !client->stalled) client->read();
    }
    for (const auto& published : broker_.plain) {
      INFO(published.first);
      CHECK(published.second.holders <= 1);
    }
  }
  void make_durable() {
    broker_.journal.release();
    for (auto& client : clients_) {
      if (client) client->log_advanced();
    }
  }
  void catch_up(StressClient& client) {
    make_durable();
    client.read();
  }
  void disconnect(std::unique_ptr<StressClient>& client) {
    make_durable();
    client->disconnect();
    client.reset();
    read_all();
  }

  // While the log does not advance, only operations that cannot fail are done: if a channel.close
  // were held back, the client would not know of it.
  void act(StressClient& client, std::uint16_t number) {
    StressClient::Channel& channel = client.channel(number);
    const std::size_t what = below(16);
    if (!channel.open || what < 11) catch_up(client);
    if (!channel.open) return client.send(number, amqp::channel::Open{});
    switch (what) {
      case 0:
        return declare(client, number);
      case 1:
        return bind(client, number);
      case 2:
      case 3:
        return consume(client, number);
      case 4:
        return cancel(client, number);
      case 5:
        return settle(client, number, one_in(2));
      case 6:
        client.get_without_ack = one_in(2);
        return client.send(
            number, amqp::basic::Get{.queue = any_queue(), .no_ack = client.get_without_ack});
      case 7:
        return change_mode(client, number);
      case 8:
        return rarely(client, number);
      case 9:
      case 10:
        return publish_anything(client, number);
      case 11:
      case 12:
        return settle(client, number, false);
      case 13:
        return client.send(number,
                           amqp::queue::Declare{.queue = any(plain_queues), .passive = true});
      default:
        return publish(client, number);
    }
  }

  void declare(StressClient& client, std::uint16_t number) {
    amqp::Table arguments;
    const auto maybe = [&](const char* name, const amqp::Value& value) {
      if (one_in(4)) arguments.set(name, value);
    };
    maybe("x-message-ttl", static_cast<int>(below(100)));
    maybe("x-expires", static_cast<int>(1 + below(1000)));
    maybe("x-max-length", static_cast<int>(below(4)));
    maybe("x-max-length-bytes", static_cast<int>(below(20)));
    maybe("x-max-priority", static_cast<int>(one_in(2) ? 255 : below(4)));
    maybe("x-delivery-limit", static_cast<int>(below(3)));
    maybe("x-single-active-consumer", true);
    maybe("x-overflow", one_in(2) ? "reject-publish" : "reject-publish-dlx");
    if (one_in(2)) {
      arguments.set("x-dead-letter-exchange", one_in(2) ? "" : one_in(2) ? "f" : "t");
      maybe("x-dead-letter-routing-key", any_queue() + "?");
      maybe("x-dead-letter-routing-key", any(queues));
    }
    client.send(number, amqp::queue::Declare{.queue = any(queues),
                                             .durable = one_in(2),
                                             .exclusive = one_in(6),
                                             .auto_delete = one_in(4),
                                             .arguments = arguments.view()});
  }
  void bind(StressClient& client, std::uint16_t number) {
    if (one_in(4)) {
      client.send(number, amqp::queue::Unbind{.queue = any(queues), .exchange = "f"});
    } else {
      client.send(number, amqp::queue::Bind{.queue = any(queues),
                                            .exchange = one_in(2) ? "f" : "t",
                                            .routing_key = one_in(2) ? "#" : any(queues)});
    }
  }
  void consume(StressClient& client, std::uint16_t number) {
    StressClient::Channel& channel = client.channel(number);
    const std::string tag = "c" + std::to_string(++last_consumer_);
    const bool no_ack = one_in(4);
    const bool is_for_replies = one_in(8);
    const amqp::Table priority{{"x-priority", static_cast<int>(below(3))}};
    channel.consumers[tag] = {no_ack || is_for_replies, channel.prefetch};
    client.send(number, amqp::basic::Consume{
                            .queue = is_for_replies ? "amq.rabbitmq.reply-to" : any_queue(),
                            .consumer_tag = tag,
                            .no_ack = no_ack || is_for_replies,
                            .exclusive = one_in(10),
                            .arguments = one_in(2) ? priority.view() : amqp::TableView()});
  }
  void cancel(StressClient& client, std::uint16_t number) {
    const auto& consumers = client.channel(number).consumers;
    if (consumers.empty()) return;
    const std::string tag = any_key(consumers);
    client.send(number, amqp::basic::Cancel{.consumer_tag = tag});
  }
  void settle(StressClient& client, std::uint16_t number, bool all) {
    const auto& unacked = client.channel(number).unacked;
    const int how = static_cast<int>(below(3));
    if (all) return client.settle(number, 0, true, how);
    if (unacked.empty()) return;
    const std::uint64_t tag = any_key(unacked);
    client.settle(number, tag, one_in(4), how);
  }
  void change_mode(StressClient& client, std::uint16_t number) {
    StressClient::Channel& channel = client.channel(number);
    if (channel.tx) return one_in(3) ? client.rollback(number) : client.commit(number);
    if (one_in(3)) {
      channel.prefetch = static_cast<std::uint16_t>(below(4));
      return client.send(
          number, amqp::basic::Qos{.prefetch_count = static_cast<std::uint16_t>(channel.prefetch)});
    }
    if (channel.confirm) return;
    channel.confirm = one_in(2);
    channel.tx = !channel.confirm;
    if (channel.tx) return client.send(number, amqp::tx::Select{});
    client.send(number, amqp::confirm::Select{});
  }
  void rarely(StressClient& client, std::uint16_t number) {
    StressClient::Channel& channel = client.channel(number);
    switch (below(10)) {
      case 0:
        return client.send(
            number, amqp::queue::Delete{
                        .queue = any(queues), .if_unused = one_in(2), .if_empty = one_in(2)});
      case 1:
        return client.send(number, amqp::queue::Purge{.queue = any(queues)});
      case 2:
        return client.send(number, amqp::basic::Ack{.delivery_tag = 100'000});
      case 3:
        return client.send(number, amqp::queue::Declare{.queue = any_queue(), .passive = true});
      case 4:
        return client.send(number,
                           amqp::basic::Qos{.prefetch_count = static_cast<std::uint16_t>(below(4)),
                                            .global = true});
      case 5:
        for (const auto& [tag, given] : channel.unacked) {
          broker_.given_back(given.body, false);
          if (!given.consumer.empty()) --channel.consumers[given.consumer].unacked;
        }
        channel.unacked.clear();
        return client.send(number, amqp::basic::Recover{.requeue = true});
      case 6:
        client.read();
        client.send(number, amqp::channel::Close{});
        make_durable();
        client.read();
        return client.forget_channel(number);
      default:
        return;
    }
  }
  void publish(StressClient& client, std::uint16_t number) {
    const std::string queue = any(plain_queues);
    client.publish(number, "", queue, queue + "/" + std::to_string(++last_message_),
                   {.delivery_mode = amqp::delivery_mode_persistent,
                    .priority = static_cast<std::uint8_t>(below(5))});
  }
  void publish_anything(StressClient& client, std::uint16_t number) {
    const std::string expiration = std::to_string(below(50));
    const std::vector<amqp::Value> more{any(queues), any(queues)};
    const amqp::Table headers{{one_in(2) ? "CC" : "BCC", more}};
    amqp::Properties properties{.delivery_mode = static_cast<std::uint8_t>(1 + below(2)),
                                .priority = static_cast<std::uint8_t>(below(5))};
    if (one_in(4)) properties.expiration = expiration;
    if (one_in(5)) properties.headers = headers.view();
    if (one_in(8)) properties.reply_to = "amq.rabbitmq.reply-to";
    if (one_in(8)) return client.publish(number, "", broker_.last_reply_to, "reply", {});
    const char* exchange = one_in(3) ? "f" : one_in(2) ? "t" : "";
    client.publish(number, exchange, any(queues), std::string(below(12), 'x'), properties);
  }

  void check_journal(const std::string& queue, const std::vector<std::string>& left) {
    const auto list = [](const std::vector<std::string>& bodies) {
      std::string text;
      for (const std::string& body : bodies)
        text += body + " ";
      return text;
    };
    CHECK(list(broker_.journal.bodies_in(queue)) == list(left));
  }
  std::size_t drain(StressClient& auditor, const std::string& queue) {
    std::size_t count = 0;
    engine::Queue* found = nullptr;
    auditor.get_without_ack = true;
    while (!broker_.engine.find_queue(queue, 0, found) && found->ready_count() > 0) {
      auditor.send(1, amqp::basic::Get{.queue = queue, .no_ack = true});
      auditor.read();
      ++count;
    }
    return count;
  }

  std::mt19937 random_;
  StressBroker broker_;
  std::vector<std::unique_ptr<StressClient>> clients_;
  int last_consumer_ = 0;
  int last_message_ = 0;
};

}  // namespace

TEST_CASE("whatever clients do, no message is lost, doubled or left behind") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    INFO("seed ", seed);
    Stress stress(seed);
    for (int i = 0; i < 1500; ++i)
      stress.step();
    stress.finish();
  }
}
