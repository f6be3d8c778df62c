// Frames in pieces, and the messages in them: the result does not depend on how the bytes are cut.
//
// Input: a frame_max, a seed for the pieces, bytes.
#include <string>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "fuzz/support.hpp"
#include "session/content.hpp"

namespace {

using namespace haypile;
using amqp::FrameStatus;
using fuzz::expect;

constexpr std::uint32_t frame_maxes[] = {4096, 8, 9, 64, 16384, 131072, 0};
constexpr std::uint64_t message_size_max = 1u << 20;

void add(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

// Assembles messages as a session does, and records them.
class Messages {
 public:
  void take(const amqp::Frame& frame) {
    if (failed_) return;
    session::Fault fault;
    if (frame.type == amqp::FrameType::header) {
      fault = content_.header(frame.payload, message_size_max);
    } else if (frame.type == amqp::FrameType::body) {
      fault = content_.body(frame.payload);
      if (!fault) body_ += frame.payload;
    } else if (frame.type == amqp::FrameType::method) {
      begin(frame);
    }
    if (fault) {
      failed_ = true;
      add(text_, fault.text);
    }
    if (content_.take_complete()) note();
  }
  const std::string& text() const { return text_; }

 private:
  void begin(const amqp::Frame& frame) {
    amqp::basic::Publish publish;
    if (amqp::peek_method_id(frame.payload) != amqp::basic::Publish::id) return;
    if (content_.expects() != session::Content::Expects::method) return;
    if (amqp::decode_arguments(frame.payload.substr(4), publish) == amqp::DecodeError::none) {
      content_.begin(publish);
      body_.clear();
    }
  }
  void note() {
    expect(body_.size() <= message_size_max, "a body within the limit");
    expect(body_.size() == content_.body_size() && content_.body_left() == 0, "all of the body");
    expect(amqp::validate_properties(content_.raw_properties()) == amqp::DecodeError::none,
           "properties of a message are well-formed");
    for (const std::string_view part : {content_.exchange(), content_.routing_key(),
                                        content_.raw_properties(), std::string_view(body_)}) {
      add(text_, part);
    }
    // The message must be the same in frames of another size.
    std::string frames;
    amqp::append_body_frames(frames, 1, body_, 8 + 1 + frame_size_++ % 40);
    std::string body;
    amqp::Frame frame;
    std::size_t size = 0;
    for (std::string_view rest = frames; !rest.empty(); rest.remove_prefix(size)) {
      expect(amqp::parse_frame(rest, 0, frame, size) == FrameStatus::complete, "body frames parse");
      body += frame.payload;
    }
    expect(body == body_, "body frames hold the body");
  }

  session::Content content_;
  std::string body_;
  std::string text_;
  bool failed_ = false;
  std::uint32_t frame_size_ = 0;
};

struct Outcome {
  std::string frames;  // all frames, written again
  std::string messages;
  FrameStatus last = FrameStatus::incomplete;
  std::string rest;
};

class Receiver {
 public:
  explicit Receiver(std::uint32_t frame_max) : frame_max_(frame_max) {}

  void receive(std::string_view piece) {
    if (outcome_.last != FrameStatus::incomplete) return;
    outcome_.rest += piece;
    std::string_view rest = outcome_.rest;
    amqp::Frame frame;
    std::size_t size = 0;
    while ((outcome_.last = amqp::parse_frame(rest, frame_max_, frame, size)) ==
           FrameStatus::complete) {
      take(frame, rest.substr(0, size));
      rest.remove_prefix(size);
    }
    if (frame_max_ != 0) {
      expect(outcome_.last != FrameStatus::incomplete || rest.size() < frame_max_,
             "never more than one frame is kept");
    }
    outcome_.rest.erase(0, outcome_.rest.size() - rest.size());
  }
  Outcome finish() {
    outcome_.messages = messages_.text();
    if (outcome_.last != FrameStatus::incomplete) outcome_.rest.clear();
    return std::move(outcome_);
  }

 private:
  void take(const amqp::Frame& frame, std::string_view bytes) {
    expect(frame.payload.size() + amqp::frame_overhead == bytes.size(),
           "a frame is as long as it says");
    std::string again;
    amqp::append_frame(again, frame.type, frame.channel, frame.payload);
    expect(again == bytes, "a frame written anew is the same");
    outcome_.frames += again;
    messages_.take(frame);
  }

  std::uint32_t frame_max_;
  Messages messages_;
  Outcome outcome_;
};

Outcome run(std::string_view bytes, std::uint32_t frame_max, std::uint8_t seed) {
  Receiver receiver(frame_max);
  for (fuzz::Pieces pieces(bytes, seed); !pieces.empty();) {
    // An exact copy lets a sanitizer find reads beyond the end.
    const std::string piece(pieces.next());
    receiver.receive(piece);
  }
  return receiver.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint32_t frame_max = frame_maxes[input.below(std::size(frame_maxes))];
  const std::uint8_t seed = input.byte();
  const Outcome whole = run(input.rest(), frame_max, 0);
  const Outcome pieces = run(input.rest(), frame_max, seed);
  expect(whole.frames == pieces.frames, "the same frames, however they are cut");
  expect(whole.messages == pieces.messages, "the same messages, however they are cut");
  expect(whole.last == pieces.last, "the same end, however it is cut");
  expect(whole.rest == pieces.rest, "the same rest, however it is cut");
  return 0;
}
