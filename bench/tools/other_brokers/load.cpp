#include "tools/other_brokers/load.hpp"

#include <algorithm>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "common/usage.hpp"

namespace haypile::bench::other_brokers {

namespace {

constexpr double nanoseconds = 1e9;
constexpr long turn_max_ns = 100'000'000;

struct Mark {
  std::uint64_t time_ns = 0;
  std::uint64_t consumed_count = 0;
  std::uint64_t acknowledged_count = 0;
  std::uint64_t confirmed_count = 0;
  Usage broker;
  double own_cpu_seconds = 0;
};

class Run {
 public:
  Run(const Protocol& protocol, const Options& options) : protocol_(protocol), options_(options) {}

  nlohmann::ordered_json run();

 private:
  void add_peers();
  void work_until(std::uint64_t end_ns);
  void turn();
  Mark mark() const;
  nlohmann::ordered_json report(const Mark& before, const Mark& after) const;

  const Protocol& protocol_;
  const Options options_;
  Poller poller_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

void Run::add_peers() {
  for (std::size_t i = 0; i < options_.consumer_count; ++i) {
    workers_.push_back(protocol_.worker({.port = options_.port,
                                         .number = i,
                                         .size_bytes = options_.size_bytes,
                                         .prefetch_count = options_.prefetch_count}));
    poller_.add(*workers_.back());
  }
  for (std::size_t i = 0; i < options_.publisher_count; ++i) {
    publishers_.push_back(protocol_.publisher(
        {.port = options_.port, .size_bytes = options_.size_bytes, .window = options_.window}));
    poller_.add(*publishers_.back());
  }
}

void Run::turn() {
  for (const auto& publisher : publishers_) {
    if (publisher->publish() != 0) poller_.flush(*publisher);
  }
  poller_.turn(timespec{.tv_sec = 0, .tv_nsec = turn_max_ns});
}

void Run::work_until(std::uint64_t end_ns) {
  while (now_ns() < end_ns)
    turn();
}

Mark Run::mark() const {
  Mark mark;
  mark.time_ns = now_ns();
  for (const auto& worker : workers_) {
    mark.consumed_count += worker->consumed_count();
    mark.acknowledged_count += worker->acknowledged_count();
  }
  for (const auto& publisher : publishers_)
    mark.confirmed_count += publisher->confirmed_count();
  mark.broker = usage_of(options_.broker_pid);
  mark.own_cpu_seconds = own_cpu_seconds();
  return mark;
}

nlohmann::ordered_json Run::run() {
  protocol_.make_queue(options_.port);
  add_peers();
  const auto in_ns = [](double seconds) {
    return static_cast<std::uint64_t>(seconds * nanoseconds);
  };
  work_until(now_ns() + in_ns(options_.warm_up_seconds));
  const Mark before = mark();
  work_until(now_ns() + in_ns(options_.seconds));
  const Mark after = mark();
  publishers_.clear();
  workers_.clear();
  protocol_.delete_queue(options_.port);
  return report(before, after);
}

nlohmann::ordered_json Run::report(const Mark& before, const Mark& after) const {
  const double seconds = static_cast<double>(after.time_ns - before.time_ns) / nanoseconds;
  const auto consumed = static_cast<double>(after.consumed_count - before.consumed_count);
  const auto acknowledged =
      static_cast<double>(after.acknowledged_count - before.acknowledged_count);
  const auto confirmed = static_cast<double>(after.confirmed_count - before.confirmed_count);
  const double done = options_.consumer_count == 0 ? confirmed : consumed;
  nlohmann::ordered_json json{{"seconds", seconds},
                              {"consumed_per_second", consumed / seconds},
                              {"acknowledged_per_second", acknowledged / seconds},
                              {"confirmed_per_second", confirmed / seconds}};
  const double own = after.own_cpu_seconds - before.own_cpu_seconds;
  json["generator_cpu_us_per_message"] = own * 1e6 / std::max(done, 1.0);
  if (options_.broker_pid == 0) return json;
  // Redis compacts its log in a child process.
  const double cpu = after.broker.cpu_seconds + after.broker.children_cpu_seconds -
                     before.broker.cpu_seconds - before.broker.children_cpu_seconds;
  json["broker_cpu_us_per_message"] = cpu * 1e6 / std::max(done, 1.0);
  json["broker_resident_kib"] = after.broker.resident_kib;
  return json;
}

}  // namespace

nlohmann::ordered_json run(const Protocol& protocol, const Options& options) {
  return Run(protocol, options).run();
}

}  // namespace haypile::bench::other_brokers
