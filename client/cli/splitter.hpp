// Cuts what comes in pieces into messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace haypile::cli {

// Cuts a stream at each separator. A message may have any length and be empty.
class Splitter {
 public:
  explicit Splitter(char separator) : separator_(separator) {}

  void add(std::string_view piece) {
    bytes_.erase(0, start_);
    start_ = 0;
    bytes_ += piece;
  }
  // The next message that has its separator; valid until add().
  std::optional<std::string_view> next() {
    const std::size_t end = bytes_.find(separator_, start_ + searched_);
    if (end == std::string::npos) {
      searched_ = bytes_.size() - start_;
      return std::nullopt;
    }
    const std::string_view message = std::string_view(bytes_).substr(start_, end - start_);
    start_ = end + 1;
    searched_ = 0;
    return message;
  }
  // What stands behind the last separator at the end of the stream; nothing if it is empty.
  std::optional<std::string_view> rest() const {
    if (start_ == bytes_.size()) return std::nullopt;
    return std::string_view(bytes_).substr(start_);
  }

 private:
  const char separator_;
  std::string bytes_;
  std::size_t start_ = 0;     // where the next message begins
  std::size_t searched_ = 0;  // so many bytes from there on have no separator
};

}  // namespace haypile::cli
