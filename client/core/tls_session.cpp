#ifdef HAYPILE_TLS

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <haypile/amqp/printable.hpp>
#include <haypile/error.hpp>

#include "tls.hpp"
#include "tls_error.hpp"

namespace haypile {

namespace {

// What goes through OpenSSL at a time: as much as a record can have. Its buffers in memory, one for
// each direction, do not become much larger than this.
constexpr std::size_t piece_bytes = 16u << 10;
// After the handshake the peer may make us answer: when it asks for other keys (RFC 8446, section
// 4.6.3) or a renegotiation. Servers do that after gigabytes, if at all. One that never reads could
// let the answers grow for ever, so they may be this much, and a byte more for so many received.
constexpr std::size_t answers_bytes_max = 4096;
constexpr std::size_t received_bytes_per_answer_byte = 64u << 10;

}  // namespace

void TlsSession::Free::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

TlsSession::TlsSession(const TlsContext& context, const std::string& host,
                       std::uint64_t records_per_key)
    : ssl_(SSL_new(context.context_.get())), records_per_key_(records_per_key) {
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (!ssl_ || !in || !out) {
    BIO_free(in);
    BIO_free(out);
    throw ConnectionFailed("TLS: no session: " + tls_reason());
  }
  SSL_set_bio(ssl_.get(), in, out);
  SSL_set_connect_state(ssl_.get());
  set_name(context.server_name_.empty() ? host : context.server_name_);
}

// A name is sent (RFC 6066, section 3) and has to be in the certificate; an address only the
// latter.
void TlsSession::set_name(std::string name) {
  if (name.ends_with('.')) name.pop_back();  // of the DNS's root, which certificates leave out
  name_ = std::move(name);
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl_.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name_.c_str()) == 1) return;
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // Without a name OpenSSL would accept the certificate of any host.
  if (name_.empty() || X509_VERIFY_PARAM_set1_host(wanted, name_.data(), name_.size()) != 1 ||
      SSL_set_tlsext_host_name(ssl_.get(), name_.c_str()) != 1) {
    throw ConnectionFailed("TLS: '" + amqp::printable(name_) + "' is no name of a host");
  }
}

void TlsSession::start(std::string& out) {
  shake_hands(out);
}

void TlsSession::encrypt(std::string_view plain, std::string& out) {
  if (status_ != Status::ok || (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  if (handshake_done_) plain.remove_prefix(write(plain, out));
  if (status_ != Status::ok) return;
  if (plain.size() > waiting_bytes_max - waiting_.size()) {
    fail("too much is to be sent before the TLS handshake is done");
  } else {
    waiting_ += plain;
  }
}

TlsSession::Status TlsSession::decrypt(std::string_view bytes, std::string& plain,
                                       std::string& out) {
  while (status_ == Status::ok && !bytes.empty()) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    received_bytes_ += piece.size();
    if (!handshake_done_ && received_bytes_ > handshake_bytes_max) {
      fail("the TLS handshake of the broker has no end");
      break;
    }
    std::size_t taken = 0;
    if (BIO_write_ex(SSL_get_rbio(ssl_.get()), piece.data(), piece.size(), &taken) != 1) {
      fail("TLS failed: " + tls_reason());
      break;
    }
    if (!handshake_done_) shake_hands(out);
    if (status_ == Status::ok && handshake_done_) read(plain, out);
    if (status_ == Status::ok && handshake_done_) waiting_.erase(0, write(waiting_, out));
  }
  return status_;
}

void TlsSession::shake_hands(std::string& out) {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1 && SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
    fail(tls_failure(ssl_.get(), name_));
  }
  handshake_done_ = result == 1;
  take_output(out);
}

void TlsSession::read(std::string& plain, std::string& out) {
  std::array<char, piece_bytes> buffer;
  std::size_t size = 0;
  ERR_clear_error();
  while (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &size) == 1) {
    plain.append(buffer.data(), size);
  }
  switch (SSL_get_error(ssl_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
      break;
    case SSL_ERROR_ZERO_RETURN:
      status_ = Status::closed;
      break;
    default:
      fail(tls_failure(ssl_.get(), name_));
  }
  const std::size_t before = out.size();
  take_output(out);
  answers_bytes_ += out.size() - before;
  if (status_ == Status::ok &&
      answers_bytes_ > answers_bytes_max + received_bytes_ / received_bytes_per_answer_byte) {
    fail("the broker wants new TLS keys without an end");
  }
}

// Returns how many bytes it has taken. It takes no more while the peer is in the middle of another
// message about the session, such as one about new keys.
std::size_t TlsSession::write(std::string_view plain, std::string& out) {
  std::string_view left = plain;
  while (!left.empty()) {
    std::size_t taken = 0;
    ERR_clear_error();
    if (SSL_write_ex(ssl_.get(), left.data(), std::min(left.size(), piece_bytes), &taken) != 1) {
      if (SSL_get_error(ssl_.get(), 0) != SSL_ERROR_WANT_READ) {
        fail(tls_failure(ssl_.get(), name_));
      }
      break;
    }
    left.remove_prefix(taken);
    // The next record comes behind the change. TLS 1.2 has none, and says so.
    if (++records_ % records_per_key_ == 0) {
      SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    take_output(out);
  }
  return plain.size() - left.size();
}

TlsSession::Status TlsSession::ended() {
  if (status_ == Status::ok) {
    fail(handshake_done_ ? "the connection ended before TLS did, so something may be missing"
                         : "the broker ended the connection during the TLS handshake");
  }
  return status_;
}

void TlsSession::close(std::string& out) {
  if (status_ == Status::failed || !handshake_done_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  take_output(out);
}

void TlsSession::take_output(std::string& out) {
  BIO* bio = SSL_get_wbio(ssl_.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  if (size <= 0) return;
  out.append(data, static_cast<std::size_t>(size));
  BIO_reset(bio);
}

void TlsSession::fail(std::string why) {
  status_ = Status::failed;
  error_ = std::move(why);
  waiting_.clear();
}

}  // namespace haypile

#endif
