// TLS without I/O: bytes from the peer go in, bytes for the peer come out, and whoever has the
// socket moves them. So the blocking client, the asynchronous one and a simulation share it.
//
// It is OpenSSL, which only the sources of this header know. In a library that was built without
// HAYPILE_TLS no TlsContext can be made, so nobody comes further than that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <haypile/options.hpp>

// OpenSSL's SSL and SSL_CTX.
struct ssl_ctx_st;
struct ssl_st;

namespace haypile {

// Whom a client trusts and how it shows who it is: read from files once, for many sessions. A copy
// shares what was read. Sessions of several threads may use one context.
class TlsContext {
 public:
  // Reads the files. Throws ConnectionFailed, which names the file and what is wrong with it, or
  // says that this library has no TLS.
  explicit TlsContext(const TlsOptions& options);

 private:
  friend class TlsSession;
  std::shared_ptr<ssl_ctx_st> context_;
  std::string server_name_;
};

// The client's side of one connection: TLS 1.2 (RFC 5246, without renegotiation) or 1.3 (RFC 8446).
// Belongs to one thread at a time. It keeps no more than a record, the peer's certificates and
// waiting_bytes_max, whatever the peer sends.
//
// What the functions add to `out` has to be sent, in this order, also after a failure: then it is
// the alert that tells the peer.
//
// | status | meaning                                                      | encrypt() | decrypt() |
// | ------ | ------------------------------------------------------------ | --------- | --------- |
// | ok     | the handshake is under way or done                           | works     | works     |
// | closed | the peer has said that nothing more comes                    | ignored   | ignored   |
// | failed | the peer is not to be trusted, or broke the rules: error()   | ignored   | ignored   |
//
// No status but `ok` ever changes.
class TlsSession {
 public:
  enum class Status : std::uint8_t { ok, closed, failed };

  // Plain bytes that wait for the end of the handshake, or of a later message about the session
  // that the peer has begun; more of them are a failure.
  static constexpr std::size_t waiting_bytes_max = 64u << 10;
  // A handshake for which the peer sends more than this is a failure. How long it may take is up to
  // the owner.
  static constexpr std::size_t handshake_bytes_max = 256u << 10;

  // Keys of TLS 1.3 are safe for 2^24.5 records (RFC 8446, section 5.5); ours is changed before.
  static constexpr std::uint64_t records_per_key_default = 1u << 24;

  // `host` is a name or an IP address, without brackets; TlsOptions::server_name comes before it.
  // Throws ConnectionFailed if no certificate could have such a name.
  TlsSession(const TlsContext& context, const std::string& host,
             std::uint64_t records_per_key = records_per_key_default);

  // Begins the handshake. Call this once, before anything is decrypted.
  void start(std::string& out);
  // Appends the records with these plain bytes, or keeps the bytes until decrypt() can.
  void encrypt(std::string_view plain, std::string& out);
  // Takes all of the bytes that came, in pieces of any size. Appends the plain bytes in them.
  Status decrypt(std::string_view bytes, std::string& plain, std::string& out);
  // The peer's bytes have come to an end. That is a failure unless it has announced it: somebody
  // may have cut off the last ones. Callers that know the end of the conversation need not mind.
  Status ended();
  // Tells the peer that nothing more comes (close_notify); encrypt() is ignored from now on.
  void close(std::string& out);

  // With TLS 1.3 the peer may still refuse our certificate when it is done.
  bool handshake_done() const { return handshake_done_; }
  Status status() const { return status_; }
  // Why the status is `failed`, in words for those who run the program.
  const std::string& error() const { return error_; }

 private:
  void set_name(std::string name);
  void shake_hands(std::string& out);
  void read(std::string& plain, std::string& out);
  std::size_t write(std::string_view plain, std::string& out);
  void take_output(std::string& out);
  void fail(std::string why);

  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  std::unique_ptr<ssl_st, Free> ssl_;
  std::string name_;  // what the certificate has to be for
  bool handshake_done_ = false;
  std::string waiting_;  // plain bytes that cannot be encrypted yet
  std::uint64_t records_per_key_ = 0;
  std::uint64_t records_ = 0;  // that we have made
  std::uint64_t received_bytes_ = 0;
  std::uint64_t answers_bytes_ = 0;  // since the handshake
  Status status_ = Status::ok;
  std::string error_;
};

}  // namespace haypile
