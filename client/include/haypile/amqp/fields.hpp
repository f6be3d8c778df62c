// How the fields of a method follow each other on the wire (AMQP 0-9-1, 4.2.5). There is one
// overload for each field type; consecutive bits are packed into octets, the first one lowest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <haypile/amqp/table.hpp>
#include <haypile/amqp/types.hpp>
#include <haypile/amqp/wire.hpp>

namespace haypile::amqp::detail {

// The position of the next bit field in its octet.
class BitRun {
 public:
  // Returns the position of the next bit; 0 begins a new octet.
  unsigned next() { return next_++ % 8; }
  void stop() { next_ = 0; }

 private:
  unsigned next_ = 0;
};

// Counts the bytes that fields take on the wire.
class FieldSizer {
 public:
  void add(bool) {
    if (bits_.next() == 0) ++size_;
  }
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) void add(T) { grow(sizeof(T)); }
  void add(Timestamp value) { add(value.seconds); }
  void add(std::string_view value) {
    fits_ = fits_ && fits_short_string(value);
    grow(1 + value.size());
  }
  void add(LongString value) { add_long(value); }
  void add(TableView value) { add_long(value.bytes()); }

  std::size_t size() const { return size_; }
  // Whether every string and table fits its length prefix.
  bool fits() const { return fits_; }

 private:
  void add_long(std::string_view value) {
    fits_ = fits_ && value.size() <= UINT32_MAX;
    grow(4 + value.size());
  }
  void grow(std::size_t size) {
    bits_.stop();
    size_ += size;
  }

  std::size_t size_ = 0;
  bool fits_ = true;
  BitRun bits_;
};

// Writes fields without checks. There must be as much room as FieldSizer counted.
class FieldWriter {
 public:
  explicit FieldWriter(char* to) : to_(to) {}

  void add(bool value) {
    const unsigned bit = bits_.next();
    if (bit == 0) *to_++ = 0;
    to_[-1] = static_cast<char>(to_[-1] | (static_cast<int>(value) << bit));
  }
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) void add(T value) {
    bits_.stop();
    to_ = wire::put(to_, value);
  }
  void add(Timestamp value) { add(value.seconds); }
  void add(std::string_view value) {
    add(static_cast<std::uint8_t>(value.size()));
    to_ = wire::put_bytes(to_, value.data(), value.size());
  }
  void add(LongString value) { add_long(value); }
  void add(TableView value) { add_long(value.bytes()); }

  char* end() const { return to_; }

 private:
  void add_long(std::string_view value) {
    add(static_cast<std::uint32_t>(value.size()));
    to_ = wire::put_bytes(to_, value.data(), value.size());
  }

  char* to_;
  BitRun bits_;
};

// Reads fields. Each read is checked against the bytes that are left; strings are views into them.
// After an error nothing more may be read.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  bool read(bool& value) {
    const unsigned bit = bits_.next();
    if (bit == 0) {
      if (rest_.empty()) return fail(DecodeError::truncated);
      octet_ = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
    }
    value = ((octet_ >> bit) & 1U) != 0;
    return true;
  }
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) bool read(T& value) {
    bits_.stop();
    if (rest_.size() < sizeof(T)) return fail(DecodeError::truncated);
    value = wire::load<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return true;
  }
  bool read(Timestamp& value) { return read(value.seconds); }
  bool read(std::string_view& value) { return read_sized<std::uint8_t>(value); }
  bool read(LongString& value) {
    std::string_view bytes;
    if (!read_sized<std::uint32_t>(bytes)) return false;
    value = bytes;
    return true;
  }
  bool read(TableView& value) {
    std::string_view bytes;
    if (!read_sized<std::uint32_t>(bytes)) return false;
    error_ = TableView::parse(bytes, value);
    return error_ == DecodeError::none;
  }

  // Call this when all fields were read.
  DecodeError finish() const {
    if (error_ != DecodeError::none || rest_.empty()) return error_;
    return DecodeError::trailing_bytes;
  }

 private:
  template <class Size>
  bool read_sized(std::string_view& value) {
    Size size = 0;
    if (!read(size)) return false;
    if (rest_.size() < size) return fail(DecodeError::truncated);
    value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool fail(DecodeError error) {
    error_ = error;
    return false;
  }

  std::string_view rest_;
  BitRun bits_;
  unsigned octet_ = 0;
  DecodeError error_ = DecodeError::none;
};

}  // namespace haypile::amqp::detail
