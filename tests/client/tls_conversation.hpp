// A client that speaks TLS, and a server of OpenSSL, without sockets.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "client/core/tls.hpp"
#include "support/certificates.hpp"
#include "support/temporary_directory.hpp"
#include "support/tls_server.hpp"

namespace haypile::test {

using Status = TlsSession::Status;

// An authority that the client trusts, in a file.
struct Trust {
  TemporaryDirectory directory;
  Identity authority = make_identity({.common_name = "authority", .is_authority = true});
  std::string ca_file = write_certificate(directory.path / "ca.pem", authority);
  Identity broker = make_identity({}, &authority);
};

inline const Trust& trust() {
  static const Trust made;
  return made;
}

// A client and a server. What one has sent waits until it is moved to the other.
struct Conversation {
  explicit Conversation(const TlsOptions& options = {.ca_file = trust().ca_file},
                        const std::string& host = "localhost",
                        const Identity& broker = trust().broker)
      : client(TlsContext(options), host), server(broker) {}

  // Moves bytes in pieces until there are no more. Returns the client's status.
  Status talk(std::size_t piece_bytes = std::string::npos) {
    if (!std::exchange(has_begun, true)) client.start(to_server);
    do {
      in_pieces(to_server, piece_bytes, [&](std::string_view piece) { server.receive(piece); });
      to_client += server.output();
      in_pieces(to_client, piece_bytes,
                [&](std::string_view piece) { client.decrypt(piece, received, to_server); });
    } while (!to_server.empty());
    return client.status();
  }
  template <class F>
  static void in_pieces(std::string& bytes, std::size_t piece_bytes, F&& take) {
    const std::string taken = std::exchange(bytes, {});
    for (std::size_t at = 0; at < taken.size();) {
      const std::string_view piece = std::string_view(taken).substr(at, piece_bytes);
      take(piece);
      at += piece.size();
    }
  }
  // Why the client refuses to go on.
  std::string refusal() {
    CHECK(talk() == Status::failed);
    return client.error();
  }

  TlsSession client;
  TlsServer server;
  bool has_begun = false;
  std::string to_server;
  std::string to_client;
  std::string received;
};

inline bool contains(const std::string& text, std::string_view part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

inline void use_only(SSL_CTX* context, int version) {
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
}

}  // namespace haypile::test
