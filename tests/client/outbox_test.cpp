// Tests of a publisher's window. What a broker says is written down by the tests.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "client/core/outbox.hpp"

using haypile::OnLost;
using haypile::Outbox;
using haypile::OutboxMessage;
using Lines = std::vector<std::string>;
using std::chrono::seconds;

namespace {

OutboxMessage message(std::string_view body, bool mandatory = false) {
  return {.exchange = "e",
          .routing_key = "k",
          .raw_properties = "pp",
          .body = body,
          .mandatory = mandatory};
}

struct Fixture {
  explicit Fixture(OnLost on_lost = OnLost::resend, Outbox::Limits limits = {})
      : outbox(limits, on_lost) {}
  ~Fixture() { CHECK_NOTHROW(outbox.check_invariants()); }

  void add(const std::vector<std::string>& bodies, bool mandatory = false) {
    for (const std::string& body : bodies)
      REQUIRE(outbox.add(message(body, mandatory)) != 0);
  }
  // Sends all that may be sent, and returns the bodies.
  Lines send() {
    Lines bodies;
    while (const auto next = outbox.next_unsent()) {
      bodies.emplace_back(next->body);
      outbox.sent();
    }
    return bodies;
  }
  bool ack(std::uint64_t number, bool multiple = false) {
    return outbox.confirmed(number, multiple, true);
  }
  bool nack(std::uint64_t number, bool multiple = false) {
    return outbox.confirmed(number, multiple, false);
  }
  bool give_back(const OutboxMessage& content) { return outbox.returned(content, 312, "NO_ROUTE"); }
  // Receipts since the last call, such as "2 returned 312 NO_ROUTE"; attempts stand behind if they
  // are not 1.
  Lines receipts() {
    static const Lines outcomes{"confirmed", "refused", "returned", "unknown"};
    Lines lines;
    while (const auto receipt = outbox.next_receipt()) {
      std::string line = std::to_string(receipt->id) + " " +
                         outcomes.at(static_cast<std::size_t>(receipt->outcome));
      if (receipt->reply_code != 0) {
        line += " " + std::to_string(receipt->reply_code) + " " + receipt->reply_text;
      }
      if (receipt->attempts != 1) line += " x" + std::to_string(receipt->attempts);
      lines.push_back(line);
    }
    return lines;
  }

  Outbox outbox;
  Outbox::Time now{std::chrono::hours(1)};
};

}  // namespace

TEST_CASE("messages are sent in order, and each gets a receipt") {
  Fixture f;
  f.add({"a", "b", "c"});
  const auto next = f.outbox.next_unsent();
  REQUIRE(next);
  CHECK(next->exchange == "e");
  CHECK(next->routing_key == "k");
  CHECK(next->raw_properties == "pp");
  CHECK(next->body == "a");
  CHECK_FALSE(next->mandatory);
  CHECK(f.outbox.sent() == 1);
  CHECK(f.send() == Lines{"b", "c"});
  CHECK(f.outbox.count() == 3);
  CHECK(f.ack(2));
  CHECK(f.receipts() == Lines{"2 confirmed"});
  CHECK(f.nack(1));
  CHECK(f.ack(3));
  CHECK(f.receipts() == Lines{"1 refused", "3 confirmed"});
  CHECK(f.outbox.count() == 0);
  CHECK(f.outbox.bytes() == 0);
  CHECK(f.outbox.kept_bytes() == 0);
}

TEST_CASE("a confirm may be for many messages, or for all") {
  Fixture f;
  f.add({"a", "b", "c", "d", "e"});
  f.send();
  f.ack(2);
  CHECK(f.nack(3, true));
  CHECK(f.receipts() == Lines{"2 confirmed", "1 refused", "3 refused"});
  f.ack(5);
  CHECK(f.ack(0, true));
  CHECK(f.receipts() == Lines{"5 confirmed", "4 confirmed"});
  CHECK(f.ack(0, true));
  CHECK(f.receipts().empty());
}

TEST_CASE("a number that was never sent, or was settled before, breaks the protocol") {
  Fixture f;
  f.add({"a", "b", "c", "d"});
  CHECK_FALSE(f.ack(1));
  f.send();
  f.add({"unsent"});
  for (const bool multiple : {false, true}) {
    CHECK_FALSE(f.ack(5, multiple));
    CHECK_FALSE(f.ack(UINT64_MAX, multiple));
  }
  CHECK_FALSE(f.ack(0));
  CHECK(f.ack(2));
  CHECK_FALSE(f.ack(2));
  CHECK(f.ack(2, true));  // those before it
  CHECK(f.receipts() == Lines{"2 confirmed", "1 confirmed"});
  CHECK(f.nack(2, true));
  CHECK_FALSE(f.ack(1));
  CHECK_FALSE(f.ack(2));
  CHECK(f.receipts().empty());
  f.outbox.lost();
  CHECK_FALSE(f.ack(3));
  CHECK_FALSE(f.ack(1));
}

TEST_CASE("a message that no queue took says so when it is confirmed") {
  Fixture f;
  f.add({"a"});
  f.add({"b", "c", "d"}, true);
  f.send();
  CHECK_FALSE(f.give_back(message("a")));
  CHECK(f.give_back(message("c")));
  CHECK(f.give_back(message("d")));
  CHECK_FALSE(f.give_back(message("b")));
  CHECK(f.receipts().empty());
  CHECK(f.ack(3, true));
  CHECK(f.nack(4));
  CHECK(f.receipts() ==
        Lines{"1 confirmed", "2 confirmed", "3 returned 312 NO_ROUTE", "4 refused 312 NO_ROUTE"});
}

TEST_CASE("of equal messages the first ones are returned, one for each return") {
  Fixture f;
  f.add({"a", "a", "a"}, true);
  f.send();
  f.ack(1);
  CHECK(f.give_back(message("a")));
  f.ack(2);
  CHECK(f.give_back(message("a")));
  CHECK_FALSE(f.give_back(message("a")));
  f.ack(3);
  CHECK(f.receipts() == Lines{"1 confirmed", "2 returned 312 NO_ROUTE", "3 returned 312 NO_ROUTE"});
}

TEST_CASE("a returned message is the one with equal properties, or else with other ones") {
  Fixture f;
  OutboxMessage other = message("a", true);
  other.raw_properties = "other";
  f.add({"a", "a"}, true);
  f.outbox.add(other);
  f.add({"a"}, true);
  f.send();
  CHECK(f.give_back(other));
  OutboxMessage changed = message("a");
  changed.raw_properties = "changed by the broker";
  CHECK(f.give_back(changed));
  CHECK_FALSE(f.give_back(changed));
  f.ack(0, true);
  CHECK(f.receipts() ==
        Lines{"1 confirmed", "2 confirmed", "3 returned 312 NO_ROUTE", "4 returned 312 NO_ROUTE"});
}

TEST_CASE("what is a little different is not what was returned") {
  Fixture f;
  f.outbox.add({.exchange = "ab", .routing_key = "c", .body = "d", .mandatory = true});
  f.send();
  CHECK_FALSE(f.give_back({.exchange = "a", .routing_key = "bc", .body = "d"}));
  CHECK_FALSE(f.give_back({.exchange = "ab", .routing_key = "cd", .body = ""}));
  CHECK_FALSE(f.give_back({.exchange = "ab", .routing_key = "c", .body = "dd"}));
  CHECK(f.give_back({.exchange = "ab", .routing_key = "c", .body = "d"}));
}

TEST_CASE("a message with equal properties is not looked for without an end") {
  Fixture f(OnLost::resend, {.messages_max = 2'000});
  for (int i = 0; i < 1'002; ++i)
    f.add({"a"}, true);
  OutboxMessage far = message("a", true);
  far.raw_properties = "far";
  f.outbox.add(far);
  f.send();
  f.ack(1);
  CHECK(f.give_back(far));
  f.ack(2);
  CHECK(f.receipts() == Lines{"1 confirmed", "2 returned 312 NO_ROUTE"});
  CHECK(f.give_back(far));
  f.ack(1'003);
  CHECK(f.receipts() == Lines{"1003 returned 312 NO_ROUTE"});
}

TEST_CASE("after a loss what is unconfirmed is sent again, in the old order") {
  Fixture f;
  f.add({"a", "b", "c"});
  f.add({"d"}, true);
  f.send();
  f.add({"unsent"});
  f.ack(2);
  f.give_back(message("d"));
  f.outbox.lost();
  CHECK(f.receipts() == Lines{"2 confirmed", "4 returned 312 NO_ROUTE"});
  CHECK(f.outbox.unsent_count() == 3);
  f.add({"new"});
  CHECK(f.send() == Lines{"a", "c", "unsent", "new"});
  CHECK(f.ack(2, true));
  CHECK(f.ack(4));
  f.outbox.lost();
  CHECK(f.send() == Lines{"unsent"});
  f.ack(1);
  CHECK(f.receipts() == Lines{"1 confirmed x2", "3 confirmed x2", "6 confirmed", "5 confirmed x2"});
}

TEST_CASE("a return of the old channel does not hide one of the new channel") {
  Fixture f;
  f.add({"a", "b", "c"}, true);
  f.send();
  f.give_back(message("c"));
  f.outbox.lost();
  f.send();
  CHECK(f.give_back(message("a")));
  f.ack(0, true);
  CHECK(f.receipts() ==
        Lines{"3 returned 312 NO_ROUTE", "1 returned 312 NO_ROUTE x2", "2 confirmed x2"});
}

TEST_CASE("with the policy to report, what was sent is unknown, and the rest stays") {
  Fixture f(OnLost::report);
  f.add({"a", "b"}, true);
  f.add({"c"});
  f.send();
  f.add({"unsent"});
  f.ack(1);
  f.give_back(message("b"));
  f.outbox.lost();
  CHECK(f.receipts() == Lines{"1 confirmed", "2 returned 312 NO_ROUTE", "3 unknown"});
  CHECK(f.send() == Lines{"unsent"});
  CHECK(f.ack(1));
  CHECK(f.receipts() == Lines{"4 confirmed"});
}

TEST_CASE("only what may be needed again is kept") {
  Fixture reports(OnLost::report);
  CHECK(reports.outbox.sends_at_once());
  CHECK(reports.outbox.add_sent(message("12345")) == 1);
  CHECK(reports.outbox.bytes() == 9);
  CHECK(reports.outbox.kept_bytes() == 0);
  CHECK(reports.outbox.add(message("12345")) == 2);
  CHECK_FALSE(reports.outbox.sends_at_once());
  CHECK(reports.outbox.kept_bytes() == 9);
  reports.send();
  CHECK(reports.outbox.kept_bytes() == 0);
  CHECK(reports.outbox.add_sent(message("123", true)) == 3);
  CHECK(reports.outbox.kept_bytes() == 7);
  CHECK(reports.outbox.bytes() == 25);
  CHECK(reports.ack(2, true));
  CHECK(reports.outbox.bytes() == 7);
  CHECK(reports.receipts() == Lines{"1 confirmed", "2 confirmed"});

  Fixture sends_again;
  CHECK(sends_again.outbox.add_sent(message("12345")) == 1);
  CHECK(sends_again.outbox.kept_bytes() == 9);
  sends_again.outbox.lost();
  CHECK(sends_again.send() == Lines{"12345"});
}

TEST_CASE("a settled message is let go although one before it is not settled") {
  Fixture f;
  f.add({"first", std::string(100'000, 'x')});
  f.send();
  f.ack(2);
  CHECK(f.outbox.kept_bytes() == 9);
  CHECK(f.outbox.bytes() == 9);
}

TEST_CASE("the window is limited in messages and in bytes") {
  Fixture f(OnLost::resend, {.messages_max = 3, .bytes_max = 20});
  CHECK(f.outbox.has_room(1'000'000));
  f.add({"12345"});
  CHECK(f.outbox.has_room(11));
  CHECK_FALSE(f.outbox.has_room(12));
  CHECK_FALSE(f.outbox.has_room(SIZE_MAX));
  CHECK(f.outbox.add(message("12345678")) == 0);
  f.add({"", ""});
  CHECK_FALSE(f.outbox.has_room(0));
  CHECK(f.outbox.add(message("")) == 0);
  f.send();
  CHECK_FALSE(f.outbox.has_room(0));
  f.ack(2);
  CHECK(f.outbox.has_room(7));
  CHECK_FALSE(f.outbox.has_room(8));
  f.ack(0, true);
  // One that is too large goes alone.
  CHECK(f.outbox.add(message(std::string(1'000, 'x'))) == 4);
  CHECK_FALSE(f.outbox.has_room(0));
}

TEST_CASE("a message that is never confirmed does not make the memory of those behind it grow") {
  Fixture f(OnLost::resend, {.messages_max = 2});
  f.outbox.add_sent(message("slow"));
  std::uint64_t number = 1;
  while (f.outbox.add_sent(message("fast")) != 0)
    CHECK(f.ack(++number));
  CHECK(number == 2 * Outbox::numbers_max);
  CHECK(f.ack(1));
  CHECK(f.outbox.has_room(1));
}

TEST_CASE("what waits too long is unknown, and a late confirm is accepted") {
  Fixture f;
  f.outbox.add(message("a"), f.now + seconds(5));
  f.outbox.add(message("b"), f.now + seconds(3));
  f.outbox.add(message("for ever"));
  f.outbox.sent();
  f.outbox.sent();
  f.outbox.sent();
  f.outbox.add(message("c"), f.now + seconds(4));
  f.outbox.add(message("d"), f.now + seconds(6));
  CHECK(f.outbox.deadline() == f.now + seconds(3));
  f.outbox.expire(f.now + seconds(2));
  CHECK(f.receipts().empty());
  f.outbox.expire(f.now + seconds(4));
  CHECK(f.receipts() == Lines{"2 unknown", "4 unknown x0"});
  CHECK(f.outbox.deadline() == f.now + seconds(5));
  // The broker owes the confirm of b: it keeps its place. What was not sent leaves it.
  CHECK(f.outbox.count() == 4);
  CHECK(f.ack(2));
  CHECK_FALSE(f.ack(2));
  CHECK(f.outbox.count() == 3);
  CHECK(f.ack(1));
  CHECK(f.receipts() == Lines{"1 confirmed"});
  f.outbox.expire(f.now + seconds(5));
  CHECK(f.outbox.deadline() == f.now + seconds(6));
  CHECK(f.send() == Lines{"d"});
  f.ack(0, true);
  f.outbox.expire(f.now + seconds(6));
  CHECK(f.outbox.deadline() == Outbox::Time::max());
  CHECK(f.receipts() == Lines{"3 confirmed", "5 confirmed"});
}

TEST_CASE("an expired message is not sent again, and its return is accepted") {
  Fixture f;
  f.outbox.add(message("a", true), f.now);
  f.outbox.add(message("b", true), f.now);
  f.outbox.add(message("c"), f.now);
  f.send();
  f.give_back(message("a"));
  f.outbox.expire(f.now);
  CHECK(f.receipts() == Lines{"1 returned 312 NO_ROUTE", "2 unknown", "3 unknown"});
  // The body of c is of no use any more, that of b shows which message is returned.
  CHECK(f.outbox.kept_bytes() == 10);
  CHECK(f.give_back(message("b")));
  CHECK_FALSE(f.give_back(message("b")));
  CHECK(f.ack(1, true));
  f.outbox.lost();
  CHECK(f.receipts().empty());
  CHECK(f.send().empty());
  CHECK(f.outbox.count() == 0);
}

TEST_CASE("the message that makes the broker close the channel is found, and refused") {
  Fixture f;
  f.add({"a", "b", "bad", "c"});
  f.send();
  f.add({"d"});
  f.ack(1);
  f.outbox.closed(404, "NOT_FOUND");
  CHECK_FALSE(f.outbox.sends_at_once());
  CHECK(f.send() == Lines{"b"});
  f.ack(1);
  CHECK(f.send() == Lines{"bad"});
  CHECK_FALSE(f.outbox.sends_at_once());
  f.outbox.lost();
  CHECK(f.send() == Lines{"bad"});
  f.outbox.closed(404, "NOT_FOUND");
  CHECK(f.receipts() == Lines{"1 confirmed", "2 confirmed x2", "3 refused 404 NOT_FOUND x3"});
  CHECK(f.send() == Lines{"c"});
  CHECK(f.outbox.add(message("e")) == 6);
  f.ack(1);
  CHECK(f.send() == Lines{"d", "e"});
  CHECK(f.outbox.sends_at_once());
}

TEST_CASE("what came back before the channel was closed stays returned") {
  Fixture f;
  f.add({"a"}, true);
  f.send();
  f.give_back(message("a"));
  f.outbox.closed(404, "NOT_FOUND");
  CHECK(f.receipts() == Lines{"1 returned 312 NO_ROUTE"});
}

TEST_CASE("with the policy to report, receipts say why the channel was closed") {
  Fixture f(OnLost::report);
  f.add({"a", "b"});
  f.send();
  f.add({"c"});
  f.outbox.closed(404, "NOT_FOUND");
  CHECK(f.receipts() == Lines{"1 unknown 404 NOT_FOUND", "2 unknown 404 NOT_FOUND"});
  CHECK(f.outbox.sends_at_once() == false);
  CHECK(f.send() == Lines{"c"});
  f.outbox.closed(406, "TOO_LARGE");
  CHECK(f.receipts() == Lines{"3 refused 406 TOO_LARGE"});
}

TEST_CASE("a publisher that gives up has a receipt for each message") {
  Fixture f;
  f.add({"a", "b"}, true);
  f.send();
  f.add({"c"});
  f.give_back(message("b"));
  f.outbox.abandon();
  CHECK(f.receipts() == Lines{"1 unknown", "2 returned 312 NO_ROUTE", "3 unknown x0"});
  CHECK(f.outbox.count() == 0);
  CHECK(f.outbox.kept_bytes() == 0);
}
