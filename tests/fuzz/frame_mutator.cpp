// Mutates what a peer sends frame by frame. Random changes of bytes usually break a length, and
// then nothing behind it is read any more.
//
// The input must begin with two bytes for the target, followed by what is sent.
#include <array>
#include <string>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

#include "fuzz/support.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using namespace haypile;

constexpr std::size_t prefix_size = 2;
constexpr std::size_t frame_count_max = 400;

struct OwnedFrame {
  std::uint8_t type = 1;
  std::uint16_t channel = 0;
  std::string payload;
};

struct Conversation {
  std::string start;  // a protocol header
  std::vector<OwnedFrame> frames;
  std::string rest;  // the bytes from the first one that begins no frame
};

Conversation parse(std::string_view bytes) {
  Conversation conversation;
  if (bytes.starts_with("AMQP")) {
    conversation.start = bytes.substr(0, amqp::protocol_header.size());
    bytes.remove_prefix(conversation.start.size());
  }
  amqp::Frame frame;
  std::size_t size = 0;
  while (amqp::parse_frame(bytes, 0, frame, size) == amqp::FrameStatus::complete) {
    conversation.frames.push_back(
        {static_cast<std::uint8_t>(frame.type), frame.channel, std::string(frame.payload)});
    bytes.remove_prefix(size);
  }
  conversation.rest = bytes;
  return conversation;
}

std::string encode(const Conversation& conversation) {
  std::string bytes = conversation.start;
  for (const OwnedFrame& frame : conversation.frames) {
    amqp::append_frame(bytes, static_cast<amqp::FrameType>(frame.type), frame.channel,
                       frame.payload);
  }
  return bytes + conversation.rest;
}

constexpr std::string_view names[] = {"",     "a",         "t",          "levels",
                                      "few",  "full",      "once",       "f",
                                      "h",    "c",         "d",          "witness",
                                      "#.x",  "k.x.y",     "e",          "new1",
                                      "new2", "amq.topic", "amq.direct", "amq.rabbitmq.reply-to"};

// Sets the fields of a method to values that are sometimes useful.
class FieldChooser {
 public:
  explicit FieldChooser(fuzz::Random& random) : random_(random) {}

  void choose(bool& value) { value = random_.below(4) == 0; }
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) void choose(T& value) {
    value = static_cast<T>(random_.below(8) == 0 ? random_.next() : random_.below(6));
  }
  void choose(std::string_view& value) { value = names[random_.below(std::size(names))]; }
  void choose(amqp::LongString& value) { value = names[random_.below(std::size(names))]; }
  void choose(amqp::TableView& value) {
    static const std::array<amqp::Table, 7> tables{
        amqp::Table{},
        amqp::Table{{"x-match", "all"}, {"n", 1}},
        amqp::Table{{"x-max-length", 2}, {"x-dead-letter-exchange", "f"}},
        amqp::Table{{"x-message-ttl", 10}, {"x-expires", 50}, {"x-overflow", "reject-publish-dlx"}},
        amqp::Table{{"alternate-exchange", "f"}},
        amqp::Table{{"x-priority", 5}},
        amqp::Table{{"x-max-priority", 4},
                    {"x-delivery-limit", 1},
                    {"x-dead-letter-exchange", "t"},
                    {"x-dead-letter-routing-key", "k.x.y"}}};
    value = tables[random_.below(tables.size())].view();
  }

 private:
  fuzz::Random& random_;
};

template <std::size_t index = 0>
amqp::Method method_at(std::size_t wanted) {
  if constexpr (index + 1 < std::variant_size_v<amqp::Method>) {
    if (wanted != index) return method_at<index + 1>(wanted);
  }
  return std::variant_alternative_t<index, amqp::Method>{};
}

std::string properties(fuzz::Random& random) {
  amqp::Properties properties;
  FieldChooser chooser(random);
  static const amqp::Table carbon{{"CC", std::vector<amqp::Value>{"a", "few"}}, {"n", 1}};
  if (random.below(2) == 0) properties.delivery_mode = 2;
  if (random.below(3) == 0) properties.expiration = "5";
  if (random.below(3) == 0) properties.headers = carbon.view();
  if (random.below(3) == 0) properties.priority = static_cast<std::uint8_t>(random.below(6));
  if (random.below(6) == 0) chooser.choose(properties.reply_to.emplace());
  std::string raw;
  amqp::append_properties(raw, properties);
  return raw;
}

// Inserts a method, with content if it has any, on a channel that may be open.
void insert_method(Conversation& conversation, fuzz::Random& random) {
  amqp::Method method = method_at(random.below(std::variant_size_v<amqp::Method>));
  const auto channel = static_cast<std::uint16_t>(random.below(4));
  FieldChooser chooser(random);
  std::string bytes;
  std::visit(
      [&](auto& m) {
        std::apply([&](auto&... fields) { (chooser.choose(fields), ...); }, m.fields());
        if constexpr (amqp::carries_content(std::decay_t<decltype(m)>::id)) {
          const std::string body(random.below(3) * random.below(40), 'x');
          amqp::append_message(bytes, channel, m, properties(random), body, 24);
        } else {
          amqp::append_method(bytes, channel, m);
        }
      },
      method);
  const std::vector<OwnedFrame> frames = parse(bytes).frames;
  const auto at = static_cast<std::ptrdiff_t>(random.below(conversation.frames.size() + 1));
  conversation.frames.insert(conversation.frames.begin() + at, frames.begin(), frames.end());
}

void mutate_payload(std::string& payload) {
  const std::size_t size = payload.size();
  payload.resize(size + 64);
  payload.resize(
      LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(payload.data()), size, size + 64));
}

void mutate(Conversation& conversation, fuzz::Random& random) {
  std::vector<OwnedFrame>& frames = conversation.frames;
  if (frames.empty() || random.below(4) == 0) return insert_method(conversation, random);
  const std::size_t which = random.below(frames.size());
  const auto at = frames.begin() + static_cast<std::ptrdiff_t>(which);
  switch (random.below(8)) {
    case 0:
      frames.erase(at);
      break;
    case 1: {
      const OwnedFrame copy = *at;
      frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(random.below(frames.size() + 1)),
                    copy);
      break;
    }
    case 2:
      std::swap(*at, frames[random.below(frames.size())]);
      break;
    case 3:
      at->channel = static_cast<std::uint16_t>(random.below(5));
      break;
    case 4:
      at->type = static_cast<std::uint8_t>(1 + random.below(3));
      break;
    default:
      mutate_payload(at->payload);
      break;
  }
}

std::size_t put(const std::string& bytes, std::uint8_t* data, std::size_t size_max) {
  return bytes.copy(reinterpret_cast<char*>(data), size_max);
}

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  fuzz::Random random(seed);
  if (size < prefix_size || random.below(4) == 0) return LLVMFuzzerMutate(data, size, max_size);
  Conversation conversation = parse(view(data, size).substr(prefix_size));
  if (conversation.frames.size() > frame_count_max) conversation.frames.resize(frame_count_max);
  for (std::size_t i = 0; i < 1 + random.below(3); ++i)
    mutate(conversation, random);
  return put(std::string(view(data, prefix_size)) + encode(conversation), data, max_size);
}

// Joins the beginning of one conversation and the end of another.
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t out_size_max,
                                                 unsigned seed) {
  if (size1 < prefix_size || size2 < prefix_size) return 0;
  fuzz::Random random(seed);
  Conversation first = parse(view(data1, size1).substr(prefix_size));
  const Conversation second = parse(view(data2, size2).substr(prefix_size));
  first.frames.resize(random.below(first.frames.size() + 1));
  const auto from = static_cast<std::ptrdiff_t>(random.below(second.frames.size() + 1));
  first.frames.insert(first.frames.end(), second.frames.begin() + from, second.frames.end());
  first.rest = second.rest;
  return put(std::string(view(data1, prefix_size)) + encode(first), out, out_size_max);
}
