// What OpenSSL complains about, in words for those who run the program.
#pragma once

#ifdef HAYPILE_TLS

#include <string>

#include <openssl/types.h>

namespace haypile {

// The first error that OpenSSL has noted on this thread; forgets all of them.
std::string tls_reason();

// Why a session failed that has just returned an error; `name` is what the certificate of the peer
// has to be for. Forgets the errors of this thread.
std::string tls_failure(const SSL* ssl, const std::string& name);

}  // namespace haypile

#endif
