// The protocol of beanstalkd: lines, and bodies whose size is in the line before them.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "tools/other_brokers/traffic.hpp"

namespace haypile::bench::other_brokers {

namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view use_tube = "use haypile-perf\r\n";
constexpr std::string_view watch_tube = "watch haypile-perf\r\n";
constexpr std::string_view ignore_default = "ignore default\r\n";
constexpr std::string_view reserve = "reserve\r\n";
// A `delete` waits behind the commands that were sent before it. More reservations than this, which
// is enough to hide the round trip, have no advantage.
constexpr std::size_t reservations_max = 64;
// The time limit for emptying a tube, because no command does that.
constexpr std::chrono::seconds emptying_max{20};

// The command has a priority, a delay in seconds, and the seconds that a worker may take.
std::string put(const std::string& body) {
  return "put 1024 0 600 " + std::to_string(body.size()) + "\r\n" + body + "\r\n";
}

// Sets `line` to the first line, without its end; returns false if it is not complete.
bool next_line(std::string_view bytes, std::string_view& line) {
  const std::size_t end = bytes.find(line_end);
  if (end == std::string_view::npos) return false;
  line = bytes.substr(0, end);
  return true;
}

struct Reserved {
  std::string_view id;
  std::size_t size_bytes = 0;
};

// Parses "RESERVED <id> <bytes>" and refuses everything else.
Reserved parse_reserved(const Wire& wire, std::string_view line) {
  constexpr std::string_view word = "RESERVED ";
  Reserved reserved;
  const std::size_t space = line.rfind(' ');
  if (!line.starts_with(word) || space < word.size()) {
    wire.refuse("answers to reserve: " + std::string(line));
  }
  reserved.id = line.substr(word.size(), space - word.size());
  const char* const end = line.data() + line.size();
  const auto result = std::from_chars(line.data() + space + 1, end, reserved.size_bytes);
  if (result.ec != std::errc() || result.ptr != end) {
    wire.refuse("names no size: " + std::string(line));
  }
  return reserved;
}

void expect(Wire& wire, std::string_view command, std::string_view answer) {
  const std::string line = wire.call(command);
  if (!line.starts_with(answer)) wire.refuse("answers: " + line);
}

void watch(Wire& wire) {
  expect(wire, watch_tube, "WATCHING");
  expect(wire, ignore_default, "WATCHING");
}

class BeanstalkdPublisher final : public Publisher {
 public:
  explicit BeanstalkdPublisher(const Options& options) : Publisher(options) {
    expect(wire, use_tube, "USING");
    set_command(put(body()));
    wire.start();
  }

 private:
  std::size_t take_confirms(std::string_view bytes) override {
    std::size_t at = 0;
    for (std::string_view line; next_line(bytes.substr(at), line);
         at += line.size() + line_end.size()) {
      if (!line.starts_with("INSERTED ")) wire.refuse("answers to put: " + std::string(line));
      confirm();
    }
    return at;
  }
};

// Keeps reservations in progress: the answer to each `reserve` is followed by a `delete` and the
// next `reserve`. beanstalkd handles the commands of a connection one after the other, and a
// `reserve` waits for a job. So the very last jobs are deleted only if more jobs come.
class BeanstalkdWorker final : public Worker {
 public:
  explicit BeanstalkdWorker(const Options& options)
      : Worker(options), size_bytes_(options.size_bytes) {
    watch(wire);
    wire.start();
    for (std::size_t i = 0; i < std::min(options.prefetch_count, reservations_max); ++i)
      wire.out += reserve;
  }

 private:
  std::size_t take_answers(std::string_view bytes) override {
    std::size_t at = 0;
    for (std::string_view line; next_line(bytes.substr(at), line);) {
      std::size_t size = line.size() + line_end.size();
      if (line == "DELETED") {
        ++acknowledged_count_;
      } else {
        const Reserved job = parse_reserved(wire, line);
        if (job.size_bytes != size_bytes_) wire.refuse("sends another's job");
        size += size_bytes_ + line_end.size();
        if (bytes.size() - at < size) break;
        finish(job.id);
      }
      at += size;
    }
    return at;
  }
  void finish(std::string_view id) {
    ++consumed_count_;
    wire.out += "delete ";
    wire.out += id;
    wire.out += line_end;
    wire.out += reserve;
  }

  const std::size_t size_bytes_;
};

class Beanstalkd final : public Protocol {
 public:
  void make_queue(std::uint16_t port) const override {
    Wire wire(port, 0);
    if (!empty(wire)) wire.refuse("has too many jobs left to delete each");
  }
  // What is left is removed by the next make_queue().
  void delete_queue(std::uint16_t port) const override {
    Wire wire(port, 0);
    empty(wire);
  }
  std::unique_ptr<Publisher> publisher(const Publisher::Options& options) const override {
    return std::make_unique<BeanstalkdPublisher>(options);
  }
  std::unique_ptr<Worker> worker(const Worker::Options& options) const override {
    return std::make_unique<BeanstalkdWorker>(options);
  }

 private:
  // A tube that is empty and unused is removed by the server. Returns false if it takes too long.
  static bool empty(Wire& wire) {
    watch(wire);
    const auto end = std::chrono::steady_clock::now() + emptying_max;
    while (std::chrono::steady_clock::now() < end) {
      const std::string line = wire.call("reserve-with-timeout 0\r\n");
      if (line == "TIMED_OUT") return true;
      const Reserved job = parse_reserved(wire, line);
      wire.drop(job.size_bytes + line_end.size());
      expect(wire, "delete " + std::string(job.id) + "\r\n", "DELETED");
    }
    return false;
  }
};

}  // namespace

std::unique_ptr<Protocol> beanstalkd() {
  return std::make_unique<Beanstalkd>();
}

}  // namespace haypile::bench::other_brokers
