#include "session/output.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include <haypile/amqp/frame.hpp>

namespace haypile::session {

namespace {

// Sent bytes stay in front of the buffer until there are more than this.
constexpr std::size_t sent_max_bytes = 64u << 10;

bool is_full(const OutputPieces& out) {
  // One step adds at most two pieces.
  return out.count + 2 > OutputPieces::count_max;
}

// Adds the piece without the first `skipped` bytes, and subtracts these from `skipped`.
void add(OutputPieces& out, std::string_view piece, std::size_t& skipped) {
  const std::size_t left_out = std::min(skipped, piece.size());
  skipped -= left_out;
  piece.remove_prefix(left_out);
  if (!piece.empty()) out.pieces[out.count++] = piece;
}

}  // namespace

// The order on the wire is: the frames_ up to bodies_[0].at, bodies_[0], the frames_ up to
// bodies_[1].at, bodies_[1], and so on, then the rest of frames_. Positions count all bytes that
// were ever in frames_, so they stay valid when trim() removes sent bytes: byte i of frames_ has
// the position popped_ + i. head_ and first_body_ say what has been sent; bodies_ is sorted by
// `at`, and popped_ + head_ is at most the `at` of the first body that is not sent.
void Output::add_body(const engine::MessagePtr& message, std::uint16_t channel,
                      std::uint32_t frame_max, Kind kind) {
  const std::size_t body_size = message->body().size();
  const std::uint32_t payload_max = amqp::frame_payload_max(frame_max);
  const std::size_t frame_count = (body_size + payload_max - 1) / payload_max;
  const std::size_t size = body_size + frame_count * amqp::frame_overhead;
  bodies_.push_back({message, popped_ + frames_.size(), size, payload_max, channel, kind});
  body_bytes_ += size;
  if (kind == Kind::delivery) delivery_bytes_ += size;
}

void Output::append(Output&& other) {
  assert(other.head_ == 0 && other.popped_ == 0 && other.body_sent_ == 0);
  const std::uint64_t before = popped_ + frames_.size();
  if (frames_.empty() && frames_.capacity() < other.frames_.size()) {
    frames_ = std::move(other.frames_);
  } else {
    frames_ += other.frames_;
  }
  for (Body& body : other.bodies_) {
    body.at += before;
    bodies_.push_back(std::move(body));
  }
  body_bytes_ += other.body_bytes_;
  delivery_bytes_ += other.delivery_bytes_;
  other = {};
}

void Output::look(std::size_t skipped, OutputPieces& out) const {
  out.count = out.between_size = 0;
  std::size_t at = head_;
  for (std::size_t i = first_body_; i < bodies_.size(); ++i) {
    const Body& body = bodies_[i];
    const std::size_t end = static_cast<std::size_t>(body.at - popped_);
    if (is_full(out)) return;
    add(out, std::string_view(frames_).substr(at, end - at), skipped);
    at = end;
    const std::size_t sent = i == first_body_ ? body_sent_ : 0;
    const std::size_t left_out = std::min(skipped, body.size - sent);
    skipped -= left_out;
    if (!look_at_body(body, sent + left_out, out)) return;
  }
  if (!is_full(out)) add(out, std::string_view(frames_).substr(at), skipped);
}

// Adds the frames of a body from `offset` on, which counts bytes on the wire. Returns false if
// there is no room for all of them.
bool Output::look_at_body(const Body& body, std::size_t offset, OutputPieces& out) {
  const std::string_view bytes = body.message->body();
  const std::size_t whole = body.payload_max + amqp::frame_overhead;
  std::size_t start = offset / whole * body.payload_max;  // the payload of the first frame
  std::size_t skipped = offset % whole;
  char* between = out.between.data() + out.between_size;
  const char* piece = between;
  for (; start < bytes.size(); start += body.payload_max) {
    if (is_full(out)) return false;
    const std::string_view payload = bytes.substr(start, body.payload_max);
    between = amqp::detail::put_frame_header(between, amqp::FrameType::body, body.channel,
                                             payload.size());
    // The end of the previous frame, if there is one, is in the same piece.
    add(out, {piece, static_cast<std::size_t>(between - piece)}, skipped);
    add(out, payload, skipped);
    piece = between;
    *between++ = amqp::frame_end;
    out.between_size = static_cast<std::size_t>(between - out.between.data());
  }
  if (is_full(out)) return false;
  add(out, {piece, static_cast<std::size_t>(between - piece)}, skipped);
  return true;
}

void Output::pop(std::size_t size, SpareBuffers& spares) {
  assert(size <= this->size());
  while (size > 0) {
    const bool has_body = first_body_ < bodies_.size();
    const std::size_t end =
        has_body ? static_cast<std::size_t>(bodies_[first_body_].at - popped_) : frames_.size();
    const std::size_t copied = std::min(size, end - head_);
    head_ += copied;
    size -= copied;
    if (size == 0 || !has_body) break;
    Body& body = bodies_[first_body_];
    const std::size_t sent = std::min(size, body.size - body_sent_);
    size -= sent;
    body_sent_ += sent;
    body_bytes_ -= sent;
    if (body.kind == Kind::delivery) delivery_bytes_ -= sent;
    if (body_sent_ < body.size) break;
    body.message = {};
    ++first_body_;
    body_sent_ = 0;
  }
  trim(spares);
}

void Output::trim(SpareBuffers& spares) {
  if (head_ == frames_.size()) {
    popped_ += std::exchange(head_, 0);
    frames_.clear();
    if (frames_.capacity() > kept_bytes) spares.keep(frames_);
  } else if (head_ > sent_max_bytes && head_ > frames_.size() / 2) {
    popped_ += head_;
    frames_.erase(0, std::exchange(head_, 0));
  }
  if (first_body_ == bodies_.size()) {
    bodies_.clear();
    first_body_ = 0;
    if (bodies_.capacity() * sizeof(Body) > kept_bytes / 16) std::vector<Body>().swap(bodies_);
  } else if (first_body_ > 64 && first_body_ > bodies_.size() / 2) {
    bodies_.erase(bodies_.begin(),
                  std::next(bodies_.begin(), static_cast<std::ptrdiff_t>(first_body_)));
    first_body_ = 0;
  }
}

}  // namespace haypile::session
