// The blocking client on several threads; the thread sanitizer looks on.
#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "client/socket_peer.hpp"

using namespace haypile;

TEST_CASE("many threads use a connection at the same time") {
  SocketPeer peer;
  Connection connection = peer.connect({.default_prefetch_count = 0});
  Channel consuming = peer.open_channel(connection, 1);
  Channel publishing = peer.open_channel(connection, 2);
  peer.select_confirms(publishing, 2);
  constexpr std::uint64_t count = 2000;
  std::atomic<std::uint64_t> handled{0};
  // Each message is acknowledged by another thread than the one that got it.
  std::vector<std::thread> threads;
  threads.reserve(5);
  std::mutex mutex;
  std::vector<Message> messages;
  peer.consume(consuming, [&](Message&& message) {
    const std::lock_guard lock(mutex);
    messages.push_back(std::move(message));
  });
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (handled < count) {
        std::unique_lock lock(mutex);
        if (messages.empty()) {
          lock.unlock();
          std::this_thread::yield();
          continue;
        }
        const Message message = std::move(messages.back());
        messages.pop_back();
        lock.unlock();
        consuming.basic_ack(message);
        if (++handled == count) connection.stop();
      }
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (std::uint64_t n = 0; n < count / 2; ++n) {
        publishing.basic_publish("", "q", "m");
        publishing.wait_for_confirms(100);
      }
    });
  }
  threads.emplace_back([&] { connection.run(); });
  std::uint64_t acknowledged = 0;
  std::uint64_t published = 0;
  for (std::uint64_t tag = 1; tag <= count; ++tag)
    peer.deliver(1, tag, "m");
  while (acknowledged < count || published < count) {
    const amqp::Frame frame = peer.frame();
    if (frame.type != amqp::FrameType::method) continue;
    if (amqp::peek_method_id(frame.payload) == amqp::basic::Ack::id) ++acknowledged;
    if (amqp::peek_method_id(frame.payload) != amqp::basic::Publish::id) continue;
    peer.send(2, amqp::basic::Ack{.delivery_tag = ++published});
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(publishing.wait_for_confirms());
}
