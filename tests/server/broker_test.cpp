// The broker as a library, with the client library at the other end.
#include <doctest/doctest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <haypile/broker.hpp>
#include <haypile/client.hpp>

#include "support/temporary_directory.hpp"

using namespace haypile;
using test::TemporaryDirectory;

namespace {

Connection connect(Broker& broker) {
  return Connection::over_socket(broker.connect());
}

std::string body_of(const std::optional<Message>& message) {
  return message ? std::string(message->body()) : "nothing";
}

}  // namespace

TEST_CASE("a broker without a directory works, and forgets") {
  for (int round = 0; round < 2; ++round) {
    Broker broker;
    Connection connection = connect(broker);
    Channel channel = connection.channel();
    CHECK(channel.queue_declare("q", {.durable = true}).message_count == 0);
    channel.confirm_select();
    channel.basic_publish("", "q", "hay", {.delivery_mode = persistent});
    CHECK(channel.wait_for_confirms());
    CHECK(body_of(channel.basic_get("q")) == "hay");
  }
}

TEST_CASE("what was confirmed is there again after the end of the broker") {
  TemporaryDirectory directory;
  {
    Broker broker({.data_directory = directory.path / "new"});
    Connection connection = connect(broker);
    Channel channel = connection.channel();
    channel.queue_declare("q", {.durable = true});
    channel.confirm_select();
    channel.basic_publish("", "q", "kept", {.delivery_mode = persistent});
    channel.basic_publish("", "q", "not kept");
    CHECK(channel.wait_for_confirms());
    CHECK(channel.queue_declare("q", {.passive = true}).message_count == 2);
  }
  Broker broker({.data_directory = directory.path / "new"});
  Connection connection = connect(broker);
  Channel channel = connection.channel();
  CHECK(channel.queue_declare("q", {.passive = true}).message_count == 1);
  CHECK(body_of(channel.basic_get("q")) == "kept");
}

TEST_CASE("a data directory belongs to one broker at a time") {
  TemporaryDirectory directory;
  Broker first({.data_directory = directory.path});
  try {
    Broker second({.data_directory = directory.path});
    FAIL("a second broker started on the same directory");
  } catch (const BrokerError& error) {
    CHECK(std::string(error.what()).find("in use") != std::string::npos);
  }
  first.stop();
  CHECK_NOTHROW(Broker({.data_directory = directory.path}));
}

TEST_CASE("a data directory that cannot be one is refused") {
  CHECK_THROWS_AS(Broker({.data_directory = "/dev/null/hay"}), BrokerError);
}

TEST_CASE("a port in use, or a name that has no address, is refused") {
  Broker broker;
  const std::uint16_t port = broker.listen("127.0.0.1", 0);
  CHECK(port != 0);
  CHECK_THROWS_AS(broker.listen("127.0.0.1", port), BrokerError);
  CHECK_THROWS_AS(broker.listen("no such host", 0), BrokerError);
  CHECK_THROWS_AS(broker.listen("", 0), BrokerError);
  Connection connection("amqp://127.0.0.1:" + std::to_string(port));
  CHECK(connection.is_open());
}

TEST_CASE("clients are told of the end") {
  Broker broker;
  Connection connection = connect(broker);
  Channel channel = connection.channel();
  channel.queue_declare("q");
  channel.basic_consume("q", [](const Message&) {});
  std::thread stopping([&] { broker.stop(); });
  try {
    channel.start_consuming();
    FAIL("went on without a broker");
  } catch (const ConnectionClosed& closed) {
    CHECK(closed.reply_code == 320);
  }
  stopping.join();
  broker.stop();
  CHECK_THROWS_AS(broker.connect(), BrokerError);
}

// With a backlog, only a little is read from one publisher at a time, and then from the next one.
TEST_CASE("publishers go on with a backlog, each in its order") {
  constexpr int publishers = 3;
  constexpr int messages_each = 300;
  const auto body = [](int publisher, int number) {
    // Most messages fit into one read; a few need many.
    return std::to_string(publisher) + ":" + std::to_string(number) + ":" +
           std::string(number % 100 == 50 ? 200'000 : 4'000, 'x');
  };
  const TemporaryDirectory directory;
  Broker broker({.data_directory = directory.path});
  Connection connection = connect(broker);
  Channel channel = connection.channel();
  channel.queue_declare("q", {.durable = true});
  std::atomic<int> confirmed = 0;
  std::vector<std::thread> threads;
  threads.reserve(publishers);
  for (int publisher = 0; publisher < publishers; ++publisher) {
    threads.emplace_back([&, publisher] {
      Connection own = connect(broker);
      Channel publishing = own.channel();
      publishing.confirm_select();
      for (int number = 0; number < messages_each; ++number)
        publishing.basic_publish("", "q", body(publisher, number), {.delivery_mode = persistent});
      if (publishing.wait_for_confirms()) ++confirmed;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(confirmed == publishers);
  CHECK(channel.queue_declare("q", {.passive = true}).message_count == publishers * messages_each);
  std::vector<int> next(publishers);
  for (int i = 0; i < publishers * messages_each; ++i) {
    const std::optional<Message> message = channel.basic_get("q", true);
    REQUIRE(message);
    const int publisher = message->body()[0] - '0';
    REQUIRE(message->body() == body(publisher, next[static_cast<std::size_t>(publisher)]++));
  }
}

TEST_CASE("calls may come from many threads, and every task is done once") {
  constexpr int consumers = 4;
  constexpr int producers = 4;
  constexpr int tasks_each = 200;
  Broker broker;
  Connection main_connection = connect(broker);
  Channel main_channel = main_connection.channel();
  main_channel.queue_declare("tasks");

  std::mutex mutex;
  std::multiset<std::string> done;
  std::atomic<int> done_count = 0;
  std::vector<std::thread> threads;
  threads.reserve(consumers + producers);
  for (int i = 0; i < consumers; ++i) {
    threads.emplace_back([&] {
      Connection connection = connect(broker);
      Channel channel = connection.channel();
      channel.basic_qos(1);
      channel.basic_consume("tasks", [&](const Message& task) {
        {
          const std::lock_guard lock(mutex);
          done.emplace(task.body());
        }
        channel.basic_ack(task.delivery_tag);
        ++done_count;
      });
      while (done_count < producers * tasks_each)
        channel.consume_for(std::chrono::milliseconds(20));
    });
  }
  for (int i = 0; i < producers; ++i) {
    threads.emplace_back([&, i] {
      Connection connection = connect(broker);
      Channel channel = connection.channel();
      channel.confirm_select();
      for (int n = 0; n < tasks_each; ++n)
        channel.basic_publish("", "tasks", std::to_string(i) + "/" + std::to_string(n));
      channel.wait_for_confirms();
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(done.size() == producers * tasks_each);
  CHECK(std::set<std::string>(done.begin(), done.end()).size() == done.size());
  CHECK(main_channel.queue_delete("tasks") == 0);
}

TEST_CASE("the report says what was recovered") {
  TemporaryDirectory directory;
  std::mutex mutex;
  std::string lines;
  Broker broker({.data_directory = directory.path, .report = [&](Severity, std::string_view line) {
                   const std::lock_guard lock(mutex);
                   lines.append(line).append("\n");
                 }});
  broker.stop();
  const std::lock_guard lock(mutex);
  CHECK(lines.find("recovered") != std::string::npos);
}

TEST_CASE("options that make no sense are refused, with a line that says which") {
  const auto refused = [](BrokerOptions options) -> std::string {
    try {
      Broker broker(std::move(options));
      return "";
    } catch (const BrokerError& error) {
      return error.what();
    }
  };
  CHECK(refused({.log_size_bytes = 0}).find("log size") != std::string::npos);
  CHECK(refused({.log_size_bytes = 16 << 10}).find("log size") != std::string::npos);
  CHECK(refused({.log_size_bytes = UINT64_MAX}).find("log size") != std::string::npos);
  CHECK(refused({.memory_limit_bytes = 1}).find("memory limit") != std::string::npos);
  CHECK(refused({.product = ""}).find("product") != std::string::npos);
  CHECK(refused({.product = std::string(70'000, 'x')}).find("product") != std::string::npos);
  CHECK(refused({.message_size_max_bytes = 2u << 30, .memory_limit_bytes = 1ull << 40}) != "");
  const std::string line =
      refused({.message_size_max_bytes = 16 << 20, .memory_limit_bytes = (64 << 20) - 1});
  CHECK(line.find("lower the maximal message size") != std::string::npos);
  CHECK(refused({.disk_free_limit_bytes = UINT64_MAX}) != "");
  CHECK(refused({.login_max = 0}) != "");
  CHECK(refused({.login_max_per_address = 0}) != "");
  CHECK(refused({.message_size_max_bytes = 16 << 20, .memory_limit_bytes = 64 << 20}) == "");
  CHECK(refused({.memory_limit_bytes = 1 << 20, .log_size_bytes = 8 << 20}) == "");
}

TEST_CASE("what is reported may call any method, and end the broker") {
  enum class Call { connect, listen, stop, destroy };
  for (const Call call : {Call::connect, Call::listen, Call::stop, Call::destroy}) {
    std::promise<void> begun;
    std::promise<void> done;
    std::unique_ptr<Broker> broker;
    std::atomic<bool> called = false;
    broker = std::make_unique<Broker>(BrokerOptions{.report = [&](Severity, std::string_view) {
      if (called.exchange(true)) return;
      begun.get_future().wait();
      if (call == Call::connect) ::close(broker->connect());
      if (call == Call::listen) CHECK(broker->listen("127.0.0.1", 0) != 0);
      if (call == Call::stop) CHECK(broker->stop());
      if (call == Call::destroy) broker.reset();
      done.set_value();
    }});
    ::close(broker->connect());  // is reported
    begun.set_value();
    done.get_future().wait();
    if (call == Call::stop) CHECK_THROWS_AS(broker->connect(), BrokerError);
    if (call == Call::destroy) CHECK_FALSE(broker);
  }
}

TEST_CASE("what a callback throws is the program's own affair") {
  std::atomic<int> count = 0;
  Broker broker({.report = [&](Severity, std::string_view) {
    ++count;
    throw std::runtime_error("no");
  }});
  ::close(broker.connect());
  ::close(broker.connect());
  CHECK(broker.stop());
  CHECK(count >= 2);
}

namespace {

// During its lifetime no file of this process can grow beyond a byte, as on a disk with write
// errors.
class NoFileGrows {
 public:
  NoFileGrows() {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    ::rlimit none = before_;
    none.rlim_cur = 1;
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoFileGrows() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  NoFileGrows(const NoFileGrows&) = delete;
  NoFileGrows& operator=(const NoFileGrows&) = delete;

 private:
  ::rlimit before_{};
};

}  // namespace

TEST_CASE("a broker that has failed can be stopped, from where that is told and from anywhere") {
  for (const bool stops_there : {true, false}) {
    TemporaryDirectory directory;
    std::promise<std::string> failed;
    std::unique_ptr<Broker> broker;
    broker = std::make_unique<Broker>(
        BrokerOptions{.data_directory = directory.path, .on_failure = [&](std::string_view line) {
                        if (stops_there) CHECK_FALSE(broker->stop());
                        failed.set_value(std::string(line));
                      }});
    Connection connection = connect(*broker);
    Channel channel = connection.channel();
    const NoFileGrows limit;
    CHECK_THROWS_AS(channel.queue_declare("q", {.durable = true}), Error);
    CHECK(failed.get_future().get().find("File too large") != std::string::npos);
    CHECK_FALSE(broker->stop());
    CHECK_THROWS_AS(broker->connect(), BrokerError);
    broker.reset();
  }
}

TEST_CASE("a log that cannot be closed is told of at the end") {
  TemporaryDirectory directory;
  std::string said;
  Broker broker({.data_directory = directory.path,
                 .on_failure = [&](std::string_view line) { said = line; }});
  const NoFileGrows limit;
  CHECK_FALSE(broker.stop());
  CHECK(said.find("File too large") != std::string::npos);
  CHECK_FALSE(broker.stop());
}
