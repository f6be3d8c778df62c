#include "log/checkpoint.hpp"

#include <algorithm>

#include "log/bytes.hpp"

namespace haypile::log {

namespace {

constexpr std::size_t header_size_before_3 = 48;
constexpr std::size_t header_size = 56;
constexpr std::size_t checksum_size = 8;

// Removes the first record. Returns false if it is malformed.
bool apply_record(std::string_view& records, Checkpoint& checkpoint) {
  if (records.front() == static_cast<char>(RecordType::pile)) {
    Reader in(records.substr(1));
    Pile pile;
    if (!read_pile(in, checkpoint.version, pile)) return false;
    // New piles get numbers above the checkpoint's position, and slots are in the order of the
    // numbers.
    if (pile.file < pile.number || pile.file >= checkpoint.position) return false;
    if (pile.number <= checkpoint.piles.last_number()) return false;
    records = in.rest();
    checkpoint.piles.add(std::move(pile));
    return true;
  }
  Record record;
  if (!decode_record(records, checkpoint.position, record)) return false;
  checkpoint.catalog.apply(record);
  return true;
}

// Null if a log can have written this.
const char* error_in(const CheckpointHead& head, bool has_records) {
  if (head.position > position_max) return "says that an impossible position was reached";
  // The position is in the first segment, or in a later one.
  const std::uint64_t last = std::max<std::uint64_t>(head.position / segment_size_min, 1);
  if (head.first_segment == 0 || head.first_segment > last) {
    return "says that the first segment has an impossible number";
  }
  if (head.moved > head.position) return "says that more has moved than was logged";
  if (head.position == 0 && has_records) return "says something of a log that has not begun";
  return nullptr;
}

}  // namespace

std::string encode_piles(Piles& piles) {
  std::string bytes;
  piles.each([&](Piles::Slot, const Pile& pile) { append_pile(bytes, pile); });
  return bytes;
}

std::string encode_checkpoint(const CheckpointHead& head, const Catalog& catalog, Piles& piles,
                              const DirectoryId& id) {
  return encode_checkpoint(head, catalog.encode(), encode_piles(piles), id);
}

std::string encode_checkpoint(const CheckpointHead& head, std::string_view definitions,
                              std::string_view piles, const DirectoryId& id) {
  std::string bytes;
  bytes.reserve(header_size + definitions.size() + piles.size() + checksum_size);
  bytes += checkpoint_magic;
  put_u32(bytes, format_version);
  put_u32(bytes, 0);
  bytes += view(id);
  put_u64(bytes, head.first_segment);
  put_u64(bytes, head.position);
  put_u64(bytes, head.moved);
  bytes.append(definitions).append(piles);
  put_u64(bytes, checksum(bytes, id, head.position));
  return bytes;
}

Checkpoint decode_checkpoint(std::string_view bytes, const std::string& path,
                             const DirectoryId& id) {
  const auto refuse = [&](const std::string& why) { throw DamageError("'" + path + "' " + why); };
  if (bytes.size() < header_size_before_3 + checksum_size || !bytes.starts_with(checkpoint_magic)) {
    refuse("is not a checkpoint");
  }
  const std::uint32_t version = get_u32(bytes, 8);
  if (const std::string error = version_error(version); !error.empty()) {
    throw IoError("'" + path + "' " + error);
  }
  if (bytes.substr(16, id.size()) != view(id)) {
    refuse("belongs to another data directory");
  }
  Checkpoint checkpoint;
  checkpoint.version = version;
  checkpoint.first_segment = get_u64(bytes, 32);
  checkpoint.position = get_u64(bytes, 40);
  const std::string_view summed = bytes.substr(0, bytes.size() - checksum_size);
  if (get_u64(bytes, summed.size()) != checksum(summed, id, checkpoint.position)) {
    refuse("is damaged: its checksum does not match");
  }
  const std::size_t head_size = version < 3 ? header_size_before_3 : header_size;
  if (summed.size() < head_size) refuse("is too short");
  if (version >= 3) checkpoint.moved = get_u64(bytes, 48);
  std::string_view records = summed.substr(head_size);
  if (const char* error = error_in(checkpoint, !records.empty())) refuse(error);
  while (!records.empty()) {
    if (!apply_record(records, checkpoint)) refuse("has a malformed record");
  }
  return checkpoint;
}

Catalog read_definitions(std::string_view bytes) {
  Checkpoint checkpoint;
  if (bytes.size() < header_size + checksum_size || !bytes.starts_with(checkpoint_magic)) return {};
  checkpoint.version = get_u32(bytes, 8);
  const std::size_t head_size = checkpoint.version < 3 ? header_size_before_3 : header_size;
  std::string_view records = bytes.substr(head_size, bytes.size() - checksum_size - head_size);
  while (!records.empty() && apply_record(records, checkpoint)) {
  }
  return std::move(checkpoint.catalog);
}

}  // namespace haypile::log
