// What a data directory says of itself: its id and its virtual hosts; docs/log-format.md, "Files".
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
  std::set<std::string> vhosts{};  // their names
};
// The text of the file `contents`.
std::string encode_contents(const Contents& contents);
// Returns nothing if the text is damaged. Throws IoError, with `path` in its text, if the version
// is not known yet.
std::optional<Contents> decode_contents(std::string_view text, const std::string& path);

// The name of a virtual host's directory: percent-encoded, and shortened if it is too long. No two
// virtual hosts have the same, and only shortened names have a dot.
std::string directory_name(std::string_view vhost);
// The virtual host of that directory; nothing if the name is shortened or not one that is encoded.
std::optional<std::string> vhost_name(std::string_view directory);

}  // namespace haypile::log
