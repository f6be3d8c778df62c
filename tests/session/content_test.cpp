// The frames of one message put together: publish, header, body.
#include <doctest/doctest.h>

#include <string>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "session/content.hpp"

using namespace haypile;
using session::Content;

namespace {

// The payload of a content header frame.
std::string header_of(std::uint64_t body_size, std::uint16_t class_id = 60) {
  std::string frame;
  amqp::append_content_header(frame, 1, class_id, body_size, std::string(2, '\0'));
  return frame.substr(7, frame.size() - 8);
}

constexpr std::uint64_t size_max = 1000;

}  // namespace

TEST_CASE("a message is complete with its last byte, and is told once") {
  Content content;
  content.begin({.exchange = "x", .routing_key = "key", .mandatory = true});
  CHECK(content.expects() == Content::Expects::header);
  REQUIRE_FALSE(content.header(header_of(5), size_max));
  CHECK(content.expects() == Content::Expects::body);
  CHECK(content.is_body_untouched());
  REQUIRE_FALSE(content.body("abc"));
  CHECK_FALSE(content.take_complete());
  CHECK(content.body_left() == 2);
  REQUIRE_FALSE(content.body("de"));
  CHECK(content.take_complete());
  CHECK_FALSE(content.take_complete());
  CHECK(content.expects() == Content::Expects::method);
  CHECK(content.exchange() == "x");
  CHECK(content.routing_key() == "key");
  CHECK(content.mandatory());
}

TEST_CASE("a message without a body is complete with its header") {
  Content content;
  content.begin({.routing_key = "q"});
  REQUIRE_FALSE(content.header(header_of(0), size_max));
  CHECK(content.take_complete());
  CHECK(content.expects() == Content::Expects::method);
}

TEST_CASE("frames in another order are refused, and so is what is too large") {
  Content content;
  CHECK(content.header(header_of(1), size_max).code == amqp::ReplyCode::unexpected_frame);
  CHECK(content.body("a").code == amqp::ReplyCode::unexpected_frame);
  content.begin({.routing_key = "q"});
  CHECK(content.body("a").code == amqp::ReplyCode::unexpected_frame);
  SUBCASE("a header of another class") {
    CHECK(content.header(header_of(1, 50), size_max).code == amqp::ReplyCode::unexpected_frame);
  }
  SUBCASE("a body that is larger than it may be") {
    CHECK(content.header(header_of(size_max + 1), size_max).code ==
          amqp::ReplyCode::precondition_failed);
    CHECK(content.expects() == Content::Expects::method);
  }
  SUBCASE("more body than the header said") {
    REQUIRE_FALSE(content.header(header_of(2), size_max));
    CHECK(content.body("abc"));
  }
  SUBCASE("a header that ends too soon") {
    CHECK(content.header(header_of(1).substr(0, 9), size_max));
  }
}
