// Authorities and certificates that a test makes for itself, with OpenSSL.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace haypile::test {

// A certificate and its key.
struct Identity {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;
};

struct IdentitySpec {
  std::string common_name = "broker";
  // What it is for, such as "DNS:localhost,IP:127.0.0.1".
  std::string names = "DNS:localhost";
  // From now.
  long begins_s = -3600;
  long ends_s = 3600;
  bool is_authority = false;
};

inline void extend(const Identity& identity, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, identity.certificate.get(), nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  REQUIRE(extension);
  X509_add_ext(identity.certificate.get(), extension, -1);
  X509_EXTENSION_free(extension);
}

// Without an issuer the certificate is self-signed.
inline Identity make_identity(const IdentitySpec& spec = {}, const Identity* issuer = nullptr) {
  Identity made{{X509_new(), &X509_free}, {EVP_EC_gen("P-256"), &EVP_PKEY_free}};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  static long last_serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++last_serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), spec.begins_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), spec.ends_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.c_str()), -1,
                             -1, 0);
  X509* signer = issuer ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  X509_set_pubkey(certificate, made.key.get());
  extend(made, signer, NID_basic_constraints, spec.is_authority ? "CA:TRUE" : "CA:FALSE");
  if (!spec.is_authority) extend(made, signer, NID_subject_alt_name, spec.names);
  REQUIRE(X509_sign(certificate, (issuer ? issuer->key : made.key).get(), EVP_sha256()) > 0);
  return made;
}

using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

inline File open_to_write(const std::filesystem::path& path) {
  File file(std::fopen(path.c_str(), "w"), &std::fclose);
  REQUIRE(file);
  return file;
}

// Returns the path. Both are in PEM.
inline std::string write_certificate(const std::filesystem::path& path, const Identity& identity) {
  REQUIRE(PEM_write_X509(open_to_write(path).get(), identity.certificate.get()) == 1);
  return path;
}

// The key is encrypted if there is a password.
inline std::string write_key(const std::filesystem::path& path, const Identity& identity,
                             std::string password = "") {
  REQUIRE(PEM_write_PKCS8PrivateKey(open_to_write(path).get(), identity.key.get(),
                                    password.empty() ? nullptr : EVP_aes_256_cbc(),
                                    password.empty() ? nullptr : password.data(),
                                    static_cast<int>(password.size()), nullptr, nullptr) == 1);
  return path;
}

}  // namespace haypile::test
