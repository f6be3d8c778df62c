#include "server/recovery_report.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace haypile;

TEST_CASE("the report of a recovery names the fullest queues, and counts all") {
  log::RecoveryReport report;
  for (std::uint64_t i = 0; i < 100'000; ++i)
    report.message_counts["q" + std::to_string(i)] = i;
  const std::string line = server::to_json(report);
  CHECK(line.size() < 1000);
  const auto json = nlohmann::json::parse(line);
  CHECK(json["queues"] == 100'000);
  CHECK(json["message_count"] == 4'999'950'000);
  CHECK(json["messages"].size() == server::reported_queues_max);
  CHECK(json["messages"]["q99999"] == 99'999);
  CHECK(json["messages"]["q99980"] == 99'980);
}

TEST_CASE("the report of a recovery is one line, whatever queues are called") {
  log::RecoveryReport report;
  report.message_counts["a\nb\x1b[31m\xff"] = 1;
  const std::string line = server::to_json(report);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK_FALSE(nlohmann::json::parse(line)["messages"].empty());
}
