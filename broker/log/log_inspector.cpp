#include "log/log_inspector.hpp"

#include <algorithm>

#include "log/disk_reserve.hpp"

namespace haypile::log {

void LogInspector::run() {
  reader_.find_files();
  find_piles();
  check_leftovers();
  reader_.read_records([this](LogPosition, const Record& record) {
    if (const auto* gone = std::get_if<DeleteQueueRecord>(&record)) deleted_.insert(gone->queue);
  });
  report_.segments = reader_.segments();
  report_.record_count = reader_.end().record_count;
  report_.torn_bytes = reader_.end().torn_bytes;
  report_.torn_reason = reader_.end().torn_reason;
  report_.clean = reader_.live_messages().clean();
  catalog().each_queue(
      [this](const engine::QueueDefinition& queue) { report_.queues[queue.name]; });
  piles().each([this](Piles::Slot, Pile& pile) { check_pile(pile); });
  count_logged();
  std::uint64_t used = 0;
  for (const LogReader::Segment& segment : report_.segments)
    used += segment.used_bytes;
  for (const InspectionReport::StoredPile& pile : report_.piles)
    used += pile.bytes;
  report_.dead_bytes = used - std::min(used, report_.live_bytes);
  report_.damages = reader_.damages().all();
}

// A start removes these files or makes them anew, but it needs to be able to open them.
void LogInspector::check_leftovers() {
  const std::uint64_t first = reader_.checkpoint().first_segment;
  for (const std::string& name : reader_.names()) {
    const auto segment = segment_number(name);
    const auto pile = pile_number(name);
    const bool is_leftover = (segment && *segment < first) || (pile && !has_pile(*pile));
    if (is_leftover || DiskReserve::is_scratch(name)) reader_.read_file(name, 1);
  }
}

// Whether the messages of this queue count. If the queue was never declared and there is damage,
// its declaration may be lost, and it gets a new one.
bool LogInspector::knows_queue(engine::QueueId queue, const engine::MessageView& message) {
  if (catalog().has_queue(queue)) return true;
  if (!has_damage() || deleted_.contains(queue)) return false;
  std::string name(message.routing_key);
  if (!message.exchange.empty() || name.empty() || report_.queues.contains(name)) {
    name = "salvaged-" + std::to_string(queue);
  }
  catalog().declare_queue(
      {.id = queue, .name = name, .durable = true, .auto_delete = false, .arguments = {}});
  report_.queues[name];
  report_.adopted_queues.push_back(name);
  return true;
}

void LogInspector::each_logged(const LogReader::TakeMessage& take) {
  reader_.each_message(
      [this](LogPosition position, engine::QueueId queue, const engine::MessageView& message) {
        return !in_open_pile_.contains({position, queue}) && knows_queue(queue, message);
      },
      take);
}

void LogInspector::count_logged() {
  each_logged([this](LogPosition, const engine::MessageView& message,
                     std::span<const engine::RecoveredRef> refs) {
    report_.live_bytes += message.size();
    for (const engine::RecoveredRef& ref : refs)
      ++report_.queues[catalog().queue(ref.queue).name].in_log;
  });
}

}  // namespace haypile::log
