#include "log/data_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace haypile::log {

namespace {

constexpr std::string_view id_prefix = "haypile data 1 ";

std::string hex(const DirectoryId& id) {
  std::string text;
  for (const unsigned char byte : id) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

std::string percent_encode(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (plain) {
      out += c;
      continue;
    }
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    out += code;
  }
  return out;
}

// Nothing for what percent_encode() never gives.
std::optional<std::string> percent_decode(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    unsigned byte = static_cast<unsigned char>(text.front());
    std::size_t size = 1;
    if (byte == '%') {
      size = 3;
      if (text.size() < size ||
          std::sscanf(std::string(text.substr(1, 2)).c_str(), "%2x", &byte) != 1) {
        return std::nullopt;
      }
    }
    name += static_cast<char>(byte);
    text.remove_prefix(size);
  }
  return name;
}

DirectoryId parse_id(const std::string& text, const std::string& path) {
  DirectoryId id{};
  if (text.starts_with(id_prefix) && text.size() == id_prefix.size() + 2 * id.size() + 1) {
    for (std::size_t i = 0; i < id.size(); ++i) {
      unsigned byte = 0;
      if (std::sscanf(text.c_str() + id_prefix.size() + 2 * i, "%2x", &byte) != 1) break;
      id[i] = static_cast<unsigned char>(byte);
    }
    if (text == std::string(id_prefix) + hex(id) + "\n") return id;
  }
  throw IoError("'" + path + "' is damaged, or of another version of Haypile");
}

}  // namespace

DataDirectory::DataDirectory(const std::filesystem::path& path, FileSystem& files)
    : path_(path.string()), files_(files) {
  files_.create_directories(path_);
  tighten();
  lock();
  try {
    read_id();
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

DataDirectory::~DataDirectory() {
  ::close(lock_);
}

// A directory with other things in it may be somebody's home, or the system's: it is left alone.
void DataDirectory::tighten() {
  constexpr mode_t others = 077;
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0 || (status.st_mode & others) == 0) return;
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777));
  const std::string was = "data directory '" + path_ + "' was open to others (" + mode + ")";
  if (!is_ours()) {
    notice_ = was + " and is left so, since there are other things in it";
  } else if (::chmod(path_.c_str(), 0700) == 0) {
    notice_ = was + ", and is 0700 now";
  } else {
    notice_ = was + ", and cannot be closed to them: " + std::generic_category().message(errno);
  }
}

// It has been a data directory before, or is empty, as a new file system is.
bool DataDirectory::is_ours() {
  if (files_.exists(path_ + "/id")) return true;
  return std::ranges::all_of(files_.list(path_), [](const std::string& name) {
    return name == "lost+found" || name == "lock";
  });
}

// The lock belongs to the open file, so that it keeps out a second opener of the same process too;
// the system drops it when the process ends, however that comes.
void DataDirectory::lock() {
  const std::string name = path_ + "/lock";
  lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ >= 0) ::fchmod(lock_, 0600);
  if (lock_ < 0) {
    throw IoError("cannot open '" + name + "': " + std::generic_category().message(errno));
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(lock_);
  if (error == EWOULDBLOCK) {
    throw IoError("data directory '" + path_ + "' is in use by another broker");
  }
  throw IoError("cannot lock '" + name + "': " + std::generic_category().message(error));
}

void DataDirectory::read_id() {
  const std::string name = path_ + "/id";
  if (files_.exists(name)) {
    const auto file = files_.open(name);
    file->sync();
    id_ = parse_id(file->read(0, 256), name);
    return;
  }
  if (files_.exists(path_ + "/vhosts")) {
    throw IoError("'" + name + "' is missing, but there is data in '" + path_ + "/vhosts'");
  }
  if (::getrandom(id_.data(), id_.size(), 0) != static_cast<ssize_t>(id_.size())) {
    throw IoError("the system gives no random numbers");
  }
  replace_file(files_, path_, "id", std::string(id_prefix) + hex(id_) + "\n");
}

std::string DataDirectory::vhost_directory(const std::string& name) {
  const std::string vhosts = path_ + "/vhosts";
  const std::string path = vhosts + "/" + percent_encode(name);
  files_.create_directories(path);
  files_.sync_directory(vhosts);
  files_.sync_directory(path_);
  return path;
}

ExistingDirectory::ExistingDirectory(std::string path, FileSystem& files, Use use)
    : path_(std::move(path)), files_(files) {
  if (!files_.exists(path_)) throw IoError("there is no directory '" + path_ + "'");
  const std::string id = path_ + "/id";
  if (!files_.exists(id)) throw IoError("'" + path_ + "' is not a data directory: it has no 'id'");
  lock(use);
  try {
    id_ = parse_id(files_.open(id)->read(0, 256), id);
  } catch (...) {
    if (lock_ >= 0) ::close(lock_);
    throw;
  }
}

ExistingDirectory::~ExistingDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

void ExistingDirectory::lock(Use use) {
  const std::string name = path_ + "/lock";
  lock_ = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (lock_ < 0 && errno == ENOENT) return;
  if (lock_ < 0) {
    throw IoError("cannot open '" + name + "': " + std::generic_category().message(errno));
  }
  if (::flock(lock_, (use == Use::look ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(lock_);
  if (error == EWOULDBLOCK) throw IoError("data directory '" + path_ + "' is in use by a broker");
  throw IoError("cannot lock '" + name + "': " + std::generic_category().message(error));
}

std::vector<ExistingDirectory::VhostPath> ExistingDirectory::vhosts() const {
  std::vector<VhostPath> found;
  const std::string vhosts = path_ + "/vhosts";
  if (!files_.exists(vhosts)) return found;
  for (const std::string& entry : files_.list(vhosts)) {
    const auto name = percent_decode(entry);
    if (name && percent_encode(*name) == entry) found.push_back({*name, vhosts + "/" + entry});
  }
  std::ranges::sort(found, {}, &VhostPath::name);
  return found;
}

}  // namespace haypile::log
