// Takes messages through the whole broker, in one thread, without sockets, clock and disk: the same
// instructions in every run, to be counted by tests/bench/work_count_test.py under valgrind. Counts
// the calls of operator new itself.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <haypile/amqp/frame.hpp>
#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>
#include <haypile/amqp/wire.hpp>

#include "engine/engine.hpp"
#include "engine/restore.hpp"
#include "log/log.hpp"
#include "session/session.hpp"
#include "session/wire_format.hpp"

namespace {

std::uint64_t allocation_count = 0;

void* allocate(std::size_t size, std::size_t alignment = 0) {
  ++allocation_count;
  void* place = alignment == 0
                    ? std::malloc(size)
                    : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!place) throw std::bad_alloc();
  return place;
}

}  // namespace

// The other forms come down to these.
void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* place) noexcept {
  std::free(place);
}
void operator delete(void* place, std::size_t) noexcept {
  std::free(place);
}
void operator delete(void* place, std::align_val_t) noexcept {
  std::free(place);
}
void operator delete(void* place, std::size_t, std::align_val_t) noexcept {
  std::free(place);
}

namespace {

using namespace haypile;

// As many messages as one read from a socket gives.
constexpr std::uint64_t chunk_size = 50;
constexpr std::uint16_t prefetch_count = 2 * chunk_size;
constexpr std::uint32_t frame_max_bytes = 131072;
const std::string queue_name = "task_queue";
const std::string exchange_name = "events";
const std::string consumer_tag = "ctag1.0123456789abcdef";
const std::string body(100, 'x');
constexpr int binding_count = 100;
// Counts are for one compiler, and for what it was told.
#if defined(__OPTIMIZE__) && defined(NDEBUG)
constexpr const char* version = __VERSION__;
#else
constexpr const char* version = __VERSION__ " (no release build)";
#endif

struct Work {
  std::string_view name;
  bool persistent = true;  // and confirmed
  bool consumed = true;
  bool acked = true;
  bool by_topic = false;
  std::uint64_t ring_size = 8u << 20;
};

constexpr Work works[] = {
    {.name = "persistent"},
    {.name = "transient", .persistent = false, .acked = false},
    // More than the ring has room for: most of it moves to piles.
    {.name = "fill", .consumed = false, .ring_size = 2u << 20},
    {.name = "topic", .by_topic = true},
};

void expect(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("not as expected: ") + what);
}

// Knows which files there are, and keeps nothing of what is written to them.
class NullFileSystem final : public log::FileSystem {
 public:
  void create_directories(const std::string&) override {}
  std::vector<std::string> list(const std::string&) override { return {}; }
  bool exists(const std::string& path) override { return paths_.contains(path); }
  std::unique_ptr<log::File> open(const std::string& path) override {
    if (!exists(path)) throw log::IoError("there is no '" + path + "'");
    return std::make_unique<NullFile>();
  }
  std::unique_ptr<log::File> create(const std::string& path) override {
    paths_.insert(path);
    return std::make_unique<NullFile>();
  }
  void rename(const std::string& from, const std::string& to) override {
    paths_.erase(from);
    paths_.insert(to);
  }
  void remove(const std::string& path) override { paths_.erase(path); }
  void sync_directory(const std::string&) override {}
  std::uint64_t free_bytes(const std::string&) override { return UINT64_MAX; }

 private:
  class NullFile final : public log::File {
   public:
    void allocate(std::uint64_t) override {}
    void write(std::uint64_t, std::string_view) override {}
    void read(std::uint64_t, std::size_t, std::string&) override {
      throw log::IoError("nothing of what was written has been kept");
    }
    std::uint64_t size() override { return 0; }
    void sync() override {}
  };
  std::set<std::string> paths_;
};

// As server/ puts a virtual host together, and lets it have its turn.
class Broker {
 public:
  explicit Broker(std::uint64_t ring_size)
      : log_(files_, "log", log::DirectoryId{}, options(ring_size)), engine_("/", log_, wire_) {
    engine_.set_movable_max_bytes(8u << 20);
    update_clock();
    engine::Restore restore(engine_);
    log_.recover(restore);
  }
  engine::Engine& engine() { return engine_; }
  log::Log& log() { return log_; }
  const session::Settings& settings() const { return settings_; }
  session::Time now() const { return session::Time(std::chrono::hours(1)); }
  void update_clock() { engine_.set_now(1'790'000'000'000); }
  void flush() {
    engine_.make_room();
    log_.flush();
  }

 private:
  static log::LogOptions options(std::uint64_t ring_size) {
    return {.segment_size = 256u << 10,
            .ring_size = ring_size,
            .threaded = false,
            .on_failure = [](const std::string& line) { throw std::runtime_error(line); }};
  }
  session::Settings settings_{.version = "0"};
  NullFileSystem files_;
  session::WireFormat wire_;
  log::Log log_;
  engine::Engine engine_;
};

// A client and the broker's side of its connection.
class Client : private session::Host {
 public:
  Client(Broker& broker, engine::OwnerId owner)
      : broker_(broker), session_(*this, broker.settings(), owner, broker.now()) {
    std::string bytes(amqp::protocol_header);
    const amqp::Table properties{{"product", "work_count"}};
    amqp::append_method(
        bytes, 0,
        amqp::connection::StartOk{.client_properties = properties.view(),
                                  .mechanism = "PLAIN",
                                  .response = std::string_view("\0guest\0guest", 12),
                                  .locale = "en_US"});
    amqp::append_method(bytes, 0,
                        amqp::connection::TuneOk{.channel_max = 20, .frame_max = frame_max_bytes});
    amqp::append_method(bytes, 0, amqp::connection::Open{.virtual_host = "/"});
    amqp::append_method(bytes, 1, amqp::channel::Open{});
    send(bytes);
  }

  void send(std::string_view bytes) {
    broker_.update_clock();
    expect(session_.receive(bytes, broker_.now()) == bytes.size(), "all bytes are used");
  }
  template <class M>
  void send_method(const M& method) {
    std::string bytes;
    expect(amqp::append_method(bytes, 1, method), "the method can be encoded");
    send(bytes);
  }
  // What came since the last call, valid until the next one.
  std::string_view receive() {
    received_.clear();
    if (!session_.has_output()) return received_;
    session_.take_output(received_, broker_.now());
    session_.output_sent(received_.size());
    return received_;
  }
  void log_advanced() {
    if (session_.awaits_log()) session_.log_advanced();
  }
  // Nothing that came is an error, and there was an answer.
  void expect_success() {
    std::string_view bytes = receive();
    expect(!bytes.empty(), "an answer");
    while (!bytes.empty()) {
      amqp::Frame frame;
      std::size_t size = 0;
      expect(amqp::parse_frame(bytes, frame_max_bytes, frame, size) == amqp::FrameStatus::complete,
             "the broker sends whole frames");
      const amqp::MethodId id = amqp::peek_method_id(frame.payload);
      expect(id != amqp::channel::Close::id && id != amqp::connection::Close::id, "no error");
      bytes.remove_prefix(size);
    }
  }

 private:
  bool may_log_in(std::string_view, std::string_view) override { return true; }
  engine::Engine* find_vhost(std::string_view) override { return &broker_.engine(); }
  std::string unique_name() override { return "n"; }
  void output_ready() override {}

  Broker& broker_;
  std::string received_;
  session::Session session_;
};

class Run {
 public:
  explicit Run(const Work& work)
      : work_(work), broker_(work.ring_size), publisher_(broker_, 1), consumer_(broker_, 2) {
    declare();
    if (work_.persistent) publisher_.send_method(amqp::confirm::Select{});
    if (work_.consumed) {
      consumer_.send_method(amqp::basic::Qos{.prefetch_count = prefetch_count});
      consumer_.send_method(amqp::basic::Consume{
          .queue = queue_name, .consumer_tag = consumer_tag, .no_ack = !work_.acked});
    }
    broker_.flush();
    broker_.log().step();
    publisher_.log_advanced();
    publisher_.expect_success();
    consumer_.expect_success();
    make_bytes();
  }

  // Messages in, messages out.
  void step() {
    publisher_.send(publishes_);
    broker_.flush();
    if (work_.consumed) {
      expect(consumer_.receive().size() == deliveries_size_, "all messages are delivered");
    }
    broker_.log().step();
    consumer_.log_advanced();
    publisher_.log_advanced();
    published_ += chunk_size;
    if (work_.persistent) check_confirm(publisher_.receive());
    if (work_.consumed && work_.acked) consumer_.send(acks());
  }
  // Messages the queue should have.
  std::uint64_t left() const { return work_.consumed ? 0 : published_; }
  void check() {
    broker_.flush();
    engine::Queue* queue = nullptr;
    expect(!broker_.engine().find_queue(queue_name, 0, queue), "the queue is there");
    expect(queue->ready_count() == left() && queue->unacked_count() == 0, "all went its way");
    expect(broker_.engine().memory_bytes() < 2 * work_.ring_size, "what is left has been moved");
  }

 private:
  void declare() {
    publisher_.send_method(amqp::queue::Declare{.queue = queue_name, .durable = true});
    if (!work_.by_topic) return;
    publisher_.send_method(
        amqp::exchange::Declare{.exchange = exchange_name, .type = "topic", .durable = true});
    for (int i = 0; i < binding_count; ++i) {
      publisher_.send_method(amqp::queue::Bind{
          .queue = queue_name, .exchange = exchange_name, .routing_key = pattern(i)});
    }
  }
  // One key fits the first kind only, and one pattern of it.
  static std::string pattern(int i) {
    const std::string number = std::to_string(100 + i);
    if (i >= 95) return "#.failed" + number;
    if (i >= 90) return "*.order" + number + ".#";
    return "region" + number + ".*.created";
  }
  std::string routing_key(std::uint64_t i) const {
    return work_.by_topic ? "region" + std::to_string(100 + i) + ".task.created" : queue_name;
  }
  void make_bytes() {
    std::string properties;
    amqp::append_properties(
        properties, {.content_type = "text/plain",
                     .delivery_mode = work_.persistent ? std::uint8_t{2} : std::uint8_t{1}});
    const std::string exchange = work_.by_topic ? exchange_name : "";
    std::string deliveries;
    for (std::uint64_t i = 0; i < chunk_size; ++i) {
      const std::string key = routing_key(i);
      amqp::append_message(publishes_, 1,
                           amqp::basic::Publish{.exchange = exchange, .routing_key = key},
                           properties, body, frame_max_bytes);
      amqp::append_message(deliveries, 1,
                           amqp::basic::Deliver{.consumer_tag = consumer_tag,
                                                .delivery_tag = i + 1,
                                                .exchange = exchange,
                                                .routing_key = key},
                           properties, body, frame_max_bytes);
      amqp::append_method(acks_, 1, amqp::basic::Ack{});
    }
    deliveries_size_ = deliveries.size();
  }
  // For what was delivered last: one a message, though one could be for all.
  std::string_view acks() {
    const std::size_t size = acks_.size() / chunk_size;
    char* tag = acks_.data() + amqp::frame_header_size + amqp::method_id_size;
    for (std::uint64_t i = 0; i < chunk_size; ++i, tag += size)
      amqp::wire::put(tag, published_ - chunk_size + 1 + i);
    return acks_;
  }
  void check_confirm(std::string_view bytes) const {
    amqp::Frame frame;
    std::size_t size = 0;
    amqp::basic::Ack ack;
    expect(amqp::parse_frame(bytes, frame_max_bytes, frame, size) == amqp::FrameStatus::complete &&
               size == bytes.size() && amqp::peek_method_id(frame.payload) == ack.id &&
               amqp::decode_arguments(frame.payload.substr(amqp::method_id_size), ack) ==
                   amqp::DecodeError::none &&
               ack.delivery_tag == published_,
           "one confirm for all messages");
  }

  const Work& work_;
  Broker broker_;
  Client publisher_;
  Client consumer_;
  std::string publishes_;
  std::string acks_;
  std::size_t deliveries_size_ = 0;
  std::uint64_t published_ = 0;
};

void count(const Work& work, std::uint64_t message_count) {
  Run run(work);
  std::uint64_t done = 0;
  for (; done < message_count / 2; done += chunk_size)
    run.step();
  const std::uint64_t before = allocation_count;
  for (; done < message_count; done += chunk_size)
    run.step();
  const std::uint64_t allocations = allocation_count - before;
  run.check();
  std::printf("{\"work\": \"%s\", \"messages\": %llu, \"allocations\": %llu}\n", work.name.data(),
              static_cast<unsigned long long>(message_count / 2),
              static_cast<unsigned long long>(allocations));
}

int bench_main(const std::vector<std::string>& arguments) {
  if (arguments == std::vector<std::string>{"--version"}) {
    std::puts(version);
    return 0;
  }
  if (arguments.size() == 2) {
    const std::uint64_t message_count = std::stoull(arguments[1]);
    for (const Work& work : works) {
      if (work.name != arguments[0] || message_count % (2 * chunk_size) != 0) continue;
      count(work, message_count);
      return 0;
    }
  }
  std::cerr << "work_count WORK COUNT, or --version. COUNT is a multiple of " << 2 * chunk_size
            << "; WORK is one of:";
  for (const Work& work : works)
    std::cerr << ' ' << work.name;
  std::cerr << '\n';
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench_main({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "work_count: " << error.what() << '\n';
    return 1;
  }
}
