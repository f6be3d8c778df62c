// What a data directory says of itself: its id, and which virtual hosts it has; docs/log-format.md,
// "Files".
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "log/format.hpp"

namespace haypile::log {

inline constexpr const char* id_name = "id";
inline constexpr const char* contents_name = "contents";
inline constexpr const char* vhosts_name = "vhosts";

// The text of the file `id`.
std::string encode_id(const DirectoryId& id);
std::optional<DirectoryId> decode_id(std::string_view text);

struct Contents {
  DirectoryId id{};
  std::set<std::string> vhosts{};  // by name
};
// The text of the file `contents`.
std::string encode_contents(const Contents& contents);
// Nothing if it is damaged; throws IoError, in which `path` is named, if it is of a version that is
// not known yet.
std::optional<Contents> decode_contents(std::string_view text, const std::string& path);

// The name of a virtual host's directory: percent-encoded, and cut if it is too long for that. No
// two have the same, and none has a dot but those that were cut.
std::string directory_name(std::string_view vhost);
// The virtual host of that directory; nothing if its name does not tell.
std::optional<std::string> vhost_name(std::string_view directory);

}  // namespace haypile::log
