#include "tools/load/load.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

#include <sys/prctl.h>

#include "common/usage.hpp"
#include "tools/load/topology.hpp"
#include "tools/load/traffic.hpp"

namespace haypile::bench::load {

namespace {

constexpr double nanoseconds = 1e9;
constexpr std::uint64_t idle_max_ns = 10'000'000'000;

struct Mark {
  std::uint64_t time_ns = 0;
  std::uint64_t consumed_count = 0;
  std::uint64_t confirmed_count = 0;
  Usage broker;
  double own_cpu_seconds = 0;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {
    ::prctl(PR_SET_TIMERSLACK, 1);
    for (std::size_t i = 0; i < options_.queue_count; ++i)
      queues_.push_back(options_.name + "-" + std::to_string(i));
    for (const std::string& queue : queues_)
      make_queue(options_.address, queue, options_.queue_type);
    if (has_exchange())
      make_topic_exchange(options_.address, options_.name, queues_, options_.binding_count);
  }

  nlohmann::ordered_json run() {
    nlohmann::ordered_json report = options_.fill_count != 0 ? fill_and_drain() : work();
    publishers_.clear();
    consumers_.clear();
    if (has_exchange()) delete_exchange(options_.address, options_.name);
    for (const std::string& queue : queues_)
      delete_queue(options_.address, queue);
    return report;
  }

 private:
  bool has_exchange() const { return options_.binding_count != 0; }
  const std::string& queue_of(std::size_t peer) const { return queues_[peer % queues_.size()]; }
  void add_publishers();
  void add_consumers();
  nlohmann::ordered_json work();
  nlohmann::ordered_json fill_and_drain();
  void work_until(std::uint64_t end_ns);
  void turn(std::uint64_t now);
  void top_up(std::uint64_t now);
  void publish_what_is_due(std::uint64_t now);
  Mark mark() const;
  void measure(bool measures);
  std::uint64_t published_count() const;
  std::uint64_t confirmed_count() const;
  std::uint64_t consumed_count() const;
  nlohmann::ordered_json latencies() const;
  nlohmann::ordered_json report(const Mark& before, const Mark& after) const;

  const Options options_;
  Poller poller_;
  std::vector<std::string> queues_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::uint64_t publish_max_ = UINT64_MAX;
  std::uint64_t due_ns_ = 0;  // when the next message is due, with a rate
  std::size_t next_publisher_ = 0;
};

void Run::add_publishers() {
  for (std::size_t i = 0; i < options_.publisher_count; ++i) {
    const std::string& queue = queue_of(i);
    publishers_.push_back(std::make_unique<Publisher>(
        options_.address,
        Publisher::Options{.exchange = has_exchange() ? options_.name : "",
                           .routing_key = has_exchange() ? topic_key_of(queue) : queue,
                           .size_bytes = options_.size_bytes,
                           .persistent = options_.persistent,
                           .confirm_window = options_.confirm_window}));
    poller_.add(*publishers_.back());
  }
}

void Run::add_consumers() {
  for (std::size_t i = 0; i < options_.consumer_count; ++i) {
    consumers_.push_back(std::make_unique<Consumer>(
        options_.address, Consumer::Options{.queue = queue_of(i),
                                            .prefetch_count = options_.prefetch_count,
                                            .ack_every = options_.ack_every}));
    poller_.add(*consumers_.back());
  }
}

void Run::turn(std::uint64_t now) {
  timespec timeout{.tv_sec = 0, .tv_nsec = 100'000'000};
  if (options_.rate > 0) {
    const std::uint64_t wait = due_ns_ > now ? due_ns_ - now : 0;
    timeout.tv_nsec = static_cast<long>(std::min<std::uint64_t>(wait, 100'000'000));
  }
  poller_.turn(timeout);
}

void Run::top_up(std::uint64_t now) {
  if (options_.rate > 0) return publish_what_is_due(now);
  for (const auto& publisher : publishers_) {
    std::uint64_t room = publish_max_ - publisher->published_count();
    if (options_.confirm_window == 0) {
      const std::uint64_t under_way = published_count() - consumed_count();
      room = std::min(room, options_.on_the_way_max - std::min(under_way, options_.on_the_way_max));
    }
    if (room != 0 && publisher->publish(room, now, 0) != 0) poller_.flush(*publisher);
  }
}

void Run::publish_what_is_due(std::uint64_t now) {
  const auto step = static_cast<std::uint64_t>(nanoseconds / options_.rate);
  for (std::size_t i = 0; i < publishers_.size() && due_ns_ <= now;) {
    Publisher& publisher = *publishers_[next_publisher_];
    next_publisher_ = (next_publisher_ + 1) % publishers_.size();
    const bool is_done = publisher.publish(1, due_ns_, 0) == 1;
    if (is_done) due_ns_ += step;
    i = is_done ? 0 : i + 1;
  }
  for (const auto& publisher : publishers_) {
    if (!publisher->link.out.empty()) poller_.flush(*publisher);
  }
}

void Run::work_until(std::uint64_t end_ns) {
  for (std::uint64_t now = now_ns(); now < end_ns; now = now_ns()) {
    top_up(now);
    turn(now);
  }
}

std::uint64_t Run::published_count() const {
  std::uint64_t count = 0;
  for (const auto& publisher : publishers_)
    count += publisher->published_count();
  return count;
}

std::uint64_t Run::confirmed_count() const {
  std::uint64_t count = 0;
  for (const auto& publisher : publishers_)
    count += publisher->confirmed_count();
  return count;
}

std::uint64_t Run::consumed_count() const {
  std::uint64_t count = 0;
  for (const auto& consumer : consumers_)
    count += consumer->consumed_count();
  return count;
}

Mark Run::mark() const {
  return {now_ns(), consumed_count(), confirmed_count(), usage_of(options_.broker_pid),
          own_cpu_seconds()};
}

void Run::measure(bool measures) {
  for (const auto& publisher : publishers_)
    publisher->measures = measures;
  for (const auto& consumer : consumers_)
    consumer->measures = measures;
}

nlohmann::ordered_json Run::work() {
  add_consumers();
  add_publishers();
  due_ns_ = now_ns();
  work_until(now_ns() + static_cast<std::uint64_t>(options_.warm_up_seconds * nanoseconds));
  measure(true);
  const Mark before = mark();
  work_until(now_ns() + static_cast<std::uint64_t>(options_.seconds * nanoseconds));
  const Mark after = mark();
  measure(false);
  return report(before, after);
}

nlohmann::ordered_json Run::fill_and_drain() {
  publish_max_ = options_.fill_count / std::max<std::size_t>(options_.publisher_count, 1);
  const std::uint64_t count = publish_max_ * options_.publisher_count;
  const auto until = [&](auto done) {
    std::uint64_t last_change = now_ns();
    for (std::uint64_t before = 0; done() < count;) {
      const std::uint64_t now = now_ns();
      top_up(now);
      turn(now);
      if (done() != before) last_change = now;
      before = done();
      if (now > last_change + idle_max_ns) throw std::runtime_error("nothing comes any more");
    }
  };
  add_publishers();
  const Mark start = mark();
  until([this] { return options_.confirm_window != 0 ? confirmed_count() : published_count(); });
  const Mark filled = mark();
  add_consumers();
  const Mark ready = mark();
  until([this] { return consumed_count(); });
  const Mark drained = mark();
  const auto rate = [&](const Mark& from, const Mark& to) {
    return static_cast<double>(count) * nanoseconds /
           static_cast<double>(to.time_ns - from.time_ns);
  };
  nlohmann::ordered_json json{{"messages", count},
                              {"filled_per_second", rate(start, filled)},
                              {"drained_per_second", rate(ready, drained)}};
  if (options_.broker_pid == 0) return json;
  json["broker_resident_kib"] = std::max(filled.broker.resident_kib, drained.broker.resident_kib);
  return json;
}

nlohmann::ordered_json Run::latencies() const {
  Histogram confirm;
  Histogram end_to_end;
  for (const auto& publisher : publishers_)
    confirm.add(publisher->confirm_latency);
  for (const auto& consumer : consumers_)
    end_to_end.add(consumer->latency);
  const auto in_ms = [](const Histogram& histogram) {
    nlohmann::ordered_json json;
    const auto put = [&](const char* name, std::uint64_t value) {
      json[name] = static_cast<double>(value) / 1e6;
    };
    put("p50", histogram.quantile(0.5));
    put("p90", histogram.quantile(0.9));
    put("p99", histogram.quantile(0.99));
    put("p999", histogram.quantile(0.999));
    put("max", histogram.max());
    return json;
  };
  nlohmann::ordered_json json;
  if (confirm.count() != 0) json["confirm_ms"] = in_ms(confirm);
  if (end_to_end.count() != 0) json["end_to_end_ms"] = in_ms(end_to_end);
  return json;
}

nlohmann::ordered_json Run::report(const Mark& before, const Mark& after) const {
  const double seconds = static_cast<double>(after.time_ns - before.time_ns) / nanoseconds;
  const auto consumed = static_cast<double>(after.consumed_count - before.consumed_count);
  const auto confirmed = static_cast<double>(after.confirmed_count - before.confirmed_count);
  const double done = consumers_.empty() ? confirmed : consumed;
  nlohmann::ordered_json json{{"seconds", seconds},
                              {"consumed_per_second", consumed / seconds},
                              {"confirmed_per_second", confirmed / seconds}};
  json.update(latencies());
  const double own = after.own_cpu_seconds - before.own_cpu_seconds;
  json["generator_cpu_us_per_message"] = own * 1e6 / std::max(done, 1.0);
  if (options_.broker_pid == 0) return json;
  const double cpu = after.broker.cpu_seconds - before.broker.cpu_seconds;
  json["broker_cpu_us_per_message"] = cpu * 1e6 / std::max(done, 1.0);
  json["broker_resident_kib"] = after.broker.resident_kib;
  return json;
}

}  // namespace

nlohmann::ordered_json run(const Options& options) {
  return Run(options).run();
}

}  // namespace haypile::bench::load
