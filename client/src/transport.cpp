#include "transport.hpp"

#include <utility>

namespace haypile {

Transport::Transport(Socket socket, std::optional<TlsSession> tls)
    : socket_(std::move(socket)), tls_(std::move(tls)) {
  if (tls_) tls_->start(waiting_);
}

void Transport::write(std::string& bytes) {
  if (bytes.empty()) return;
  if (sent_ != 0) waiting_.erase(0, std::exchange(sent_, 0));
  if (tls_) {
    tls_->encrypt(bytes, waiting_);
    bytes.clear();
  } else if (waiting_.empty()) {
    waiting_.swap(bytes);
  } else {
    waiting_ += bytes;
    bytes.clear();
  }
}

std::size_t Transport::flush(std::string& error) {
  if (waiting_.empty()) return 0;
  const std::size_t count = socket_.send(std::string_view(waiting_).substr(sent_), error);
  sent_ += count;
  if (sent_ == waiting_.size() || !error.empty()) {
    waiting_.clear();
    sent_ = 0;
  }
  return count;
}

void Transport::finish() {
  if (tls_) tls_->close(waiting_);
  std::string error;
  flush(error);
}

bool Transport::receive(std::string& into, std::size_t size_max, std::string& error) {
  if (!tls_) return socket_.receive(into, size_max, error);
  encrypted_.clear();
  const bool more = socket_.receive(encrypted_, size_max, error);
  TlsSession::Status status = tls_->decrypt(encrypted_, into, waiting_);
  if (!more && error.empty()) status = tls_->ended();
  if (status == TlsSession::Status::failed) error = tls_->error();
  return more && status == TlsSession::Status::ok;
}

}  // namespace haypile
