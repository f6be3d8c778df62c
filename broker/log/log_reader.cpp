#include "log/log_reader.hpp"

#include <algorithm>
#include <map>
#include <new>
#include <utility>

#include "engine/canary.hpp"
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

}  // namespace

LogReader::LogReader(FileSystem& files, std::string directory, const DirectoryId& id,
                     DamagePolicy policy)
    : files_(files), directory_(std::move(directory)), id_(id), damages_(policy) {}

void LogReader::find_files() {
  list_names();
  read_newest();
  read_checkpoint();
  find_segments();
}

void LogReader::list_names() {
  try {
    names_ = files_.list(directory_);
  } catch (const IoError& error) {
    if (damages_.are_refused()) throw;
    damages_.add({.file = directory_, .what = phrase(error.what(), directory_)});
  }
  std::ranges::sort(names_);
}

bool LogReader::has_file(const std::string& name) const {
  return std::ranges::binary_search(names_, name);
}

std::optional<std::uint64_t> LogReader::read_file(const std::string& name, std::uint64_t size_max,
                                                  std::string& bytes) {
  const std::string file = path(name);
  try {
    const auto opened = files_.open(file);
    if (damages_.are_refused()) opened->sync();
    const std::uint64_t size = opened->size();
    opened->read(0, std::min(size, size_max), bytes);
    return size;
  } catch (const IoError& error) {
    if (damages_.are_refused()) throw;
    damages_.add({.file = file, .what = phrase(error.what(), file)});
  } catch (const std::bad_alloc&) {
    if (damages_.are_refused()) throw;
    damages_.add({.file = file, .what = "is too large to be read"});
  }
  bytes.clear();
  return std::nullopt;
}

std::optional<LogReader::FileStart> LogReader::read_file(const std::string& name,
                                                         std::uint64_t size_max) {
  FileStart start;
  const auto size = read_file(name, size_max, start.bytes);
  if (!size) return std::nullopt;
  start.size = *size;
  return start;
}

void LogReader::read_newest() {
  has_newest_ = has_file(newest_name);
  if (!has_newest_) return;
  const auto read = read_file(newest_name, newest_size_max);
  if (read) newest_ = decode_newest(read->bytes, id_);
  is_newest_lost_ = !newest_;
  if (newest_ || !read) return;
  damages_.add({.file = path(newest_name), .what = "is damaged: no slot of it is whole"});
}

// The file `newest` is only created when there is a checkpoint.
void LogReader::read_checkpoint() {
  has_checkpoint_ = has_file(checkpoint_name);
  if (!has_checkpoint_) {
    is_head_lost_ = has_newest_;
    if (has_newest_) damages_.add({.file = path(checkpoint_name), .what = "is missing"});
    return;
  }
  is_head_lost_ = true;
  const auto start = read_file(checkpoint_name, 0);
  if (!start) return;
  if (start->size > checkpoint_size_max) {
    return damages_.add({.file = path(checkpoint_name), .what = "is impossibly large"});
  }
  const auto read = read_file(checkpoint_name, start->size);
  if (!read) return;
  is_head_lost_ = false;
  const std::string& bytes = read->bytes;
  const std::string file = path(checkpoint_name);
  try {
    checkpoint_ = decode_checkpoint(bytes, file, id_);
  } catch (const IoError& error) {
    if (damages_.are_refused()) throw;
    if (bytes.size() > segment_header_size && bytes.starts_with(checkpoint_magic)) {
      refuse_newer(bytes, bytes.size() - 8, get_u64(bytes, 40), id_, file);
    }
    is_head_lost_ = true;
    checkpoint_.catalog = read_definitions(bytes);
    damages_.add({.file = file, .what = phrase(error.what(), file), .bytes = read->size});
  }
}

// The header of the last segment may not have reached the disk. The segment that `newest` names had
// its header before `newest` named it.
void LogReader::find_segments() {
  std::uint64_t& first = checkpoint_.first_segment;
  std::vector<std::uint64_t> found;
  for (const std::string& name : names_) {
    if (const auto number = segment_number(name)) found.push_back(*number);
  }
  if (is_head_lost_ && !found.empty()) first = found.front();
  // Segments before the first needed one are left by a recycling that a crash has interrupted.
  std::erase_if(found, [first](std::uint64_t number) { return number < first; });
  std::vector<SegmentHead> heads;
  heads.reserve(found.size());
  for (const std::uint64_t number : found)
    heads.push_back(read_segment_head(number));
  if (!heads.empty() && heads.back().is_read && heads.back().result.blank &&
      heads.back().number > newest_.value_or(0)) {
    last_segment_ = heads.back().number;
    heads.pop_back();
  }
  segment_size_ = size_of_segments(heads);
  std::uint64_t expected = first;
  for (const SegmentHead& head : heads) {
    if (!add_segment(head)) continue;
    add_missing(expected, head.number);
    expected = head.number + 1;
  }
  check_ends(expected);
  last_segment_ = std::max(last_segment_, first);
}

// Called when all segments are known; `next` is the number behind the last one.
void LogReader::check_ends(std::uint64_t next) {
  if (newest_ && *newest_ >= next) {
    std::string what = "is missing";
    if (*newest_ > next) what += ", as are those from " + segment_name(next) + " on";
    damages_.add({.file = path(segment_name(*newest_)), .what = what});
  }
  const bool is_version_5 =
      std::ranges::any_of(segments_, [](const Segment& segment) { return segment.version >= 5; });
  if (is_version_5 && !has_newest_) {
    is_newest_lost_ = true;
    damages_.add({.file = path(newest_name), .what = "is missing"});
  }
  const std::uint64_t first = checkpoint_.first_segment;
  const std::uint64_t newest = newest_.value_or(0);
  if (segments_.empty() && newest < first && (newest != 0 || checkpoint_.position != 0)) {
    add_missing(first, first + 1);
  }
  check_head(is_version_5);
}

// Called when all other damage of the files is known. From version 5 on there is always a
// checkpoint. Before that, a log had none until it gave up its first segment: then all segments are
// there and whole. In any other log without a checkpoint, piles may have what no segment has.
void LogReader::check_head(bool is_version_5) {
  const bool is_whole = !segments_.empty() && damages_.all().empty();
  if (has_checkpoint_ || has_newest_ || is_whole) return;
  const bool has_piles = std::ranges::any_of(
      names_, [](const std::string& name) { return pile_number(name).has_value(); });
  if (!has_piles && !is_version_5) return;
  is_head_lost_ = true;
  damages_.add({.file = path(checkpoint_name), .what = "is missing"});
}

LogReader::SegmentHead LogReader::read_segment_head(std::uint64_t number) {
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
std::uint64_t LogReader::size_of_segments(const std::vector<SegmentHead>& heads) {
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

// Segments from `first` to before `end` are not there.
void LogReader::add_missing(std::uint64_t first, std::uint64_t end) {
  if (first >= end) return;
  std::string what = "is missing";
  if (end - first > 1) what += ", as are those up to " + segment_name(end - 1);
  damages_.add({.file = path(segment_name(first)), .what = what});
}

// Batches have checksums of their own, so that a segment with a damaged header is read, too.
// Returns false if the segment cannot be one of this log.
bool LogReader::add_segment(const SegmentHead& head) {
  const std::string file = path(segment_name(head.number));
  std::string error = head.result.error;
  const bool is_whole = error.empty();
  if (is_whole && head.result.header.segment_size != segment_size_) error = "has another size";
  if (segment_size_ == 0 || head.number > position_max / segment_size_) {
    damages_.add({.file = file, .what = is_whole ? "has an impossible number" : error});
    return false;
  }
  if (!error.empty()) {
    damages_.add({.file = file,
                  .what = error,
                  .bytes = std::min<std::uint64_t>(head.file_size, segment_header_size)});
  }
  last_segment_ = std::max(last_segment_, head.number);
  segments_.push_back(
      {.number = head.number, .version = is_whole ? head.result.header.version : 0});
  return true;
}

void LogReader::read_records(const Records::Visit& visit) {
  live_.emplace(checkpoint_.piles, checkpoint_.position, checkpoint_.moved);
  each_record([&](LogPosition position, const Record& record) {
    live_->apply(position, record);
    if (position >= checkpoint_.position) checkpoint_.catalog.apply(record);
    visit(position, record);
  });
  is_second_reading_ = true;
}

void LogReader::each_message(const IsWanted& is_wanted, const TakeMessage& take) {
  const Damages::Known known(damages_);
  std::vector<engine::RecoveredRef> refs;
  each_record([&](LogPosition position, const Record& record) {
    const auto* publish = std::get_if<PublishRecord>(&record);
    if (!publish || position < checkpoint_.moved) return;
    refs.clear();
    for (const engine::QueueId queue : publish->queues) {
      const auto ref = live_->find(position, queue);
      if (ref && is_wanted(position, queue, publish->message)) refs.push_back(*ref);
    }
    if (!refs.empty()) take(position, publish->message, refs);
  });
}

// Where a batch cannot be read, reading continues at the next place in the segment whose batch
// header is undamaged; where a segment is missing or has nothing more, it continues with the next
// segment. In all these cases interrupt() forgets fragments that will not be completed, and ends an
// open group: the messages that it published are kept, since it is better to deliver a message
// twice than to lose it.
void LogReader::each_record(const Records::Visit& visit) {
  Records records;
  std::uint32_t epoch = 0;
  std::uint64_t expected = checkpoint_.first_segment;
  for (Segment& segment : segments_) {
    if (segment.number != expected) interrupt(records);
    expected = segment.number + 1;
    read_file(segment_name(segment.number), segment_size_, segment_bytes_);
    SegmentReader reader(segment_bytes_, segment.number, segment_size_, epoch, id_);
    records.unseal();
    if (!is_second_reading_) live_->begin_segment();
    do {
      Batch batch;
      while (!records.sealed() && reader.next(batch))
        read_batch(segment, batch, records, visit);
    } while (!records.sealed() && skip_damage(segment, reader, records));
    epoch = reader.epoch();
    if (!is_second_reading_) segment.used_bytes = reader.offset();
  }
  if (segments_.empty() || is_second_reading_) return;
  end_.is_sealed = records.sealed();
  end_.epoch = std::max(end_.epoch, epoch);
  end_.record_count = records.count();
  check_whole();
  if (is_end_lost()) interrupt(records);
}

void LogReader::read_batch(const Segment& segment, const Batch& batch, Records& records,
                           const Records::Visit& visit) {
  const std::string error = records.read(batch.records, batch.position, visit);
  if (error.empty()) return;
  damages_.add({.file = path(segment_name(segment.number)),
                .offset = batch.position - batch_header_size - segment.number * segment_size_,
                .what = "has " + error,
                .bytes = batch.records.size()});
  interrupt(records);
}

// Called where no batch follows. Returns whether the segment continues behind that place. A segment
// is synced to its end before the next one is created, so that only the last one may have a torn
// tail.
bool LogReader::skip_damage(const Segment& segment, SegmentReader& reader, Records& records) {
  const bool is_last = &segment == &segments_.back();
  const std::uint64_t offset = reader.offset();
  if (is_second_reading_ && is_last && offset == segment.used_bytes) return false;
  const SegmentReader::Tail tail = reader.tail();
  if (is_last && !tail.was_durable) {
    end_.epoch = tail.epoch;
    end_.torn_bytes = tail.torn_bytes;
    if (tail.torn_bytes == 0) return false;
    end_.torn_reason = "the end of '" + segment_name(segment.number) + "' from offset " +
                       std::to_string(offset) + " on was not written whole";
    return false;
  }
  interrupt(records);
  const bool goes_on = reader.skip() && !HAYPILE_CANARY(inspector_ends_at_damage);
  const std::uint64_t end = goes_on ? reader.offset() : segment_bytes_.size();
  damages_.add({.file = path(segment_name(segment.number)),
                .offset = offset,
                .what = is_last
                            ? "is damaged: a batch further on says that all before it was durable"
                            : "is damaged: the next segment goes on behind it",
                .bytes = end - std::min(offset, end)});
  return goes_on;
}

void LogReader::interrupt(Records& records) {
  records.forget_fragments();
  if (!is_second_reading_) live_->break_group();
}

// Whether the log was durable beyond its last record, or nothing says that it was not. The end of a
// group may have been there.
bool LogReader::is_end_lost() const {
  return end_position() < checkpoint_.position || newest_.value_or(0) > segments_.back().number ||
         is_newest_lost_ || segments_.back().version == 0;
}

// Everything before a checkpoint's position was synced before the checkpoint was written.
void LogReader::check_whole() {
  const Segment& last = segments_.back();
  const std::string file = path(segment_name(last.number));
  if (!end_.is_sealed && last.used_bytes + seal_size > segment_size_) {
    damages_.add({.file = file, .offset = last.used_bytes, .what = "is full, and not sealed"});
  }
  if (end_position() >= checkpoint_.position) return;
  if (HAYPILE_CANARY(short_log_not_listed) && !damages_.are_refused()) return;
  damages_.add(
      {.file = file,
       .offset = last.used_bytes,
       .what = "is damaged: the checkpoint says that more than what is before was durable"});
}

}  // namespace haypile::log
