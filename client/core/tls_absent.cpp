// A library without TLS: there never is a context, so nobody comes to the functions of a session.
#ifndef HAYPILE_TLS

#include <haypile/error.hpp>

#include "tls.hpp"

namespace haypile {

TlsContext::TlsContext(const TlsOptions&) {
  throw ConnectionFailed(
      "this haypile was built without TLS, so it cannot speak amqps; build it with OpenSSL and "
      "HAYPILE_TLS=ON");
}

TlsSession::TlsSession(const TlsContext&, const std::string&, std::uint64_t) {}
void TlsSession::Free::operator()(ssl_st*) const {}
void TlsSession::start(std::string&) {}
void TlsSession::encrypt(std::string_view, std::string&) {}
TlsSession::Status TlsSession::decrypt(std::string_view, std::string&, std::string&) {
  return status_;
}
TlsSession::Status TlsSession::ended() {
  return status_;
}
void TlsSession::close(std::string&) {}

}  // namespace haypile

#endif
