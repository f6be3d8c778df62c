// The protocol of Redis (RESP 2): values that begin with their type, strings and arrays also with
// their size; and a work queue on a stream.
#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "tools/other_brokers/traffic.hpp"

namespace haypile::bench::other_brokers {

namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view jobs = "haypile-perf";
constexpr std::string_view group = "workers";
// The size of an id such as "18446744073709551615-18446744073709551615".
constexpr std::size_t id_size_max = 41;

void append_string(std::string& out, std::string_view string) {
  out += '$';
  out += std::to_string(string.size());
  out += line_end;
  out += string;
  out += line_end;
}

// The beginning of a command, to which `left` more words are to be appended.
std::string command(std::initializer_list<std::string_view> words, std::size_t left = 0) {
  std::string out = '*' + std::to_string(words.size() + left) + "\r\n";
  for (const std::string_view word : words)
    append_string(out, word);
  return out;
}

// A value without other values in it, or the head of an array. Its text is a view of the bytes.
struct Token {
  char type = 0;
  std::int64_t number = 0;  // an integer, or the size of a string or an array; -1: none
  std::string_view text;    // a string's content
};

// Reads the first token and returns its size; 0 if it is not complete.
std::size_t parse_token(const Wire& wire, std::string_view bytes, Token& token) {
  const std::size_t end = bytes.find(line_end);
  if (end == std::string_view::npos) return 0;
  const std::string_view line = bytes.substr(0, end);
  if (line.empty()) wire.refuse("sends an empty line");
  token = {};
  token.type = line[0];
  const std::size_t size = end + line_end.size();
  if (token.type == '-') wire.refuse("answers: " + std::string(line.substr(1)));
  if (token.type == '+') return size;
  const char* const line_stop = line.data() + line.size();
  const auto result = std::from_chars(line.data() + 1, line_stop, token.number);
  const bool is_known = token.type == ':' || token.type == '$' || token.type == '*';
  if (!is_known || result.ec != std::errc() || result.ptr != line_stop) {
    wire.refuse("sends what is no value: " + std::string(line));
  }
  if (token.type != '$' || token.number < 0) return size;
  const auto length = static_cast<std::size_t>(token.number);
  const std::size_t rest = bytes.size() - size;
  if (rest < line_end.size() || rest - line_end.size() < length) return 0;
  token.text = bytes.substr(size, length);
  return size + length + line_end.size();
}

void expect(Wire& wire, const std::string& request, char type) {
  const std::string line = wire.call(request);
  if (!line.starts_with(type)) wire.refuse("answers: " + line);
}

class RedisPublisher final : public Publisher {
 public:
  explicit RedisPublisher(const Options& options) : Publisher(options) {
    set_command(command({"XADD", jobs, "*", "b", body()}));
    wire.start();
  }

 private:
  std::size_t take_confirms(std::string_view bytes) override {
    std::size_t at = 0;
    Token token;
    while (const std::size_t size = parse_token(wire, bytes.substr(at), token)) {
      if (token.type != '$' || token.number < 0) wire.refuse("answers XADD with no id");
      confirm();
      at += size;
    }
    return at;
  }
};

// Acknowledges and deletes each job when it has come, and asks for more after the last job of an
// answer. Only XREADGROUP is answered with an array, only XACK and XDEL with an integer.
class RedisWorker final : public Worker {
 public:
  explicit RedisWorker(const Options& options)
      : Worker(options),
        size_bytes_(options.size_bytes),
        read_(command({"XREADGROUP", "GROUP", group, "w" + std::to_string(options.number), "COUNT",
                       std::to_string(options.prefetch_count), "BLOCK", "100", "STREAMS", jobs,
                       ">"})),
        ack_(command({"XACK", jobs, group}, 1)),
        delete_(command({"XDEL", jobs}, 1)) {
    wire.start();
    wire.out += read_;
  }

 private:
  std::size_t take_answers(std::string_view bytes) override {
    std::size_t at = 0;
    Token token;
    while (const std::size_t size = parse_token(wire, bytes.substr(at), token)) {
      take(token);
      at += size;
    }
    return at;
  }
  // The answer is [[stream, [[id, [field, body]], ...]]]; the innermost values have the depth 5.
  void take(const Token& token) {
    if (depth_ == 0 && token.type == ':') return settle(token.number);
    if (token.type == '*' && token.number > 0) {
      if (depth_ == left_.size()) wire.refuse("sends what is no job");
      left_[depth_++] = token.number;
      return;
    }
    const bool is_nothing = depth_ == 0 && token.type == '*';  // no job has come in time
    if (!is_nothing && (depth_ == 0 || token.type != '$')) wire.refuse("sends what is no job");
    if (depth_ == id_depth) {
      if (token.text.empty() || token.text.size() > id_size_max) wire.refuse("sends a bad id");
      id_ = token.text;
    } else if (depth_ == body_depth) {
      last_size_ = token.text.size();
    }
    while (depth_ != 0 && --left_[depth_ - 1] == 0) {
      if (depth_-- == id_depth) finish();
    }
    if (depth_ == 0) wire.out += read_;
  }
  void finish() {
    if (last_size_ != size_bytes_) wire.refuse("sends another's job");
    ++consumed_count_;
    wire.out += ack_;
    append_string(wire.out, id_);
    wire.out += delete_;
    append_string(wire.out, id_);
  }
  // XACK and XDEL return how many jobs they have found.
  void settle(std::int64_t count) {
    if (count != 1) wire.refuse("does not know a job that is acknowledged");
    is_acknowledged_ = !is_acknowledged_;
    if (!is_acknowledged_) ++acknowledged_count_;
  }

  static constexpr std::size_t id_depth = 4;
  static constexpr std::size_t body_depth = 5;

  const std::size_t size_bytes_;
  const std::string read_;
  const std::string ack_;
  const std::string delete_;
  std::array<std::int64_t, body_depth> left_{};  // the values still to come, by depth
  std::size_t depth_ = 0;
  std::string id_;
  std::size_t last_size_ = 0;     // the field's name, then the body
  bool is_acknowledged_ = false;  // a job was acknowledged, and its XDEL was not answered yet
};

class Redis final : public Protocol {
 public:
  void make_queue(std::uint16_t port) const override {
    delete_queue(port);
    Wire wire(port, 0);
    expect(wire, command({"XGROUP", "CREATE", jobs, group, "$", "MKSTREAM"}), '+');
  }
  void delete_queue(std::uint16_t port) const override {
    Wire wire(port, 0);
    expect(wire, command({"DEL", jobs}), ':');
  }
  std::unique_ptr<Publisher> publisher(const Publisher::Options& options) const override {
    return std::make_unique<RedisPublisher>(options);
  }
  std::unique_ptr<Worker> worker(const Worker::Options& options) const override {
    return std::make_unique<RedisWorker>(options);
  }
};

}  // namespace

std::unique_ptr<Protocol> redis() {
  return std::make_unique<Redis>();
}

}  // namespace haypile::bench::other_brokers
