#include "cli/work.hpp"

#include <doctest/doctest.h>

#include "cli/failed_queue.hpp"

using namespace haypile;
using namespace haypile::cli;

TEST_CASE("without tries a failed message is requeued or dropped") {
  WorkOptions options;
  CHECK(after_failure(options, 1) == Outcome::requeue);
  CHECK(after_failure(options, 1000) == Outcome::requeue);
  options.on_failure = OnFailure::drop;
  CHECK(after_failure(options, 1) == Outcome::drop);
}

TEST_CASE("with tries it is tried again, and then kept or dropped") {
  WorkOptions options;
  options.try_count = 3;
  CHECK(after_failure(options, 1) == Outcome::again);
  CHECK(after_failure(options, 2) == Outcome::again);
  CHECK(after_failure(options, 3) == Outcome::keep);
  CHECK(after_failure(options, 9) == Outcome::keep);
  options.on_failure = OnFailure::drop;
  CHECK(after_failure(options, 3) == Outcome::drop);
}

TEST_CASE("a failed message keeps its headers and says what has happened") {
  const amqp::Table headers{{"kind", "cat"}, {"x-delivery-count", 4}};
  const amqp::Table failed = failed_headers({.headers = headers.view()}, "q", "exit code 3", 5);
  CHECK(failed == amqp::Table{{"kind", "cat"},
                              {"x-failed-reason", "exit code 3"},
                              {"x-failed-queue", "q"},
                              {"x-failed-attempts", std::int64_t{5}}});
}

TEST_CASE("what would send it elsewhere or remove it gets another name") {
  const std::vector<amqp::Value> keys{"elsewhere"};
  const amqp::Table headers{{"CC", keys}, {"BCC", keys}};
  const amqp::Table failed = failed_headers(
      {.headers = headers.view(), .expiration = "1000", .user_id = "ann"}, "q", "signal 9", 1);
  CHECK_FALSE(failed.view().find("CC"));
  CHECK_FALSE(failed.view().find("BCC"));
  CHECK(failed.view().find("x-failed-cc")->as_array()->begin()->as_string() == "elsewhere");
  CHECK(failed.view().find("x-failed-bcc"));
  CHECK(failed.view().find("x-failed-expiration")->as_string() == "1000");
  CHECK(failed.view().find("x-failed-user-id")->as_string() == "ann");
}
