// What the sessions of a server hold in memory for their clients.
#pragma once

#include <cstddef>
#include <limits>

#include "session/spare_buffers.hpp"

namespace haypile::session {

// One for all sessions of a server, and of its thread. Each session adds what it holds, and takes
// it away again. Messages count with the engine, whoever holds them, unfinished ones included.
class SessionMemory {
 public:
  SessionMemory() = default;
  // What the whole server may take, in bytes.
  explicit SessionMemory(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // To be added to what the engines hold: buffers, frames that wait, sessions and channels.
  std::size_t bytes() const { return bytes_ + spare_buffers_.bytes(); }
  void add(std::size_t now, std::size_t before) { bytes_ += now - before; }

  SpareBuffers& spare_buffers() { return spare_buffers_; }

  // What waits to be sent, with the bodies that are only referred to.
  std::size_t output_bytes() const { return output_bytes_; }
  void add_output(std::size_t now, std::size_t before) { output_bytes_ += now - before; }
  // So much waits that each connection gets no more than scarce_output_bytes.
  bool is_output_scarce() const { return output_bytes_ > limit_bytes_ / 4; }
  static constexpr std::size_t scarce_output_bytes = 64u << 10;

  // What is published in open transactions.
  std::size_t transaction_bytes() const { return transaction_bytes_; }
  void add_transaction(std::size_t now, std::size_t before) { transaction_bytes_ += now - before; }

  // Messages that have begun to arrive and are not complete, with all the room set aside for them.
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
