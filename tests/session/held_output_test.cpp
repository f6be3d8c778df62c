// Replies that wait for the log.
#include <doctest/doctest.h>

#include <string>

#include "session/held_output.hpp"

using namespace haypile;
using session::HeldOutput;
using session::Output;

namespace {

void say(HeldOutput& held, const std::string& text) {
  held.tail().frames() += text;
}

std::string text_of(const Output& output) {
  session::OutputPieces pieces;
  output.look(0, pieces);
  std::string text;
  for (std::size_t i = 0; i < pieces.count; ++i)
    text += pieces.pieces[i];
  return text;
}

std::string released(HeldOutput& held, engine::LogPosition durable) {
  Output out;
  held.release(durable, out);
  return text_of(out);
}

}  // namespace

TEST_CASE("what is held goes out in its order, when the log is durable that far") {
  HeldOutput held;
  CHECK(held.empty());
  held.hold(10);
  say(held, "a");
  held.hold(10);
  say(held, "b");
  held.hold(20);
  say(held, "c");
  CHECK(held.sizes().all == 3);
  CHECK(released(held, 9) == "");
  CHECK(released(held, 10) == "ab");
  CHECK(held.sizes().all == 1);
  CHECK(released(held, 25) == "c");
  CHECK(held.empty());
  CHECK(held.sizes().all == 0);
}

TEST_CASE("what is released leaves room for as many again") {
  HeldOutput held;
  std::string expected;
  std::string out;
  for (engine::LogPosition position = 1; position <= 1000; ++position) {
    held.hold(position);
    say(held, std::to_string(position) + " ");
    expected += std::to_string(position) + " ";
    if (position % 7 == 0) out += released(held, position - 3);
  }
  out += released(held, 1000);
  CHECK(out == expected);
  CHECK(held.empty());
}
