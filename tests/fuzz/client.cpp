// The client library's protocol with a broker that sends anything. The client answers in frames,
// behaves in the same way however the bytes are cut, and gives its user only well-formed values.
//
// Input: flags, a seed for the pieces, what the broker sends.
#include <string>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "client/core/protocol.hpp"
#include "fuzz/support.hpp"

namespace {

using namespace haypile;
using fuzz::expect;
using State = Protocol::State;

enum Flag : std::uint8_t {
  logged_in = 1,        // the handshake is done, and channels 1 to 3 are open
  channel_closing = 2,  // channel 3 waits for its close-ok
  connection_closing = 4,
  unlimited = 8,  // the options set no limits, and no heartbeat
};

constexpr std::uint64_t message_size_max = 1u << 20;
constexpr std::uint64_t published_count = 20;
const TimePoint start = TimePoint() + std::chrono::hours(1);

std::string handshake() {
  std::string bytes;
  amqp::append_method(bytes, 0,
                      amqp::connection::Start{.mechanisms = std::string_view("PLAIN AMQPLAIN"),
                                              .locales = std::string_view("en_US")});
  amqp::append_method(
      bytes, 0, amqp::connection::Tune{.channel_max = 10, .frame_max = 8192, .heartbeat = 60});
  amqp::append_method(bytes, 0, amqp::connection::OpenOk{});
  return bytes;
}

void note(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

void note(std::string& text, const Message& message) {
  const Properties properties = message.properties();
  std::string raw;
  expect(amqp::append_properties(raw, properties) && raw == message.raw_properties(),
         "properties of a message are well-formed");
  expect(message.body().size() <= message_size_max, "no message is larger than allowed");
  for (const std::string_view part :
       {message.exchange(), message.routing_key(), message.raw_properties(), message.body(),
        message.consumer_tag(), message.reply_text()}) {
    note(text, part);
  }
  text += std::to_string(message.delivery_tag) + (message.redelivered ? "r" : "") +
          std::to_string(message.message_count) + '/' + std::to_string(message.reply_code);
}

void note(std::string& text, const CloseReason& reason) {
  note(text, reason.text);
  note(text, reason.method);
  text += std::to_string(reason.code) + '/' + std::to_string(static_cast<int>(reason.ending));
}

// Writes down what a user sees of an event.
struct NoteEvent {
  std::string& text;

  void operator()(const event::Opened&) const { text += "opened"; }
  void operator()(const event::Reply& event) const {
    text += "reply" + std::to_string(event.channel) + '/' + std::to_string(event.request) + '/' +
            std::to_string(event.method.class_id) + '.' + std::to_string(event.method.method_id);
    note(text, event.arguments);
  }
  void operator()(const event::Got& event) const {
    text += "got" + std::to_string(event.channel) + '/' + std::to_string(event.request);
    if (event.message) note(text, *event.message);
  }
  void operator()(const event::Delivery& event) const {
    text += "delivery" + std::to_string(event.channel);
    note(text, event.message);
  }
  void operator()(const event::Returned& event) const {
    text += "returned" + std::to_string(event.channel);
    note(text, event.message);
  }
  void operator()(const event::Confirmed& event) const {
    expect(event.number >= 1 && event.number <= published_count,
           "what is confirmed was published before");
    text += "confirmed" + std::to_string(event.channel) + '/' + std::to_string(event.number) +
            (event.multiple ? "m" : "") + (event.refused ? "r" : "");
  }
  void operator()(const event::ConsumerCancelled& event) const {
    text += "cancelled" + std::to_string(event.channel);
    note(text, event.consumer_tag);
  }
  void operator()(const event::Blocked& event) const {
    text += event.blocked ? "blocked" : "unblocked";
    note(text, event.reason);
  }
  void operator()(const event::ChannelClosed& event) const {
    text += "closed" + std::to_string(event.channel);
    note(text, event.reason);
  }
  void operator()(const event::Closed& event) const {
    text += "closed";
    note(text, event.reason);
  }
};

class Broker {
 public:
  explicit Broker(std::uint8_t flags) : protocol_(options(flags), start) {
    if ((flags & logged_in) == 0) return;
    static const std::string conversation = handshake();
    send_bytes(conversation);
    expect(protocol_.state() == State::open, "a good handshake opens the connection");
    for (std::uint16_t number = 1; number <= 3; ++number) {
      expect(protocol_.open_channel(start).first == number, "channels are numbered from 1");
    }
    std::string bytes;
    amqp::append_method(bytes, 1, amqp::channel::OpenOk{});
    amqp::append_method(bytes, 3, amqp::channel::OpenOk{});
    send_bytes(bytes);
    // Channel 1 has published, and waits for these answers.
    protocol_.request<amqp::confirm::SelectOk>(1, amqp::confirm::Select{}, start);
    for (std::uint64_t i = 0; i < published_count; ++i)
      protocol_.publish(1, {.routing_key = "q"}, std::string_view("\0\0", 2), "m");
    protocol_.request<amqp::queue::DeclareOk>(1, amqp::queue::Declare{.queue = "q"}, start);
    protocol_.get(1, {.queue = "q"}, start);
    protocol_.request<amqp::basic::ConsumeOk>(1, amqp::basic::Consume{.queue = "q"}, start);
    protocol_.get(1, {.queue = "q"}, start);
    if ((flags & channel_closing) != 0) protocol_.close_channel(3, start);
    if ((flags & connection_closing) != 0) protocol_.close(start, std::chrono::seconds(5));
  }

  void send_bytes(std::string_view bytes) {
    pending_ += bytes;
    // An exact copy lets a sanitizer find reads beyond the end.
    const std::string offered = pending_;
    const std::size_t used = protocol_.receive(offered, start);
    expect(used <= pending_.size(), "no more is used than there is");
    pending_.erase(0, used);
    expect(pending_.size() < 131072, "the rest is part of a frame");
    // A closed connection has no rest.
    if (protocol_.state() == State::closed) {
      expect(pending_.empty() && (bytes.empty() || used != 0), "the end leaves nothing");
    }
  }
  // Everything that a user can see, and what was answered.
  std::string outcome() {
    std::string text = std::to_string(static_cast<int>(protocol_.state())) +
                       (protocol_.blocked() ? "b" : "") + pending_;
    note_events(text);
    check_output();
    note(text, protocol_.output());
    return text;
  }
  void end() {
    const auto deadline = protocol_.deadline();
    expect(deadline.has_value() == (protocol_.state() != State::closed) || !has_heartbeat(),
           "what is open has a deadline");
    if (deadline) protocol_.tick(*deadline);
    protocol_.close_channel(2, start);
    protocol_.close(start, std::chrono::seconds(5));
    protocol_.lost("the end");
    expect(protocol_.state() == State::closed, "what is lost is closed");
    expect(!protocol_.deadline(), "what is closed has no deadline");
    check_output();
    std::string text;
    note_events(text);
    expect(closed_count_ == 1, "the end is told once");
  }

 private:
  void note_events(std::string& text) {
    std::vector<Event> events;
    protocol_.take_events(events);
    for (const Event& event : events) {
      expect(closed_count_ == 0, "nothing comes after the end");
      if (std::holds_alternative<event::Closed>(event)) ++closed_count_;
      std::visit(NoteEvent{text}, event);
    }
  }
  bool has_heartbeat() const { return protocol_.heartbeat_s() != 0; }
  static ConnectionOptions options(std::uint8_t flags) {
    ConnectionOptions options{.message_size_max_bytes = message_size_max};
    if ((flags & unlimited) != 0) {
      options.channel_max = 0;
      options.frame_max_bytes = 0;
      options.heartbeat_s = 0;
    }
    return options;
  }
  void check_output() {
    std::string_view rest = protocol_.output();
    expect(rest.starts_with(amqp::protocol_header), "the client begins with the protocol header");
    rest.remove_prefix(amqp::protocol_header.size());
    amqp::Frame frame;
    amqp::Method method;
    std::size_t size = 0;
    for (; !rest.empty(); rest.remove_prefix(size)) {
      expect(amqp::parse_frame(rest, 0, frame, size) == amqp::FrameStatus::complete,
             "output is whole frames");
      expect(frame.type != amqp::FrameType::method ||
                 amqp::decode_method(frame.payload, method) == amqp::DecodeError::none,
             "methods are well-formed");
    }
  }

  Protocol protocol_;
  std::string pending_;
  int closed_count_ = 0;
};

std::string run(std::string_view bytes, std::uint8_t flags, std::uint8_t seed) {
  Broker broker(flags);
  for (fuzz::Pieces pieces(bytes, seed); !pieces.empty();)
    broker.send_bytes(pieces.next());
  std::string outcome = broker.outcome();
  broker.end();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t flags = input.byte();
  const std::uint8_t seed = input.byte();
  const std::string pieces = run(input.rest(), flags, seed);
  if (seed == 0) return 0;
  expect(run(input.rest(), flags, 0) == pieces, "the same, however the bytes are cut");
  return 0;
}
