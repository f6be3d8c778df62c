#include "log/pile.hpp"

#include <cassert>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/canary.hpp"
#include "log/bytes.hpp"

namespace haypile::log {

namespace {

constexpr std::string_view suffix = ".pile";
constexpr std::size_t digit_count = 16;

// What a record has besides the message.
constexpr std::uint8_t redelivered_flag = 1;
constexpr std::uint8_t time_flag = 2;  // and something depends on it
constexpr std::uint8_t untimed_flag = 0x40;
constexpr std::uint8_t count_flag = 4;
constexpr std::uint8_t gap_flag = 8;

}  // namespace

std::string pile_name(LogPosition file) {
  char digits[digit_count + 1];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(file));
  return digits + std::string(suffix);
}

std::optional<LogPosition> pile_number(std::string_view name) {
  if (name.size() != digit_count + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  LogPosition number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + digit_count, number, 16);
  if (error != std::errc() || end != name.data() + digit_count) return std::nullopt;
  return number;
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

std::uint32_t PileBuilder::add(const engine::CopyToStore& copy) {
  const bool same = block_ != 0 && extents_.back().queue == copy.queue &&
                    extents_.back().priority == copy.priority;
  if (!same || bytes_.size() - block_ >= block_size) open_block(copy);
  const auto& message = copy.message;
  std::uint8_t flags = 0;
  if (copy.redelivered) flags |= redelivered_flag;
  const bool has_time = message.published_at != 0;
  if (has_time) flags |= copy.is_timed ? time_flag : untimed_flag;
  if (copy.delivery_count != 0 && !HAYPILE_CANARY(delivery_count_lost)) flags |= count_flag;
  const std::uint32_t gap = block_count_ == 0 ? 0 : count_ - next_;
  if (gap != 0) flags |= gap_flag;
  char* to = extend(bytes_, 1 + 5 * varint_size_max + strings_size_max(message));
  *to++ = static_cast<char>(flags);
  to = put_varint(to, copy.place - last_place_);
  to = put_varint(to, file_ - copy.position);
  if (flags & gap_flag) to = put_varint(to, gap);
  if (has_time) to = put_varint(to, message.published_at);
  if (flags & count_flag) to = put_varint(to, copy.delivery_count);
  cut(bytes_, put_strings(to, message));
  bytes_ += message.body;
  Extent& extent = extents_.back();
  last_place_ = extent.last_place = copy.place;
  extent.is_timed = extent.is_timed || copy.is_timed;
  extent.body_bytes += message.body.size();
  ++extent.stored;
  ++block_count_;
  next_ = count_ + 1;
  extent.count = next_ - extent.first;
  return count_++;
}

void PileBuilder::open_block(const engine::CopyToStore& copy) {
  close_block();
  block_ = bytes_.size();
  bytes_.append(block_header_size, '\0');
  first_place_ = last_place_ = copy.place;
  block_first_ = count_;
  if (extents_.empty() || extents_.back().queue != copy.queue ||
      extents_.back().priority != copy.priority) {
    extents_.push_back(
        {.queue = copy.queue, .priority = copy.priority, .first = count_, .offset = block_});
  }
}

void PileBuilder::close_block() {
  if (block_ == 0) return;
  const std::string_view records = std::string_view(bytes_).substr(block_ + block_header_size);
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
  std::memcpy(bytes_.data() + block_, header.data(), header.size());
  bytes_.resize(align(bytes_.size()), '\0');
  extents_.back().size = bytes_.size() - extents_.back().offset;
  block_ = 0;
  block_count_ = 0;
}

std::string PileBuilder::finish() {
  close_block();
  return std::move(bytes_);
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

BlockReader::BlockReader(const Block& block, std::string_view bytes, LogPosition file,
                         std::uint64_t offset, const DirectoryId& id)
    : file_(file),
      records_(bytes.substr(block_header_size)),
      next_(block.first),
      left_(block.count),
      place_(block.first_place),
      ok_(records_.size() >= block.records_size) {
  records_ = records_.substr(0, block.records_size);
  ok_ = ok_ && checksum(records_, id, file + offset) == block.records_checksum;
}

bool BlockReader::next(engine::StoredMessage& message, std::uint32_t& index) {
  if (!ok_ || left_ == 0) return false;
  --left_;
  Reader in(records_);
  const std::uint8_t flags = in.byte();
  place_ += in.varint();
  const std::uint64_t distance = in.varint();
  if (flags & gap_flag) next_ += in.varint_32();
  message = {.position = file_ - distance,
             .place = place_,
             .delivery_count = 0,
             .redelivered = (flags & redelivered_flag) != 0,
             .is_timed = (flags & time_flag) != 0,
             .message = {}};
  if (flags & (time_flag | untimed_flag)) message.message.published_at = in.varint();
  if (flags & count_flag) message.delivery_count = in.varint_32();
  message.message.exchange = in.string();
  message.message.routing_key = in.string();
  message.message.properties = in.string();
  message.message.body = in.string();
  if (distance >= file_ || next_ >= std::numeric_limits<std::uint32_t>::max() ||
      message.message.exchange.size() > 255 || message.message.routing_key.size() > 255) {
    in.fail();
  }
  ok_ = in.ok();
  records_ = in.rest();
  index = static_cast<std::uint32_t>(next_++);
  return ok_;
}

}  // namespace haypile::log
