#include "log/survey.hpp"

#include <algorithm>
#include <utility>

#include "log/checkpoint.hpp"

namespace haypile::log {

namespace {

// The error's text without the file's name before it.
std::string phrase(const std::string& text, const std::string& path) {
  const std::string name = "'" + path + "' ";
  return text.starts_with(name) ? text.substr(name.size()) : text;
}

// Whole, and written by a version that knows more than this one.
void refuse_newer(std::string_view bytes, std::uint64_t checksum_at, std::uint64_t seed,
                  const DirectoryId& id, const std::string& path) {
  if (bytes.size() < checksum_at + 8 || get_u32(bytes, 8) <= format_version) return;
  if (checksum(bytes.substr(0, checksum_at), id, seed) != get_u64(bytes, checksum_at)) return;
  throw IoError("'" + path + "' " + version_error(get_u32(bytes, 8)));
}

std::uint64_t size_of(const engine::MessageView& message) {
  return message.exchange.size() + message.routing_key.size() + message.properties.size() +
         message.body.size();
}

}  // namespace

void Survey::run() {
  read_head();
  find_segments();
  find_piles();
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
  for (const SurveyReport::Segment& segment : report_.segments)
    used += segment.used_bytes;
  for (const SurveyReport::StoredPile& pile : report_.piles)
    used += pile.bytes;
  report_.dead_bytes = used - std::min(used, report_.live_bytes);
}

void Survey::read_head() {
  const std::string file = path(checkpoint_name);
  has_checkpoint_ = files_.exists(file);
  try {
    auto checkpoint = read_checkpoint(files_, directory_, id_);
    if (!checkpoint) return;
    first_segment_ = checkpoint->first_segment;
    position_ = checkpoint->position;
    moved_ = checkpoint->moved;
    catalog_ = std::move(checkpoint->catalog);
    piles_ = std::move(checkpoint->piles);
  } catch (const IoError& error) {
    const auto opened = files_.open(file);
    const std::string bytes = opened->read(0, opened->size());
    if (bytes.size() > segment_header_size && bytes.starts_with(checkpoint_magic)) {
      refuse_newer(bytes, bytes.size() - 8, get_u64(bytes, 40), id_, file);
    }
    is_head_lost_ = true;
    catalog_ = read_definitions(bytes);
    add_damage({.file = file, .what = phrase(error.what(), file), .bytes = bytes.size()});
  }
}

void Survey::find_segments() {
  std::vector<std::uint64_t> found;
  for (const std::string& name : files_.list(directory_)) {
    if (const auto number = segment_number(name)) found.push_back(*number);
  }
  std::ranges::sort(found);
  if (!found.empty()) last_segment_ = found.back();
  if (is_head_lost_ && !found.empty()) first_segment_ = found.front();
  // Leftovers of a recycling that a crash cut short are older than the checkpoint wants.
  std::erase_if(found, [this](std::uint64_t number) { return number < first_segment_; });
  if (!found.empty()) {
    const auto file = files_.open(path(segment_name(found.back())));
    if (decode_segment_header(file->read(0, segment_header_size), id_).blank) found.pop_back();
  }
  std::uint64_t expected = first_segment_;
  for (const std::uint64_t number : found) {
    note_missing(expected, number);
    expected = number + 1;
    find_segment(number);
  }
  if (numbers_.empty() && position_ != 0) note_missing(first_segment_, first_segment_ + 1);
  last_segment_ = std::max(last_segment_, first_segment_);
}

void Survey::note_missing(std::uint64_t first, std::uint64_t end) {
  if (first >= end) return;
  std::string what = "is missing";
  if (end - first > 1) what += ", as are those up to " + segment_name(end - 1);
  add_damage({.file = path(segment_name(first)), .what = what});
}

// The batches have checksums of their own: a segment whose header is damaged is read all the same.
void Survey::find_segment(std::uint64_t number) {
  const std::string file = path(segment_name(number));
  const auto opened = files_.open(file);
  const std::string bytes = opened->read(0, segment_header_size);
  refuse_newer(bytes, segment_header_size - 8, 0, id_, file);
  const SegmentHeaderResult result = decode_segment_header(bytes, id_);
  std::string error = result.error;
  if (error.empty() && result.header.number != number) {
    error = "is " + segment_name(result.header.number) + " under another name";
  }
  if (error.empty() && result.header.segment_size < segment_size_min) {
    error = "has an impossible size";
  }
  const std::uint64_t size = error.empty() ? result.header.segment_size : opened->size();
  if (segment_size_ == 0 || (error.empty() && report_.segments.empty())) segment_size_ = size;
  if (error.empty() && result.header.segment_size != segment_size_) error = "has another size";
  if (number > UINT64_MAX / std::max<std::uint64_t>(segment_size_, 1) / 2) {
    return add_damage({.file = file, .what = "has an impossible number"});
  }
  if (!error.empty()) {
    add_damage({.file = file, .what = error, .bytes = std::min(bytes.size(), segment_header_size)});
  }
  numbers_.push_back(number);
  report_.segments.push_back(
      {.number = number, .version = error.empty() ? result.header.version : 0});
}

std::string_view Survey::read_segment(std::uint64_t number) {
  const auto file = files_.open(path(segment_name(number)));
  file->read(0, std::min(file->size(), segment_size_), segment_bytes_);
  return segment_bytes_;
}

void Survey::each_record(const Records::Visit& visit) {
  Records records;
  std::uint32_t epoch = 0;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const std::uint64_t number = numbers_[i];
    if (i > 0 && numbers_[i - 1] + 1 != number) break_off(records);
    SegmentReader reader(read_segment(number), number, segment_size_, epoch, id_);
    records.unseal();
    do {
      Batch batch;
      while (!records.sealed() && reader.next(batch))
        read_batch(number, batch, records, visit);
    } while (!records.sealed() && pass_damage(number, reader, records));
    epoch = reader.epoch();
    if (is_noting_) report_.segments[i].used_bytes = reader.offset();
    if (number == numbers_.back()) check_whole(number * segment_size_ + reader.offset());
  }
  report_.record_count = records.count();
}

void Survey::read_batch(std::uint64_t number, const Batch& batch, Records& records,
                        const Records::Visit& visit) {
  const std::string error = records.read(batch.records, batch.position, visit);
  if (error.empty()) return;
  add_damage({.file = path(segment_name(number)),
              .offset = batch.position - batch_header_size - number * segment_size_,
              .what = "has " + error,
              .bytes = batch.records.size()});
  break_off(records);
}

// Where no batch follows. True if the segment goes on behind what stands there.
bool Survey::pass_damage(std::uint64_t number, SegmentReader& reader, Records& records) {
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
  break_off(records);
  const bool goes_on = reader.skip();
  const std::uint64_t end = goes_on ? reader.offset() : segment_bytes_.size();
  add_damage({.file = path(segment_name(number)),
              .offset = offset,
              .what = is_last ? "is damaged: a batch further on says that all before it was durable"
                              : "is damaged: the next segment goes on behind it",
              .bytes = end - std::min(offset, end)});
  return goes_on;
}

void Survey::break_off(Records& records) {
  records.forget_fragments();
  if (is_noting_) copies_->break_group();
}

// What comes before a checkpoint's position was synced before it was written.
void Survey::check_whole(std::uint64_t end) {
  if (end >= position_) return;
  const std::uint64_t number = numbers_.back();
  add_damage({.file = path(segment_name(number)),
              .offset = end - number * segment_size_,
              .what = "is damaged: the checkpoint says that more than what is before was durable"});
}

// A message of a queue that was never declared: its declaration is lost, or there is no such queue.
bool Survey::knows_queue(engine::QueueId queue, const engine::MessageView& message) {
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

void Survey::hand_over(LogPosition position, const Record& record, const TakeLogged& take) {
  const auto* publish = std::get_if<PublishRecord>(&record);
  if (!publish || position < moved_) return;
  std::vector<engine::RecoveredCopy> copies;
  for (const engine::QueueId queue : publish->queues) {
    const auto copy = copies_->find(position, queue);
    if (copy && knows_queue(queue, publish->message)) copies.push_back(*copy);
  }
  if (!copies.empty()) take(publish->message, copies);
}

void Survey::each_logged(const TakeLogged& take) {
  each_record(
      [&](LogPosition position, const Record& record) { hand_over(position, record, take); });
}

void Survey::count_logged() {
  each_logged(
      [this](const engine::MessageView& message, std::span<const engine::RecoveredCopy> copies) {
        report_.live_bytes += size_of(message);
        for (const engine::RecoveredCopy& copy : copies)
          ++report_.queues[catalog_.queue(copy.queue).name].in_log;
      });
}

}  // namespace haypile::log
