#include "log/newest.hpp"

#include <algorithm>
#include <utility>

namespace haypile::log {

namespace {

constexpr std::size_t slot_size = 64;
// The slots are in different sectors, whatever the size of a sector is.
constexpr std::size_t slot_distance = 4096;
constexpr std::size_t file_size = slot_distance + slot_size;

std::size_t slot_offset(std::uint64_t number) {
  return number % 2 * slot_distance;
}

std::string encode_slot(std::uint64_t number, const DirectoryId& id) {
  std::string slot(newest_magic);
  put_u32(slot, format_version);
  put_u32(slot, 0);
  slot += view(id);
  put_u64(slot, number);
  slot.resize(slot_size - 8, '\0');
  put_u64(slot, checksum(slot, id, number));
  return slot;
}

std::optional<std::uint64_t> decode_slot(std::string_view bytes, std::size_t at,
                                         const DirectoryId& id) {
  if (bytes.size() < at + slot_size) return std::nullopt;
  bytes = bytes.substr(at, slot_size);
  const std::uint64_t number = get_u64(bytes, 32);
  const std::size_t summed = slot_size - 8;
  if (!bytes.starts_with(newest_magic) || slot_offset(number) != at ||
      number > position_max / segment_size_min ||
      get_u64(bytes, summed) != checksum(bytes.substr(0, summed), id, number)) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::string encode_newest(std::uint64_t number, const DirectoryId& id) {
  std::string bytes(file_size, '\0');
  bytes.replace(slot_offset(number), slot_size, encode_slot(number, id));
  return bytes;
}

std::optional<std::uint64_t> decode_newest(std::string_view bytes, const DirectoryId& id) {
  const auto even = decode_slot(bytes, slot_offset(0), id);
  const auto odd = decode_slot(bytes, slot_offset(1), id);
  return even && odd ? std::max(even, odd) : even ? even : odd;
}

Newest::Newest(FileSystem& files, std::string directory, const DirectoryId& id)
    : files_(files), directory_(std::move(directory)), id_(id) {}

void Newest::open() {
  file_ = files_.open(directory_ + "/" + newest_name);
}

void Newest::create(std::uint64_t number) {
  replace_file(files_, directory_, newest_name, encode_newest(number, id_));
  open();
}

void Newest::set(std::uint64_t number) {
  file_->write(slot_offset(number), encode_slot(number, id_));
  file_->sync();
}

}  // namespace haypile::log
