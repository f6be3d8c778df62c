#ifdef HAYPILE_TLS

#include <algorithm>
#include <string>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <haypile/error.hpp>

#include "tls.hpp"
#include "tls_error.hpp"

namespace haypile {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw ConnectionFailed("TLS: " + what + ": " + tls_reason());
}

// OpenSSL asks this for the password of a key, and would ask the terminal if it were not set.
int password_of_key(char* buffer, int size_max, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.size() > static_cast<std::size_t>(size_max)) return -1;
  std::ranges::copy(text, buffer);
  return static_cast<int>(text.size());
}

void trust(SSL_CTX* context, const std::string& ca_file) {
  if (ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) fail("no authorities of the system");
  } else if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    fail("cannot read certificates of authorities from '" + ca_file + "'");
  }
}

void show_certificate(SSL_CTX* context, const TlsOptions& options) {
  const std::string& certificate = options.certificate_file;
  const std::string& key = options.key_file.empty() ? certificate : options.key_file;
  std::string password = options.key_password;
  SSL_CTX_set_default_passwd_cb(context, &password_of_key);
  SSL_CTX_set_default_passwd_cb_userdata(context, &password);
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    fail("cannot read the client's certificate from '" + certificate + "'");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    fail("cannot use the client's key from '" + key +
         "' (one that is encrypted needs key_password)");
  }
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
}

}  // namespace

TlsContext::TlsContext(const TlsOptions& options)
    : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), server_name_(options.server_name) {
  SSL_CTX* context = context_.get();
  ERR_clear_error();
  if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    fail("cannot be used");
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  trust(context, options.ca_file);
  if (!options.certificate_file.empty()) {
    show_certificate(context, options);
  } else if (!options.key_file.empty()) {
    throw ConnectionFailed("TLS: there is a key_file, but no certificate_file");
  }
}

}  // namespace haypile

#endif
