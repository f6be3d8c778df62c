#include "log/log_inspector.hpp"

#include <algorithm>
#include <map>
#include <new>
#include <utility>

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/disk_reserve.hpp"
#include "log/newest.hpp"

namespace haypile::log {

namespace {

// The largest segment size that is believed if no header has it. A daemon's segments have 8 MiB,
// and a file with a hole may have any size.
constexpr std::uint64_t guessed_size_max = 64u << 20;

// The error's text without the file's name at its beginning.
std::string phrase(const std::string& text, const std::string& path) {
  const std::string name = "'" + path + "' ";
  return text.starts_with(name) ? text.substr(name.size()) : text;
}

// Throws if the file is undamaged and was written by a version that is newer than this program.
void refuse_newer(std::string_view bytes, std::uint64_t checksum_at, std::uint64_t seed,
                  const DirectoryId& id, const std::string& path) {
  if (bytes.size() < checksum_at + 8 || get_u32(bytes, 8) <= format_version) return;
  if (checksum(bytes.substr(0, checksum_at), id, seed) != get_u64(bytes, checksum_at)) return;
  throw IoError("'" + path + "' " + version_error(get_u32(bytes, 8)));
}

bool is_believed(std::uint64_t segment_size) {
  return segment_size >= segment_size_min && segment_size <= guessed_size_max;
}

// The segment size that follows from the position in the first batch header that can be read; 0 if
// there is none.
std::uint64_t size_by_batches(std::string_view bytes, std::uint64_t number, const DirectoryId& id) {
  if (number == 0) return 0;
  for (std::size_t at = segment_header_size; at + batch_header_size <= bytes.size();
       at += batch_alignment) {
    const LogPosition position = get_u64(bytes, at + batch_position_at);
    if (position < at || (position - at) % number != 0) continue;
    const std::uint64_t size = (position - at) / number;
    if (is_believed(size) && decode_batch_header(bytes.substr(at), id, position)) return size;
  }
  return 0;
}

std::uint64_t size_of(const engine::MessageView& message) {
  return message.exchange.size() + message.routing_key.size() + message.properties.size() +
         message.body.size();
}

}  // namespace

void LogInspector::run() {
  try {
    names_ = files_.list(directory_);
  } catch (const IoError& error) {
    add_damage({.file = directory_, .what = phrase(error.what(), directory_)});
  }
  std::ranges::sort(names_);
  read_newest();
  read_head();
  find_segments();
  find_piles();
  check_leftovers();
  copies_.emplace(piles_, position_, moved_);
  each_record([this](LogPosition position, const Record& record) {
    copies_->apply(position, record);
    if (const auto* gone = std::get_if<DeleteQueueRecord>(&record)) deleted_.insert(gone->queue);
    if (position >= position_) catalog_.apply(record);
  });
  report_.clean = copies_->clean();
  catalog_.each_queue([this](const engine::QueueDefinition& queue) { report_.queues[queue.name]; });
  piles_.each([this](Piles::Slot, Pile& pile) { check_pile(pile); });
  is_noting_ = false;
  count_logged();
  std::uint64_t used = 0;
  for (const InspectionReport::Segment& segment : report_.segments)
    used += segment.used_bytes;
  for (const InspectionReport::StoredPile& pile : report_.piles)
    used += pile.bytes;
  report_.dead_bytes = used - std::min(used, report_.live_bytes);
}

std::optional<LogInspector::FileStart> LogInspector::read_file(const std::string& name,
                                                               std::uint64_t size_max) {
  const std::string file = path(name);
  try {
    const auto opened = files_.open(file);
    const std::uint64_t size = opened->size();
    return FileStart{opened->read(0, std::min(size, size_max)), size};
  } catch (const IoError& error) {
    add_damage({.file = file, .what = phrase(error.what(), file)});
  } catch (const std::bad_alloc&) {
    add_damage({.file = file, .what = "is too large to be read"});
  }
  return std::nullopt;
}

void LogInspector::read_newest() {
  has_newest_ = std::ranges::binary_search(names_, newest_name);
  if (!has_newest_) return;
  const auto read = read_file(newest_name, newest_size_max);
  if (read) newest_ = decode_newest(read->bytes, id_);
  is_newest_lost_ = !newest_;
  if (newest_ || !read) return;
  add_damage({.file = path(newest_name), .what = "is damaged: no slot of it is whole"});
}

// The file `newest` is only created when there is a checkpoint.
void LogInspector::read_head() {
  has_checkpoint_ = std::ranges::binary_search(names_, checkpoint_name);
  if (!has_checkpoint_) {
    is_head_lost_ = has_newest_;
    if (has_newest_) add_damage({.file = path(checkpoint_name), .what = "is missing"});
    return;
  }
  const auto read = read_file(checkpoint_name, checkpoint_size_max);
  is_head_lost_ = !read;
  if (!read) return;
  const std::string& bytes = read->bytes;
  const std::string file = path(checkpoint_name);
  try {
    Checkpoint checkpoint = decode_checkpoint(bytes, file, id_);
    first_segment_ = checkpoint.first_segment;
    position_ = checkpoint.position;
    moved_ = checkpoint.moved;
    catalog_ = std::move(checkpoint.catalog);
    piles_ = std::move(checkpoint.piles);
  } catch (const IoError& error) {
    if (bytes.size() > segment_header_size && bytes.starts_with(checkpoint_magic)) {
      refuse_newer(bytes, bytes.size() - 8, get_u64(bytes, 40), id_, file);
    }
    is_head_lost_ = true;
    catalog_ = read_definitions(bytes);
    add_damage({.file = file, .what = phrase(error.what(), file), .bytes = read->size});
  }
}

void LogInspector::find_segments() {
  std::vector<std::uint64_t> found;
  for (const std::string& name : names_) {
    if (const auto number = segment_number(name)) found.push_back(*number);
  }
  if (is_head_lost_ && !found.empty()) first_segment_ = found.front();
  // Segments before the first needed one are left by a recycling that a crash has interrupted.
  std::erase_if(found, [this](std::uint64_t number) { return number < first_segment_; });
  std::vector<SegmentHead> heads;
  for (const std::uint64_t number : found)
    heads.push_back(read_segment_head(number));
  if (!heads.empty() && heads.back().is_read && heads.back().result.blank &&
      heads.back().number > newest_.value_or(0)) {
    last_segment_ = heads.back().number;
    heads.pop_back();
  }
  segment_size_ = size_of_segments(heads);
  std::uint64_t expected = first_segment_;
  for (const SegmentHead& head : heads) {
    if (!add_segment(head)) continue;
    note_missing(expected, head.number);
    expected = head.number + 1;
  }
  if (newest_) note_missing(expected, *newest_ + 1);
  const bool is_version_5 = std::ranges::any_of(heads, [](const SegmentHead& head) {
    return head.result.error.empty() && head.result.header.version >= 5;
  });
  if (is_version_5 && !has_newest_) {
    is_newest_lost_ = true;
    add_damage({.file = path(newest_name), .what = "is missing"});
  }
  const bool has_begun = newest_.value_or(0) != 0 || position_ != 0;
  if (numbers_.empty() && has_begun && newest_.value_or(0) < first_segment_) {
    note_missing(first_segment_, first_segment_ + 1);
  }
  last_segment_ = std::max(last_segment_, first_segment_);
}

LogInspector::SegmentHead LogInspector::read_segment_head(std::uint64_t number) {
  SegmentHead head{.number = number};
  const auto read = read_file(segment_name(number), segment_header_size);
  head.is_read = read.has_value();
  std::string& error = head.result.error;
  if (!read) {
    error = "has no header";
    return head;
  }
  refuse_newer(read->bytes, segment_header_size - 8, 0, id_, path(segment_name(number)));
  head.file_size = read->size;
  head.result = decode_segment_header(read->bytes, id_);
  const SegmentHeader& header = head.result.header;
  if (!error.empty()) return head;
  if (header.number != number) {
    error = "is " + segment_name(header.number) + " under another name";
  } else if (header.segment_size < segment_size_min) {
    error = "has an impossible size";
  }
  return head;
}

// The size that most of the undamaged headers have, or else that most of the segments' batches
// tell, or else that most of the files have.
std::uint64_t LogInspector::size_of_segments(const std::vector<SegmentHead>& heads) {
  std::map<std::uint64_t, std::size_t> counts;
  for (const SegmentHead& head : heads) {
    if (head.result.error.empty()) ++counts[head.result.header.segment_size];
  }
  if (counts.empty()) {
    for (const SegmentHead& head : heads) {
      const auto read =
          head.is_read ? read_file(segment_name(head.number), guessed_size_max) : std::nullopt;
      if (!read) continue;
      if (const auto size = size_by_batches(read->bytes, head.number, id_)) ++counts[size];
    }
  }
  if (counts.empty()) {
    for (const SegmentHead& head : heads) {
      if (is_believed(head.file_size)) ++counts[head.file_size];
    }
  }
  const auto most = std::ranges::max_element(counts, {}, &decltype(counts)::value_type::second);
  return most == counts.end() ? 0 : most->first;
}

void LogInspector::note_missing(std::uint64_t first, std::uint64_t end) {
  if (first >= end) return;
  std::string what = "is missing";
  if (end - first > 1) what += ", as are those up to " + segment_name(end - 1);
  add_damage({.file = path(segment_name(first)), .what = what});
}

// Batches have checksums of their own, so that a segment with a damaged header is read, too.
// Returns false if the segment cannot be one of this log.
bool LogInspector::add_segment(const SegmentHead& head) {
  const std::string file = path(segment_name(head.number));
  std::string error = head.result.error;
  const bool is_whole = error.empty();
  if (is_whole && head.result.header.segment_size != segment_size_) error = "has another size";
  if (segment_size_ == 0 || head.number > position_max / segment_size_) {
    add_damage({.file = file, .what = is_whole ? "has an impossible number" : error});
    return false;
  }
  if (!error.empty()) {
    add_damage({.file = file,
                .what = error,
                .bytes = std::min<std::uint64_t>(head.file_size, segment_header_size)});
  }
  last_segment_ = std::max(last_segment_, head.number);
  numbers_.push_back(head.number);
  report_.segments.push_back(
      {.number = head.number, .version = is_whole ? head.result.header.version : 0});
  return true;
}

// A start removes these files or makes them anew, but it needs to be able to open them.
void LogInspector::check_leftovers() {
  for (const std::string& name : names_) {
    const auto segment = segment_number(name);
    const auto pile = pile_number(name);
    const bool is_leftover = (segment && *segment < first_segment_) || (pile && !has_pile(*pile));
    if (is_leftover || DiskReserve::is_scratch(name)) read_file(name, 1);
  }
}

std::string_view LogInspector::read_segment(std::uint64_t number) {
  auto read = read_file(segment_name(number), segment_size_);
  segment_bytes_ = read ? std::move(read->bytes) : "";
  return segment_bytes_;
}

// Where a batch cannot be read, the inspection continues at the next place in the segment whose
// batch header is undamaged; where a segment is missing or has nothing more, it continues with the
// next segment. In all these cases interrupt() forgets fragments that will not be completed, and
// ends an open group: the messages that it published are kept, since it is better to deliver a
// message twice than to lose it.
void LogInspector::each_record(const Records::Visit& visit) {
  Records records;
  std::uint32_t epoch = 0;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const std::uint64_t number = numbers_[i];
    if (i > 0 && numbers_[i - 1] + 1 != number) interrupt(records);
    SegmentReader reader(read_segment(number), number, segment_size_, epoch, id_);
    records.unseal();
    if (is_noting_) copies_->begin_segment();
    do {
      Batch batch;
      while (!records.sealed() && reader.next(batch))
        read_batch(number, batch, records, visit);
    } while (!records.sealed() && skip_damage(number, reader, records));
    epoch = reader.epoch();
    if (is_noting_) report_.segments[i].used_bytes = reader.offset();
    if (number != numbers_.back()) continue;
    check_whole(reader.offset(), records.sealed());
    if (is_end_lost(number * segment_size_ + reader.offset())) interrupt(records);
  }
  report_.record_count = records.count();
}

void LogInspector::read_batch(std::uint64_t number, const Batch& batch, Records& records,
                              const Records::Visit& visit) {
  const std::string error = records.read(batch.records, batch.position, visit);
  if (error.empty()) return;
  add_damage({.file = path(segment_name(number)),
              .offset = batch.position - batch_header_size - number * segment_size_,
              .what = "has " + error,
              .bytes = batch.records.size()});
  interrupt(records);
}

// Called where no batch follows. Returns whether the segment continues behind that place.
bool LogInspector::skip_damage(std::uint64_t number, SegmentReader& reader, Records& records) {
  const bool is_last = number == numbers_.back();
  const std::uint64_t offset = reader.offset();
  const SegmentReader::Tail tail = reader.tail();
  if (is_last && !tail.was_durable) {
    report_.torn_bytes = tail.torn_bytes;
    if (tail.torn_bytes == 0) return false;
    report_.torn_reason = "the end of '" + segment_name(number) + "' from offset " +
                          std::to_string(offset) + " on was not written whole";
    return false;
  }
  interrupt(records);
  const bool goes_on = reader.skip() && !HAYPILE_CANARY(inspector_ends_at_damage);
  const std::uint64_t end = goes_on ? reader.offset() : segment_bytes_.size();
  add_damage({.file = path(segment_name(number)),
              .offset = offset,
              .what = is_last ? "is damaged: a batch further on says that all before it was durable"
                              : "is damaged: the next segment goes on behind it",
              .bytes = end - std::min(offset, end)});
  return goes_on;
}

void LogInspector::interrupt(Records& records) {
  records.forget_fragments();
  if (is_noting_) copies_->break_group();
}

// Whether the log was durable beyond `end`, or nothing says that it was not. The end of a group may
// have been there.
bool LogInspector::is_end_lost(LogPosition end) const {
  return end < position_ || newest_.value_or(0) > numbers_.back() || is_newest_lost_ ||
         report_.segments.back().version == 0;
}

// Everything before a checkpoint's position was synced before the checkpoint was written.
void LogInspector::check_whole(std::uint64_t offset, bool is_sealed) {
  const std::uint64_t number = numbers_.back();
  const std::string file = path(segment_name(number));
  if (!is_sealed && offset + seal_size > segment_size_) {
    add_damage({.file = file, .offset = offset, .what = "is full, and not sealed"});
  }
  if (number * segment_size_ + offset >= position_ || HAYPILE_CANARY(short_log_not_listed)) return;
  add_damage({.file = file,
              .offset = offset,
              .what = "is damaged: the checkpoint says that more than what is before was durable"});
}

// Whether the messages of this queue count. If the queue was never declared and there is damage,
// its declaration may be lost, and it gets a new one.
bool LogInspector::knows_queue(engine::QueueId queue, const engine::MessageView& message) {
  if (catalog_.has_queue(queue)) return true;
  if (report_.damages.empty() || deleted_.contains(queue)) return false;
  std::string name(message.routing_key);
  if (!message.exchange.empty() || name.empty() || report_.queues.contains(name)) {
    name = "salvaged-" + std::to_string(queue);
  }
  catalog_.declare_queue(
      {.id = queue, .name = name, .durable = true, .auto_delete = false, .arguments = {}});
  report_.queues[name];
  report_.adopted_queues.push_back(name);
  return true;
}

void LogInspector::hand_over(LogPosition position, const Record& record, const TakeLogged& take) {
  const auto* publish = std::get_if<PublishRecord>(&record);
  if (!publish || position < moved_) return;
  std::vector<engine::RecoveredRef> copies;
  for (const engine::QueueId queue : publish->queues) {
    if (in_open_pile_.contains({position, queue})) continue;
    const auto copy = copies_->find(position, queue);
    if (copy && knows_queue(queue, publish->message)) copies.push_back(*copy);
  }
  if (!copies.empty()) take(publish->message, copies);
}

void LogInspector::each_logged(const TakeLogged& take) {
  each_record(
      [&](LogPosition position, const Record& record) { hand_over(position, record, take); });
}

void LogInspector::count_logged() {
  each_logged(
      [this](const engine::MessageView& message, std::span<const engine::RecoveredRef> copies) {
        report_.live_bytes += size_of(message);
        for (const engine::RecoveredRef& copy : copies)
          ++report_.queues[catalog_.queue(copy.queue).name].in_log;
      });
}

}  // namespace haypile::log
