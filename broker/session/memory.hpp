// Counts what the sessions of a server hold in memory for their clients.
#pragma once

#include <cstddef>
#include <limits>

#include "session/spare_buffers.hpp"

namespace haypile::session {

// The memory of all sessions of a server, on whose thread it is used. Each session adds what it
// holds and subtracts it again. The engine counts all messages, also unfinished ones and those that
// only sessions still hold.
class SessionMemory {
 public:
  SessionMemory() = default;
  // `limit_bytes` is the memory that the whole server may take.
  explicit SessionMemory(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // The memory of buffers, waiting frames, sessions and channels. Add it to what the engines hold.
  std::size_t bytes() const { return bytes_ + spare_buffers_.bytes(); }
  void add(std::size_t now, std::size_t before) { bytes_ += now - before; }

  SpareBuffers& spare_buffers() { return spare_buffers_; }

  // Size of what waits to be sent, including the bodies that are only referenced.
  std::size_t output_bytes() const { return output_bytes_; }
  void add_output(std::size_t now, std::size_t before) { output_bytes_ += now - before; }
  // Whether so much output waits that a connection may have no more than scarce_output_bytes.
  bool is_output_scarce() const { return output_bytes_ > limit_bytes_ / 4; }
  static constexpr std::size_t scarce_output_bytes = 64u << 10;

  // Size of what is published in open transactions.
  std::size_t transaction_bytes() const { return transaction_bytes_; }
  void add_transaction(std::size_t now, std::size_t before) { transaction_bytes_ += now - before; }

  // Bytes set aside for messages that have begun to arrive and are not complete.
  std::size_t unfinished_bytes() const { return unfinished_bytes_; }
  void add_unfinished(std::size_t now, std::size_t before) { unfinished_bytes_ += now - before; }

  std::size_t limit_bytes() const { return limit_bytes_; }

 private:
  SpareBuffers spare_buffers_;
  std::size_t limit_bytes_ = std::numeric_limits<std::size_t>::max();
  std::size_t bytes_ = 0;
  std::size_t output_bytes_ = 0;
  std::size_t transaction_bytes_ = 0;
  std::size_t unfinished_bytes_ = 0;
};

}  // namespace haypile::session
