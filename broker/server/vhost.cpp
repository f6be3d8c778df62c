#include "server/vhost.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include <haypile/broker.hpp>

#include "engine/restore.hpp"

namespace haypile::server {

namespace {

// More than this to write is more than the log can do soon.
constexpr std::size_t pending_max_bytes = 16u << 20;

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
             log::LogOptions options, std::size_t queue_memory_bytes)
    : log_(std::make_unique<log::Log>(directory.files(), directory.vhost_directory(name),
                                      directory.id(), std::move(options))),
      engine_(std::move(name), *log_, wire_) {
  engine_.set_movable_max_bytes(queue_memory_bytes);
  engine_.set_now(now);
  engine::Restore restore(engine_);
  report_ = to_json(log_->recover(restore));
}

void Vhost::flush() {
  if (!log_) return;
  engine_.make_room();
  log_->flush();
}

bool Vhost::is_behind() const {
  return log_ && (log_->pending_bytes() > pending_max_bytes || log_->is_overfull() ||
                  log_->is_out_of_space());
}

bool Vhost::is_out_of_space(std::uint64_t free_limit_bytes) const {
  if (!log_) return false;
  try {
    return log_->is_out_of_space() || log_->free_disk_bytes() < free_limit_bytes;
  } catch (const log::IoError&) {
    return false;  // the next write will tell
  }
}

void Vhost::look_for_space() {
  if (log_ && log_->is_out_of_space()) log_->look_for_space();
}

bool Vhost::close_clean() {
  if (!log_) return true;
  engine_.mark_delivered();
  return log_->close_clean();
}

}  // namespace haypile::server
