#include "server/vhost.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include <haypile/broker.hpp>

#include "engine/restore.hpp"

namespace haypile::server {

namespace {

std::string to_json(const log::RecoveryReport& report) {
  nlohmann::ordered_json json{
      {"clean", report.clean},           {"segments", report.segment_count},
      {"records", report.record_count},  {"messages", report.message_counts},
      {"torn_bytes", report.torn_bytes}, {"duration_us", report.duration.count()}};
  if (!report.torn_reason.empty()) json["torn_reason"] = report.torn_reason;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Vhost::Vhost(std::string name, engine::TimeMs now) : engine_(std::move(name), nothing_, wire_) {
  engine_.set_now(now);
}

Vhost::Vhost(std::string name, engine::TimeMs now, log::DataDirectory& directory,
             std::function<void()> on_durable, std::function<void(const std::string&)> on_failure)
    : log_(std::make_unique<log::Log>(directory.files(), directory.vhost_directory(name),
                                      directory.id(),
                                      log::LogOptions{.on_durable = std::move(on_durable),
                                                      .on_failure = std::move(on_failure)})),
      engine_(std::move(name), *log_, wire_) {
  engine_.set_now(now);
  engine::Restore restore(engine_);
  report_ = to_json(log_->recover(restore));
}

void Vhost::flush() {
  if (log_) log_->flush();
}

std::size_t Vhost::pending_bytes() const {
  return log_ ? log_->pending_bytes() : 0;
}

bool Vhost::close_clean() {
  if (!log_) return true;
  engine_.mark_delivered();
  return log_->close_clean();
}

}  // namespace haypile::server
