// The bytes of a connection on their way through its socket, with TLS or without.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "client/core/tls.hpp"
#include "socket.hpp"

namespace haypile {

// Owns the socket, and the output that it has not taken yet. It never blocks.
class Transport {
 public:
  // With a session, its handshake begins with the output.
  Transport(Socket socket, std::optional<TlsSession> tls);

  const Socket& socket() const { return socket_; }
  std::size_t unsent_size() const { return waiting_.size() - sent_; }

  // Takes all of `bytes` over, and leaves it empty.
  void write(std::string& bytes);
  // Sends as much as the socket takes now, and returns how much that was. Sets `error` if it will
  // never take any again; then all output is dropped.
  std::size_t flush(std::string& error);
  // Says that nothing more comes, where TLS has words for it, and sends it if the socket takes it.
  void finish();
  // Appends what has come, up to about `size_max` bytes. Returns false at the end of the stream;
  // then `error` says why, or is empty if the peer closed the connection. There may be output then.
  bool receive(std::string& into, std::size_t size_max, std::string& error);
  // Why the peer is not to be trusted; empty if it is, or without TLS.
  std::string_view tls_error() const { return tls_ ? std::string_view(tls_->error()) : ""; }

 private:
  Socket socket_;
  std::optional<TlsSession> tls_;
  std::string encrypted_;  // what has come, for a moment
  std::string waiting_;    // output, of which sent_ bytes have gone out
  std::size_t sent_ = 0;
};

}  // namespace haypile
