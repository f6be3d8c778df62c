#include "server/recovery_report.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace haypile::server {

std::string to_json(const log::RecoveryReport& report) {
  using Queue = std::pair<std::string_view, std::uint64_t>;
  std::vector<Queue> queues(report.message_counts.begin(), report.message_counts.end());
  std::uint64_t message_count = 0;
  for (const auto& [name, count] : queues)
    message_count += count;
  std::ranges::stable_sort(queues, std::ranges::greater(), &Queue::second);
  nlohmann::ordered_json messages = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < std::min(queues.size(), reported_queues_max); ++i)
    messages[std::string(queues[i].first)] = queues[i].second;
  nlohmann::ordered_json json{
      {"clean", report.clean},           {"segments", report.segment_count},
      {"records", report.record_count},  {"queues", queues.size()},
      {"message_count", message_count},  {"messages", std::move(messages)},
      {"torn_bytes", report.torn_bytes}, {"duration_us", report.duration.count()}};
  if (!report.torn_reason.empty()) json["torn_reason"] = report.torn_reason;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace haypile::server
