#include "server/recovery_report.hpp"

#include <nlohmann/json.hpp>

namespace haypile::server {

std::string to_json(const log::RecoveryReport& report) {
  nlohmann::ordered_json json{
      {"clean", report.clean},           {"segments", report.segment_count},
      {"records", report.record_count},  {"messages", report.message_counts},
      {"torn_bytes", report.torn_bytes}, {"duration_us", report.duration.count()}};
  if (!report.torn_reason.empty()) json["torn_reason"] = report.torn_reason;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace haypile::server
