#include "log/pile.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/canary.hpp"
#include "log/bytes.hpp"
#include "log/numbered_name.hpp"

namespace haypile::log {

namespace {

constexpr std::string_view pile_suffix = ".pile";

// The flags of a record.
constexpr std::uint8_t redelivered_flag = 1;
constexpr std::uint8_t time_flag = 2;  // and the message has a time to live
constexpr std::uint8_t untimed_flag = 0x40;
constexpr std::uint8_t time_flags = time_flag | untimed_flag;
constexpr std::uint8_t count_flag = 4;
constexpr std::uint8_t gap_flag = 8;
// From version 5 on: other queues may refer to the message; the message is elsewhere.
constexpr std::uint8_t shared_flag = 16;
constexpr std::uint8_t reference_flag = 32;

}  // namespace

std::size_t weight_of(const engine::MessageView& message) {
  constexpr std::size_t overhead = 32;
  return overhead + message.size();
}

std::string pile_name(LogPosition file) {
  return numbered_name(file, pile_suffix);
}

std::optional<LogPosition> pile_number(std::string_view name) {
  return number_in(name, pile_suffix);
}

PileBuilder::PileBuilder(LogPosition pile, LogPosition file, const DirectoryId& id,
                         std::string buffer)
    : file_(file), id_(id), bytes_(std::move(buffer)) {
  bytes_ = pile_magic;
  put_u32(bytes_, format_version);
  put_u32(bytes_, 0);
  bytes_ += view(id_);
  put_u64(bytes_, file);
  put_u64(bytes_, pile);
  bytes_.resize(pile_header_size - 8, '\0');
  put_u64(bytes_, checksum(bytes_, id_, 0));
}

bool PileBuilder::continues_extent(const engine::MessageToStore& entry) const {
  return !extents_.empty() && extents_.back().queue == entry.queue &&
         extents_.back().priority == entry.priority && entry.place > last_place_;
}

// A block is closed when the queue or priority changes, when places stop rising, or when it is
// full. The first message with a position that may be shared becomes the home for that position:
// its record is complete and has shared_flag. Later messages with the same position in other blocks
// only refer to it; in the same block they are complete, too.
std::uint32_t PileBuilder::add(const engine::MessageToStore& entry) {
  const auto& message = entry.message;
  const std::size_t weight = weight_of(message);
  if (block_ == 0 || !continues_extent(entry) || block_weight_ + weight > block_size) {
    open_block(entry);
  }
  const std::size_t at = bytes_.size();
  const Home* home = home_of(entry);
  std::uint8_t flags = 0;
  if (entry.redelivered) flags |= redelivered_flag;
  const bool has_time = !home && message.published_at != 0;
  if (has_time) flags |= entry.is_timed ? time_flag : untimed_flag;
  if (entry.delivery_count != 0 && !HAYPILE_CANARY(delivery_count_lost)) flags |= count_flag;
  if (block_count_ != 0 && count_ != next_) flags |= gap_flag;
  if (home) {
    flags |= reference_flag;
  } else if (entry.is_shared) {
    flags |= shared_flag;
  }
  append(entry, flags, home);
  Extent& extent = extents_.back();
  if (entry.is_shared || home) ++extent.shared;
  if (entry.is_shared && !home) {
    homes_[entry.position] = {block_, taken_ + at - block_ - block_header_size};
    ++extent.homes;
    extent.home_bytes += bytes_.size() - at;
  }
  last_place_ = extent.last_place = entry.place;
  extent.is_timed = extent.is_timed || entry.is_timed;
  extent.body_bytes += message.body.size();
  ++extent.stored;
  ++block_count_;
  block_weight_ += weight;
  next_ = count_ + 1;
  extent.count = next_ - extent.first;
  return count_++;
}

// A message that only one queue still has in memory is not marked as shared, so positions are
// always looked up. A block does not refer to itself.
const Home* PileBuilder::home_of(const engine::MessageToStore& entry) const {
  if (homes_.empty()) return nullptr;
  auto found = homes_.find(entry.position);
  if (found != homes_.end() && HAYPILE_CANARY(wrong_home)) found = homes_.begin();
  return found == homes_.end() || found->second.block == block_ ? nullptr : &found->second;
}

// The body is appended separately, since extend() would first fill its room with zeros.
void PileBuilder::append(const engine::MessageToStore& entry, std::uint8_t flags,
                         const Home* home) {
  const auto& message = entry.message;
  char* to = extend(bytes_, 1 + 5 * varint_size_max + strings_size_max(message));
  *to++ = static_cast<char>(flags);
  to = put_varint(to, entry.place - last_place_);
  if (!home) to = put_varint(to, file_ - entry.position);
  if (flags & gap_flag) to = put_varint(to, count_ - next_);
  if (flags & time_flags) to = put_varint(to, message.published_at);
  if (flags & count_flag) to = put_varint(to, entry.delivery_count);
  if (home) {
    to = put_varint(to, block_ - home->block);
    return cut(bytes_, put_varint(to, home->at));
  }
  cut(bytes_, put_strings(to, message));
  bytes_ += message.body;
}

void PileBuilder::open_block(const engine::MessageToStore& entry) {
  close_block();
  block_ = size();
  bytes_.append(block_header_size, '\0');
  if (!continues_extent(entry)) {
    extents_.push_back({.queue = entry.queue,
                        .priority = entry.priority,
                        .first = count_,
                        .offset = block_,
                        .first_place = entry.place});
  }
  first_place_ = last_place_ = entry.place;
  block_first_ = count_;
}

// The header is written last, into the room that open_block() left for it, since it has the number
// of messages and the checksum of the records.
void PileBuilder::close_block() {
  if (block_ == 0) return;
  const std::size_t begin = static_cast<std::size_t>(block_ - taken_);
  const std::string_view records = std::string_view(bytes_).substr(begin + block_header_size);
  // The limits of messages make sure of this: a block has many small messages, or one.
  assert(records.size() <= std::numeric_limits<std::uint32_t>::max());
  std::string header;
  put_u32(header, static_cast<std::uint32_t>(records.size()));
  put_u32(header, block_count_);
  put_u64(header, extents_.back().queue);
  put_u32(header, block_first_);
  put_u32(header, extents_.back().priority);
  put_u64(header, first_place_);
  put_u64(header, checksum(records, id_, file_ + block_));
  put_u64(header, checksum(header, id_, file_ + block_));
  assert(header.size() == block_header_size);
  std::memcpy(bytes_.data() + begin, header.data(), header.size());
  bytes_.resize(align(bytes_.size()), '\0');
  extents_.back().size = size() - extents_.back().offset;
  block_ = 0;
  block_count_ = 0;
  block_weight_ = 0;
}

std::string PileBuilder::take(std::string buffer) {
  close_block();
  taken_ += bytes_.size();
  buffer.clear();
  return std::exchange(bytes_, std::move(buffer));
}

std::size_t pile_size_max(const engine::MessageView& message, std::size_t queue_count) {
  constexpr std::size_t record_size_max = 1 + 6 * 4;
  constexpr std::size_t header_share = block_header_size + batch_alignment;
  const std::size_t strings = message.size();
  const std::size_t headers = header_share * std::min(strings, block_size) / block_size;
  return (record_size_max + headers) * queue_count + 4 * varint_size_max + strings;
}

std::string check_pile_header(std::string_view bytes, LogPosition file, const DirectoryId& id) {
  bytes = bytes.substr(0, pile_header_size);
  if (bytes.size() < pile_header_size || !bytes.starts_with(pile_magic)) return "is not a pile";
  if (std::string error = version_error(get_u32(bytes, 8)); !error.empty()) return error;
  if (bytes.substr(16, id.size()) != view(id)) return "belongs to another data directory";
  const std::size_t summed = pile_header_size - 8;
  if (get_u64(bytes, summed) != checksum(bytes.substr(0, summed), id, 0)) {
    return "has a damaged header";
  }
  if (get_u64(bytes, 32) != file) {
    return "is " + pile_name(get_u64(bytes, 32)) + " under another name";
  }
  return "";
}

LogPosition pile_of(std::string_view header) {
  return get_u64(header, get_u32(header, 8) < 4 ? 32 : 40);
}

bool decode_block_header(std::string_view bytes, LogPosition file, std::uint64_t offset,
                         const DirectoryId& id, Block& block) {
  if (bytes.size() < block_header_size) return false;
  const std::size_t summed = block_header_size - 8;
  if (get_u64(bytes, summed) != checksum(bytes.substr(0, summed), id, file + offset)) {
    return false;
  }
  block = {.queue = get_u64(bytes, 8),
           .priority = static_cast<std::uint8_t>(get_u32(bytes, 20)),
           .first = get_u32(bytes, 16),
           .count = get_u32(bytes, 4),
           .first_place = get_u64(bytes, 24),
           .records_size = get_u32(bytes, 0),
           .records_checksum = get_u64(bytes, 32)};
  return true;
}

namespace {

// Reads a complete message. `flags` are those of its record. Inlined, because otherwise the reader
// cannot be kept in registers.
[[gnu::always_inline]] inline void read_message(Reader& in, std::uint8_t flags, LogPosition file,
                                                engine::StoredMessage& stored) {
  engine::MessageView& message = stored.message;
  message.exchange = in.string();
  message.routing_key = in.string();
  message.properties = in.string();
  message.body = in.string();
  stored.is_timed = (flags & time_flag) != 0;
  stored.is_shared = (flags & shared_flag) != 0;
  if (stored.position == 0 || stored.position > file || message.exchange.size() > 255 ||
      message.routing_key.size() > 255) {
    in.fail();
  }
}

}  // namespace

BlockReader::BlockReader(const Block& block, std::string_view bytes, LogPosition file,
                         std::uint64_t offset, const DirectoryId& id)
    : file_(file),
      offset_(offset),
      all_(bytes.substr(std::min(bytes.size(), block_header_size))),
      next_(block.first),
      left_(block.count),
      place_(block.first_place),
      ok_(all_.size() >= block.records_size) {
  all_ = all_.substr(0, block.records_size);
  records_ = all_;
  ok_ = ok_ && checksum(all_, id, file + offset) == block.records_checksum;
}

bool BlockReader::next(PileRecord& record) {
  if (!ok_ || left_ == 0) return false;
  --left_;
  Reader in(records_);
  const std::uint8_t flags = in.byte();
  const bool is_reference = (flags & reference_flag) != 0;
  place_ += in.varint();
  const std::uint64_t distance = is_reference ? 0 : in.varint();
  if (flags & gap_flag) next_ += in.varint_32();
  engine::StoredMessage& stored = record.message;
  stored.id = 0;
  stored.position = 0;
  stored.place = place_;
  stored.redelivered = (flags & redelivered_flag) != 0;
  const engine::TimeMs published_at = flags & time_flags ? in.varint() : 0;
  stored.delivery_count = flags & count_flag ? in.varint_32() : 0;
  record.home.reset();
  if (is_reference) {
    stored.is_timed = stored.is_shared = false;
    stored.message = {};
    const std::uint64_t back = in.varint();
    if (back == 0 || back > offset_ - pile_header_size) in.fail();
    record.home = {offset_ - back, in.varint()};
  } else {
    if (distance >= file_) in.fail();
    stored.position = file_ - distance;
    read_message(in, flags, file_, stored);
  }
  stored.message.published_at = published_at;
  if (next_ >= std::numeric_limits<std::uint32_t>::max()) in.fail();
  ok_ = in.ok();
  record.size = records_.size() - in.rest().size();
  records_ = in.rest();
  record.index = static_cast<std::uint32_t>(next_++);
  return ok_;
}

bool read_home(std::string_view records, LogPosition file, PileRecord& record) {
  if (record.home->at >= records.size()) return false;
  Reader in(records.substr(static_cast<std::size_t>(record.home->at)));
  const std::uint8_t flags = in.byte();
  if ((flags & shared_flag) == 0 || (flags & reference_flag) != 0) return false;
  in.varint();  // the place in the other queue
  const std::uint64_t distance = in.varint();
  if (distance >= file) return false;
  record.message.position = file - distance;
  if (flags & gap_flag) in.varint();
  if (flags & time_flags) record.message.message.published_at = in.varint();
  if (flags & count_flag) in.varint();
  read_message(in, flags, file, record.message);
  return in.ok();
}

bool HomeFinder::fill_in(PileRecord& record) {
  const std::uint64_t offset = record.home->block;
  if (offset_ != offset) {
    offset_ = offset;
    records_ = {};
    Block block;
    const std::string_view rest = bytes_.substr(std::min<std::uint64_t>(offset, bytes_.size()));
    if (decode_block_header(rest, file_, offset, id_, block)) {
      const BlockReader reader(block, rest, file_, offset, id_);
      if (reader.ok()) records_ = reader.records();
    }
  }
  return read_home(records_, file_, record);
}

}  // namespace haypile::log
