#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include <haypile/amqp/methods.hpp>

#include "session/held_output.hpp"
#include "session/output.hpp"

using namespace haypile;
using session::HeldOutput;
using session::Output;
using session::OutputPieces;

namespace {

struct Fixture {
  engine::MemoryUse memory;
  session::SpareBuffers spares;

  engine::MessagePtr message(std::size_t size) {
    static const std::string text = [] {
      std::string bytes;
      for (std::size_t i = 0; i < 16u << 20; ++i)
        bytes += static_cast<char>('a' + i % 23);
      return bytes;
    }();
    const std::string_view body = std::string_view(text).substr(0, size);
    return engine::Message::make({.exchange = "e",
                                  .routing_key = "k",
                                  .properties = std::string_view("\0\0", 2),
                                  .body = body},
                                 {}, 0, memory);
  }
  // Adds a delivery to the output, and to `wanted` as it has to be on the wire.
  static void add(Output& output, const engine::MessagePtr& message, std::uint32_t frame_max,
                  std::string& wanted) {
    const amqp::basic::Deliver method{.consumer_tag = "c", .delivery_tag = 1};
    amqp::append_method(output.frames(), 1, method);
    amqp::append_content_header(output.frames(), 1, 60, message->body().size(),
                                message->properties());
    output.add_body(message, 1, frame_max, Output::Kind::delivery);
    amqp::append_message(wanted, 1, method, message->properties(), message->body(), frame_max);
  }
  static std::string look(const Output& output, std::size_t skipped = 0) {
    std::string bytes;
    OutputPieces pieces;
    do {
      output.look(skipped + bytes.size(), pieces);
      for (const std::string_view piece : pieces.all())
        bytes += piece;
    } while (pieces.count > 0);
    return bytes;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "bodies come out in frames, however the output is cut") {
  std::mt19937 random(7);
  for (const std::uint32_t frame_max : {4096u, 8192u, 131072u}) {
    for (int round = 0; round < 5; ++round) {
      Output output;
      std::string wanted;
      std::string sent;
      for (int i = 0; i < 12; ++i) {
        const std::size_t frame = frame_max - 8;
        const std::size_t sizes[] = {4096, frame, frame - 1, frame + 1, 3 * frame, 100'000};
        add(output, message(sizes[random() % 6]), frame_max, wanted);
        if (random() % 2 == 0) {
          amqp::append_heartbeat(output.frames());
          amqp::append_heartbeat(wanted);
        }
        OutputPieces pieces;
        output.look(0, pieces);
        std::string part;
        for (const std::string_view piece : pieces.all())
          part += piece;
        part.resize(random() % (part.size() + 1));
        output.pop(part.size(), spares);
        sent += part;
      }
      REQUIRE(output.size() == wanted.size() - sent.size());
      const std::size_t skipped = random() % (output.size() + 1);
      CHECK(look(output, skipped) == wanted.substr(sent.size() + skipped));
      while (!output.empty()) {
        std::string rest = look(output);
        rest.resize(1 + random() % rest.size());
        output.pop(rest.size(), spares);
        sent += rest;
      }
      CHECK(sent == wanted);
      CHECK(output.delivery_bytes() == 0);
    }
  }
  CHECK(memory.bytes == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "a body that waits for many is in memory once, whatever the frame size") {
  const engine::MessagePtr large = message(16u << 20);
  const std::size_t once = memory.bytes;
  std::vector<Output> outputs(200);
  std::size_t bytes = 0;
  for (Output& output : outputs) {
    amqp::append_content_header(output.frames(), 1, 60, large->body().size(), large->properties());
    output.add_body(large, 1, 4096, Output::Kind::delivery);
    bytes += output.memory_bytes();
  }
  CHECK(memory.bytes < once + outputs.size() * 128);  // a reference is counted, too
  CHECK(bytes < outputs.size() * 1024);
}

TEST_CASE_FIXTURE(Fixture, "what grew large is given back when all has been sent") {
  Output output;
  output.frames().append(1u << 20, 'x');
  for (int i = 0; i < 1000; ++i)
    output.add_body(message(5000), 1, 4096, Output::Kind::reply);
  output.pop(output.size(), spares);
  CHECK(output.memory_bytes() <= 2 * Output::kept_bytes);
  CHECK(memory.bytes == 0);
}

TEST_CASE_FIXTURE(Fixture, "what one output does not need any more is for the next that grows") {
  const auto grow = [](Output& output, std::size_t size) { output.frames().append(size, 'x'); };
  Output first;
  grow(first, 1u << 20);
  first.pop(first.size(), spares);
  const std::size_t kept = spares.bytes();
  CHECK(kept >= 1u << 20);
  Output second;
  second.look_for_room(spares);  // the output is small
  CHECK(spares.bytes() == kept);
  grow(second, 50'000);
  second.look_for_room(spares);
  CHECK(spares.bytes() == 0);
  CHECK(second.memory_bytes() >= 1u << 20);
  CHECK(look(second) == std::string(50'000, 'x'));
  // Only buffers that are useful are kept.
  std::vector<Output> many(20);
  for (Output& output : many) {
    grow(output, 1u << 20);
    output.pop(output.size(), spares);
  }
  CHECK(spares.bytes() <= session::SpareBuffers::bytes_max);
  CHECK(spares.bytes() > session::SpareBuffers::bytes_max / 2);
}

TEST_CASE_FIXTURE(Fixture, "what is sent slowly does not keep what has been sent") {
  Output output;
  for (int i = 0; i < 10'000; ++i) {
    output.frames().append(1000, 'x');
    if (i > 10) output.pop(1000, spares);
  }
  CHECK(output.size() == 11'000);
  CHECK(output.memory_bytes() < 512u << 10);
}

TEST_CASE_FIXTURE(Fixture, "held output goes out in its order, with its bodies") {
  HeldOutput held;
  Output out;
  std::string wanted;
  held.hold(10);
  add(held.tail(), message(10'000), 4096, wanted);
  held.hold(20);
  add(held.tail(), message(5000), 4096, wanted);
  held.hold(15);  // the frames behind it wait as long
  amqp::append_heartbeat(held.tail().frames());
  amqp::append_heartbeat(wanted);
  CHECK(held.sizes().all == wanted.size());
  CHECK(held.sizes().deliveries > 15'000);
  held.release(9, out);
  CHECK(out.empty());
  held.release(10, out);
  CHECK(out.size() + held.sizes().all == wanted.size());
  held.release(20, out);
  CHECK(held.empty());
  CHECK(held.sizes().all == 0);
  CHECK(look(out) == wanted);
}
