#include "studies/dispatch/crew.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <haypile/amqp/methods.hpp>
#include <haypile/amqp/properties.hpp>

#include "tools/load/link.hpp"

namespace haypile::bench::dispatch {

namespace {

using amqp::wire::load;
using bench::load::Address;
using bench::load::Link;

constexpr std::uint64_t stuck_ns = 20'000'000'000;
constexpr std::string_view queue_name = "haypile-dispatch";

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

double in_ms(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

struct Held {
  std::uint64_t tag = 0;
  std::uint32_t task = 0;  // the task's number, which is the message's body
};

struct Worker {
  explicit Worker(const Address& address) : link(address) {}

  Link link;
  std::uint64_t tag = 0;  // the delivery that is arriving
  std::deque<Held> held;  // the worker is doing the first one
  std::uint64_t busy_ns = 0;
};

struct Event {
  std::uint64_t time_ns = 0;
  std::size_t worker = 0;
  std::uint64_t acked_tag = 0;  // the tag to acknowledge; 0: the worker's task has ended
  bool operator>(const Event& other) const { return time_ns > other.time_ns; }
};

class Crew {
 public:
  Crew(const Address& address, const Job& job);
  ~Crew() { ::close(epoll_); }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  Outcome work();

 private:
  void hire(const Address& address);
  void publish();
  void publish_all_now();
  void watch(Link& link, std::size_t number, std::uint32_t events, int operation);
  void flush_publisher();
  void play_until(std::uint64_t now);
  void finish(std::size_t number, std::uint64_t time_ns);
  void start(std::size_t number, std::uint64_t time_ns);
  void receive(std::size_t number);
  void acknowledge(std::size_t number, std::uint64_t tag);
  void flush_all();
  void wait();
  Outcome outcome() const;

  const Job& job_;
  const int epoll_;
  Link publisher_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<std::size_t> to_flush_;
  std::vector<bool> is_taken_;  // one flag for each task
  std::size_t acked_count_ = 0;
  std::uint64_t start_ns_ = 0;
  std::uint64_t end_ns_ = 0;
  std::uint64_t late_ns_ = 0;
  std::uint64_t event_count_ = 0;
};

Crew::Crew(const Address& address, const Job& job)
    : job_(job),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      publisher_(address),
      is_taken_(job.tasks_ns.size()) {
  ::prctl(PR_SET_TIMERSLACK, 1);
  publisher_.call<amqp::queue::DeclareOk>(amqp::queue::Declare{.queue = queue_name});
  if (job_.is_backlog) publish_all_now();
  for (std::size_t number = 0; number < job_.worker_count; ++number)
    hire(address);
  watch(publisher_, job_.worker_count, EPOLLIN, EPOLL_CTL_ADD);
  publisher_.start();
}

void Crew::hire(const Address& address) {
  auto worker = std::make_unique<Worker>(address);
  worker->link.call<amqp::basic::QosOk>(amqp::basic::Qos{.prefetch_count = job_.prefetch_count});
  worker->link.call<amqp::basic::ConsumeOk>(amqp::basic::Consume{.queue = queue_name});
  worker->link.start();
  watch(worker->link, workers_.size(), EPOLLIN, EPOLL_CTL_ADD);
  workers_.push_back(std::move(worker));
}

void Crew::watch(Link& link, std::size_t number, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = number;
  ::epoll_ctl(epoll_, operation, link.descriptor(), &event);
}

void Crew::publish() {
  std::string properties;
  amqp::append_properties(properties, {});
  std::string body(sizeof(std::uint32_t), '\0');
  for (std::uint32_t task = 0; task < job_.tasks_ns.size(); ++task) {
    amqp::wire::put(body.data(), task);
    amqp::append_message(publisher_.out, Link::channel,
                         amqp::basic::Publish{.routing_key = queue_name}, properties, body,
                         publisher_.frame_max());
  }
}

// All tasks have arrived when a method that was sent behind them is answered.
void Crew::publish_all_now() {
  publish();
  publisher_.call<amqp::queue::DeclareOk>(
      amqp::queue::Declare{.queue = queue_name, .passive = true});
}

// What the socket does not take now is written when it has room.
void Crew::flush_publisher() {
  const std::uint32_t events = publisher_.flush() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  watch(publisher_, workers_.size(), events, EPOLL_CTL_MOD);
}

Outcome Crew::work() {
  start_ns_ = now_ns();
  if (!job_.is_backlog) {
    publish();
    flush_publisher();
  }
  // What came together with the answer to basic.consume was already read.
  for (std::size_t number = 0; number < workers_.size(); ++number)
    receive(number);
  while (acked_count_ < job_.tasks_ns.size()) {
    wait();
    play_until(now_ns());
    flush_all();
  }
  return outcome();
}

void Crew::play_until(std::uint64_t now) {
  while (!events_.empty() && events_.top().time_ns <= now) {
    const Event event = events_.top();
    events_.pop();
    late_ns_ += now - event.time_ns;
    ++event_count_;
    if (event.acked_tag != 0) {
      acknowledge(event.worker, event.acked_tag);
    } else {
      finish(event.worker, event.time_ns);
    }
  }
}

void Crew::finish(std::size_t number, std::uint64_t time_ns) {
  Worker& worker = *workers_[number];
  const Held task = worker.held.front();
  worker.held.pop_front();
  worker.busy_ns += job_.tasks_ns[task.task];
  end_ns_ = std::max(end_ns_, time_ns);
  if (job_.round_trip_ns == 0) {
    acknowledge(number, task.tag);
  } else {
    events_.push(
        {.time_ns = time_ns + job_.round_trip_ns, .worker = number, .acked_tag = task.tag});
  }
  if (!worker.held.empty()) start(number, time_ns);
}

void Crew::start(std::size_t number, std::uint64_t time_ns) {
  const std::uint32_t task = workers_[number]->held.front().task;
  events_.push({.time_ns = time_ns + job_.tasks_ns[task], .worker = number});
}

void Crew::acknowledge(std::size_t number, std::uint64_t tag) {
  std::string& out = workers_[number]->link.out;
  if (out.empty()) to_flush_.push_back(number);
  amqp::append_method(out, Link::channel, amqp::basic::Ack{.delivery_tag = tag});
  ++acked_count_;
}

// An acknowledgement that the socket does not take now is sent in a later turn.
void Crew::flush_all() {
  std::erase_if(to_flush_, [this](std::size_t number) { return workers_[number]->link.flush(); });
}

void Crew::receive(std::size_t number) {
  if (number == workers_.size()) {
    publisher_.read([](amqp::FrameType type, std::string_view) {
      if (type == amqp::FrameType::method) throw std::runtime_error("the publisher is refused");
    });
    return flush_publisher();
  }
  Worker& worker = *workers_[number];
  worker.link.read([&](amqp::FrameType type, std::string_view payload) {
    if (type == amqp::FrameType::method) {
      amqp::Method method;
      if (amqp::decode_method(payload, method) != amqp::DecodeError::none ||
          !std::holds_alternative<amqp::basic::Deliver>(method)) {
        throw std::runtime_error("a worker is sent something else than tasks");
      }
      worker.tag = std::get<amqp::basic::Deliver>(method).delivery_tag;
    } else if (type == amqp::FrameType::body) {
      const auto task = load<std::uint32_t>(payload.data());
      if (is_taken_.at(task)) throw std::runtime_error("a task has been given out twice");
      is_taken_[task] = true;
      worker.held.push_back({.tag = worker.tag, .task = task});
      if (worker.held.size() == 1) start(number, now_ns());
    }
  });
}

void Crew::wait() {
  std::uint64_t wait_ns = stuck_ns;
  if (!events_.empty()) {
    const std::uint64_t now = now_ns();
    wait_ns = events_.top().time_ns - std::min(events_.top().time_ns, now);
  }
  if (!to_flush_.empty()) wait_ns = 0;
  const timespec timeout{.tv_sec = static_cast<time_t>(wait_ns / 1'000'000'000),
                         .tv_nsec = static_cast<long>(wait_ns % 1'000'000'000)};
  epoll_event events[64];
  const int count = ::epoll_pwait2(epoll_, events, 64, &timeout, nullptr);
  if (count == 0 && wait_ns == stuck_ns) throw std::runtime_error("no tasks come any more");
  for (int i = 0; i < count; ++i)
    receive(events[i].data.u64);
}

Outcome Crew::outcome() const {
  const std::uint64_t makespan_ns = end_ns_ - start_ns_;
  Outcome outcome;
  outcome.makespan_ms = in_ms(makespan_ns);
  for (const auto& worker : workers_) {
    const double idle = 1 - static_cast<double>(worker->busy_ns) / static_cast<double>(makespan_ns);
    outcome.idle_share += idle / static_cast<double>(workers_.size());
    outcome.idle_share_max = std::max(outcome.idle_share_max, idle);
  }
  outcome.lateness_ms = in_ms(late_ns_) / static_cast<double>(event_count_);
  return outcome;
}

// Waits until the daemon has nothing left to do. A running thread may be up to one tick ahead of
// its processor clock.
double settled_cpu_seconds(const Daemon& daemon) {
  constexpr int try_count_max = 100;
  double seconds = daemon.cpu_seconds();
  for (int i = 0; i < try_count_max; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const double before = std::exchange(seconds, daemon.cpu_seconds());
    if (seconds == before) break;
  }
  return seconds;
}

}  // namespace

Outcome run(const Daemon& daemon, const Job& job) {
  const Address address{.port = daemon.port()};
  Outcome outcome;
  {
    Crew crew(address, job);
    const double before = settled_cpu_seconds(daemon);
    outcome = crew.work();
    const double used_us = (settled_cpu_seconds(daemon) - before) * 1e6;
    outcome.broker_cpu_us = used_us / static_cast<double>(job.tasks_ns.size());
  }
  Link(address).call<amqp::queue::DeleteOk>(amqp::queue::Delete{.queue = queue_name});
  return outcome;
}

}  // namespace haypile::bench::dispatch
