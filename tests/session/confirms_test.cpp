// Which messages of a channel are confirmed when.
#include <doctest/doctest.h>

#include <string>

#include "session/confirms.hpp"

using namespace haypile;
using session::Confirms;

namespace {

// All that can be answered now: "3+" is an ack of tag 3 with `multiple`, "3-" is a nack.
std::string answers(Confirms& confirms, engine::LogPosition durable) {
  std::string text;
  for (auto answer = confirms.take(durable); answer.delivery_tag != 0;
       answer = confirms.take(durable)) {
    text += std::to_string(answer.delivery_tag) +
            (answer.rejected ? "- " : (answer.multiple ? "+ " : " "));
  }
  return text;
}

}  // namespace

TEST_CASE("nothing is confirmed on a channel that did not ask for it") {
  Confirms confirms;
  confirms.published();
  confirms.seal(10);
  CHECK_FALSE(confirms.any_waiting());
  CHECK(answers(confirms, 100) == "");
}

TEST_CASE("what became durable together is confirmed by one ack") {
  Confirms confirms;
  confirms.enable();
  confirms.published();
  confirms.seal(10);
  CHECK(answers(confirms, 9) == "");
  CHECK(confirms.any_waiting());
  confirms.published();
  confirms.published();
  confirms.seal(20);
  confirms.published();
  confirms.seal(30);
  CHECK(answers(confirms, 20) == "3+ ");
  CHECK(answers(confirms, 29) == "");
  CHECK(answers(confirms, 30) == "4 ");
  CHECK_FALSE(confirms.any_waiting());
}

TEST_CASE("a refused message is told by itself, in its order") {
  Confirms confirms;
  confirms.enable();
  confirms.published();
  confirms.published();
  confirms.published();
  confirms.rejected(10);  // the third one
  confirms.published();
  confirms.seal(20);
  CHECK(answers(confirms, 20) == "2+ 3- 4 ");
}

TEST_CASE("a seal without a new message adds nothing") {
  Confirms confirms;
  confirms.enable();
  confirms.published();
  confirms.seal(10);
  confirms.seal(99);
  CHECK(answers(confirms, 10) == "1 ");
}
