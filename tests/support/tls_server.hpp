// The other end of a TLS connection: a server of OpenSSL, in memory.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "support/certificates.hpp"

namespace haypile::test {

class TlsServer {
 public:
  explicit TlsServer(const Identity& identity)
      : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
    REQUIRE(SSL_CTX_use_certificate(context_.get(), identity.certificate.get()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey(context_.get(), identity.key.get()) == 1);
  }

  // Set it up before the first bytes come.
  SSL_CTX* context() { return context_.get(); }
  void demand_certificate_of(const Identity& authority) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context()), authority.certificate.get());
    SSL_CTX_set_verify(context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }

  // The session, which begins with the first call.
  SSL* ssl() {
    if (!ssl_) {
      ssl_.reset(SSL_new(context()));
      SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      SSL_set_accept_state(ssl_.get());
    }
    return ssl_.get();
  }

  // Appends the plain bytes to `received`.
  void receive(std::string_view bytes) {
    if (!bytes.empty())
      BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size()));
    std::array<char, 16384> buffer;
    std::size_t size = 0;
    ERR_clear_error();
    while (SSL_read_ex(ssl(), buffer.data(), buffer.size(), &size) == 1) {
      received.append(buffer.data(), size);
    }
    if (SSL_get_error(ssl(), 0) == SSL_ERROR_SSL) failure = ERR_GET_REASON(ERR_peek_error());
    is_closed = (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  void send(std::string_view plain) {
    std::size_t size = 0;
    REQUIRE(SSL_write_ex(ssl(), plain.data(), plain.size(), &size) == 1);
  }
  // What has to go to the client. The caller takes it.
  std::string output() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl()), &data);
    std::string bytes(data, static_cast<std::size_t>(size));
    BIO_reset(SSL_get_wbio(ssl()));
    return bytes;
  }

  std::string received;
  bool is_closed = false;
  int failure = 0;  // one of SSL_R_...

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};
};

}  // namespace haypile::test
