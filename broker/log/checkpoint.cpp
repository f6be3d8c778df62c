#include "log/checkpoint.hpp"

namespace haypile::log {

namespace {
constexpr std::size_t header_size = 48;
constexpr std::size_t checksum_size = 8;
}  // namespace

std::string encode_checkpoint(std::uint64_t first_segment, LogPosition position,
                              const Catalog& catalog, const DirectoryId& id) {
  std::string bytes(checkpoint_magic);
  put_u32(bytes, format_version);
  put_u32(bytes, 0);
  bytes.append(reinterpret_cast<const char*>(id.data()), id.size());
  put_u64(bytes, first_segment);
  put_u64(bytes, position);
  bytes += catalog.encode();
  put_u64(bytes, checksum(bytes, id, position));
  return bytes;
}

std::optional<Checkpoint> read_checkpoint(FileSystem& files, const std::string& directory,
                                          const DirectoryId& id) {
  const std::string path = directory + "/" + checkpoint_name;
  if (!files.exists(path)) return std::nullopt;
  const auto file = files.open(path);
  file->sync();
  const std::string bytes = file->read(0, file->size());
  const auto refuse = [&](const std::string& why) { throw IoError("'" + path + "' " + why); };
  if (bytes.size() < header_size + checksum_size || !bytes.starts_with(checkpoint_magic)) {
    refuse("is not a checkpoint");
  }
  if (const std::string error = version_error(get_u32(bytes, 8)); !error.empty()) refuse(error);
  if (bytes.compare(16, id.size(), reinterpret_cast<const char*>(id.data()), id.size()) != 0) {
    refuse("belongs to another data directory");
  }
  Checkpoint checkpoint;
  checkpoint.first_segment = get_u64(bytes, 32);
  checkpoint.position = get_u64(bytes, 40);
  const std::string_view summed = std::string_view(bytes).substr(0, bytes.size() - checksum_size);
  if (get_u64(bytes, summed.size()) != checksum(summed, id, checkpoint.position)) {
    refuse("is damaged: its checksum does not match");
  }
  std::string_view records = summed.substr(header_size);
  while (!records.empty()) {
    Record record;
    if (!decode_record(records, checkpoint.position, record)) refuse("has a malformed record");
    checkpoint.catalog.apply(record);
  }
  return checkpoint;
}

}  // namespace haypile::log
