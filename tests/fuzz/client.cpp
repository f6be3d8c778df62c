// The client library's protocol with a broker that sends anything. The client answers in frames,
// behaves in the same way however the bytes are cut, and gives its user only well-formed values.
//
// Input: flags, a seed for the pieces, what the broker sends.
#include <string>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>

#include "client/src/protocol.hpp"
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
        std::string_view(message.consumer_tag), std::string_view(message.reply_text)}) {
    note(text, part);
  }
  text += std::to_string(message.delivery_tag) + (message.redelivered ? "r" : "") +
          std::to_string(message.message_count) + '/' + std::to_string(message.reply_code);
}

void note(std::string& text, const CloseReason& reason) {
  note(text, reason.text);
  note(text, reason.method);
  text += std::to_string(reason.code);
}

class Broker {
 public:
  explicit Broker(std::uint8_t flags) : protocol_(options(flags)) {
    if ((flags & logged_in) == 0) return;
    static const std::string conversation = handshake();
    send_bytes(conversation);
    expect(protocol_.state() == State::open, "a good handshake opens the connection");
    for (std::uint16_t number = 1; number <= 3; ++number) {
      expect(protocol_.open_channel() == number, "channels are numbered from 1");
    }
    std::string bytes;
    amqp::append_method(bytes, 1, amqp::channel::OpenOk{});
    send_bytes(bytes);
    ProtocolChannel& channel = *protocol_.channel(1);
    channel.reply.reset();
    channel.unconfirmed.enable();
    for (int i = 0; i < 20; ++i)
      channel.unconfirmed.add();
    if ((flags & channel_closing) != 0) protocol_.close_channel(3);
    if ((flags & connection_closing) != 0) protocol_.close();
  }

  void send_bytes(std::string_view bytes) {
    pending_ += bytes;
    // An exact copy lets a sanitizer find reads beyond the end.
    const std::string offered = pending_;
    const std::size_t used = protocol_.receive(offered);
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
    if (protocol_.reason()) note(text, *protocol_.reason());
    for (std::uint16_t number = 1; number <= 10; ++number) {
      if (ProtocolChannel* channel = protocol_.channel(number)) note_channel(text, *channel);
    }
    check_output();
    note(text, protocol_.output());
    return text;
  }
  void end() {
    protocol_.close_channel(2);
    protocol_.close();
    protocol_.lost("the end");
    expect(protocol_.state() == State::closed, "what is lost is closed");
    check_output();
  }

 private:
  static ConnectionOptions options(std::uint8_t flags) {
    ConnectionOptions options{.message_size_max_bytes = message_size_max};
    if ((flags & unlimited) != 0) {
      options.channel_max = 0;
      options.frame_max_bytes = 0;
      options.heartbeat_s = 0;
    }
    return options;
  }
  static void note_channel(std::string& text, const ProtocolChannel& channel) {
    if (channel.closed) note(text, *channel.closed);
    text += channel.closing ? "closing" : "";
    if (channel.reply) {
      text += std::to_string(channel.reply->id.method_id);
      note(text, channel.reply->arguments);
      if (channel.reply->message) note(text, *channel.reply->message);
    }
    for (const Message& message : channel.deliveries)
      note(text, message);
    for (const Message& message : channel.returned)
      note(text, message);
    for (const std::string& tag : channel.cancelled)
      note(text, tag);
    text += std::to_string(channel.unconfirmed.count());
    expect(channel.unconfirmed.count() <= 20, "no more is unconfirmed than was published");
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
      expect(amqp::decode_method(frame.payload, method) == amqp::DecodeError::none,
             "methods are well-formed");
    }
  }

  Protocol protocol_;
  std::string pending_;
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
