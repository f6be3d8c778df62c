#include "tls_error.hpp"

#ifdef HAYPILE_TLS

#include <algorithm>
#include <memory>
#include <string_view>
#include <system_error>

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <haypile/amqp/printable.hpp>

namespace haypile {

namespace {

constexpr int names_max = 5;
constexpr std::size_t name_bytes_max = 100;

std::string text(unsigned long code) {
  if (ERR_GET_LIB(code) == ERR_LIB_SYS) {
    return std::generic_category().message(ERR_GET_REASON(code));
  }
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "unknown error";
}

std::string_view bytes(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// Empty if it is neither a name nor an address.
std::string text(const GENERAL_NAME& name) {
  if (name.type == GEN_DNS) return amqp::printable(bytes(name.d.dNSName), name_bytes_max);
  if (name.type != GEN_IPADD) return "";
  const std::string_view address = bytes(name.d.iPAddress);
  if (address.size() != 4 && address.size() != 16) return "";
  char buffer[INET6_ADDRSTRLEN];
  ::inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), buffer, sizeof buffer);
  return buffer;
}

// The names and addresses that the peer's certificate is for, with commas; a few of them.
std::string certified_names(const SSL* ssl) {
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  if (!chain || sk_X509_num(chain) == 0) return "";
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(sk_X509_value(chain, 0), NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  if (!names) return "";
  std::string listed;
  const int count = sk_GENERAL_NAME_num(names.get());
  for (int i = 0; i < std::min(count, names_max); ++i) {
    const std::string name = text(*sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty()) listed += (listed.empty() ? "" : ", ") + name;
  }
  if (count > names_max) listed += ", ...";
  return listed;
}

std::string untrusted(const SSL* ssl, const std::string& name) {
  const std::string subject = "the certificate of '" + amqp::printable(name) + "' ";
  const long result = SSL_get_verify_result(ssl);
  const std::string why = X509_verify_cert_error_string(result);
  switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      const std::string names = certified_names(ssl);
      return subject + "is for " + (names.empty() ? "other names" : names) +
             "; if that is the broker, say so with server_name (in a URI: "
             "server_name_indication)";
    }
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return subject + "is not trusted: " + why +
             "; if it should be, give the certificate of its authority with ca_file (in a URI: "
             "cacertfile)";
    default:
      return subject + "is not accepted: " + why;
  }
}

// An alert of the peer: RFC 8446, section 6.
std::string refused(int alert) {
  // OpenSSL's list of alerts ends before this one.
  const char* name = alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
                                                          : SSL_alert_desc_string_long(alert);
  std::string why = std::string("the broker refused TLS: ") + name;
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
      return why + "; it has to speak TLS 1.2 or 1.3";
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return why +
             "; if it wants a certificate of this client, give one with certificate_file "
             "and key_file (in a URI: certfile, keyfile)";
    default:
      return why;
  }
}

}  // namespace

std::string tls_reason() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  return text(code);
}

std::string tls_failure(const SSL* ssl, const std::string& name) {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  const int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return "TLS failed: " + text(code);
  if (reason > SSL_AD_REASON_OFFSET) return refused(reason - SSL_AD_REASON_OFFSET);
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return untrusted(ssl, name);
    case SSL_R_WRONG_VERSION_NUMBER:
      if (SSL_get_peer_cert_chain(ssl)) break;  // it has spoken it before
      return "the broker does not speak TLS on this port; amqps:// usually has port 5671";
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "the broker's version of TLS is too old; it has to speak TLS 1.2 or 1.3";
    default:
      break;
  }
  return "TLS failed: " + text(code);
}

}  // namespace haypile

#endif
