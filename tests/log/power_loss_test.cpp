// Does random work and loses power at any call to the file system, also during recovery. What is
// there afterwards is the state after some operation, and no operation that was durable is missing.
// A group is one operation.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <utility>

#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

// Describes what must not be found after a loss of power.
struct Violation {
  const char* what;
};

struct MessageState {
  std::uint32_t delivery_count = 0;
  engine::TimeMs published_at = 0;
  bool operator==(const MessageState&) const = default;
};
struct QueueState {
  engine::TimeMs unused_since = 0;
  std::map<int, MessageState> messages;  // the key is the number, which is their order
  bool operator==(const QueueState&) const = default;
};
using State = std::map<engine::QueueId, QueueState>;

// A change of one queue.
struct Change {
  enum class Kind { declare, remove, unuse, publish, ack, count } kind;
  engine::QueueId queue;
  int message = 0;
  std::uint64_t value = 0;  // a time or a count
};

void perform(State& state, const Change& change) {
  switch (change.kind) {
    case Change::Kind::declare:
      state[change.queue];
      break;
    case Change::Kind::remove:
      state.erase(change.queue);
      break;
    case Change::Kind::unuse:
      state.at(change.queue).unused_since = change.value;
      break;
    case Change::Kind::publish:
      state.at(change.queue).messages[change.message] = {0, change.value};
      break;
    case Change::Kind::ack:
      state.at(change.queue).messages.erase(change.message);
      break;
    case Change::Kind::count:
      state.at(change.queue).messages.at(change.message).delivery_count =
          static_cast<std::uint32_t>(change.value);
      break;
  }
}

struct Operation {
  std::vector<Change> changes;
  // The position after its first change. If the log is durable up to here, all of it is there.
  engine::LogPosition end = 0;
};

void perform(State& state, const Operation& operation) {
  for (const Change& change : operation.changes)
    perform(state, change);
}

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {}

  test::MemFileSystem& files() { return fixture_.files; }

  // Throws Violation, or the IoError of a refused start.
  void run() {
    for (int round = 0; round < 4; ++round) {
      recover();
      fixture_.files.lose_power_after(1 + random_() % 120);
      try {
        while (!one_in(300))
          step();
        is_closed_ = fixture_.log->close_clean();
      } catch (const test::PowerLoss&) {
      }
      durable_ = fixture_.log->durable();
      fixture_.log.reset();
      fixture_.files.restart(random_);
    }
    recover();
  }

 private:
  bool one_in(unsigned n) { return random_() % n == 0; }

  void recover() {
    boundary_ = 0;
    if (one_in(2)) {
      is_closed_ = false;
      fixture_.files.lose_power_after(1 + random_() % 8);
      try {
        fixture_.open();
      } catch (const test::PowerLoss&) {
      }
      fixture_.log.reset();
      fixture_.files.restart(random_);
    }
    is_clean_ = fixture_.open().clean;
    if (std::exchange(is_closed_, false) && !is_clean_) throw Violation{"closed, but not clean"};
    check();
  }

  State found() {
    State found;
    positions_.clear();
    stored_.clear();
    for (const auto& [queue, entries] : fixture_.recovered.messages) {
      QueueState& state = found[queue];
      const auto unused = fixture_.recovered.unused_since.find(queue);
      if (unused != fixture_.recovered.unused_since.end()) state.unused_since = unused->second;
      int last = -1;
      for (const auto& entry : entries) {
        const int number = std::stoi(entry.body);
        if (number <= last) throw Violation{"messages out of order, or one twice"};
        const bool may_be_delivered = !is_clean_ || entry.delivery_count > 0;
        // A moved message may be marked by an unclean start that the log does not know as one.
        const bool is_right =
            entry.redelivered == may_be_delivered || (entry.stored != 0 && entry.redelivered);
        if (!is_right) throw Violation{"a wrong mark of redelivery"};
        last = number;
        state.messages[number] = {entry.delivery_count, entry.published_at};
        positions_[number] = entry.position;
        if (entry.stored != 0) stored_[{queue, number}] = entry.stored;
      }
    }
    return found;
  }

  void check() {
    const State there = found();
    State state = base_;
    std::size_t done = 0;
    while (done < operations_.size() && operations_[done].end <= durable_) {
      perform(state, operations_[done++]);
    }
    while (state != there && done < operations_.size())
      perform(state, operations_[done++]);
    if (state != there) throw Violation{"not what was there after any operation"};
    base_ = state_ = there;
    operations_.clear();
    current_.changes.clear();
    durable_ = 0;
  }

  engine::QueuedRef ref_of(engine::QueueId queue, int message) const {
    const auto stored = stored_.find({queue, message});
    const std::size_t size = bodies_.at(message).size();
    return {queue, positions_.at(message), stored == stored_.end() ? 0 : stored->second, size + 3,
            size};
  }

  // Moves messages as the engine does, where all count as unacked. What is left after some messages
  // is stored in another turn.
  void move_out() {
    if (boundary_ == 0) {
      boundary_ = fixture_.log->move_boundary(true);
      if (boundary_ == 0) return;
      fixture_.log->begin_move(boundary_);
    }
    bool is_done = true;
    for (const auto& [queue, state] : state_) {
      for (const auto& [number, message] : state.messages) {
        const engine::QueuedRef ref = ref_of(queue, number);
        if (ref.message >= boundary_ || ref.stored != 0) continue;
        is_done = is_done && fixture_.log->takes_more() && !one_in(20);
        if (!is_done) break;
        stored_[{queue, number}] =
            fixture_.log->store({.queue = queue,
                                 .position = ref.message,
                                 .priority = 0,
                                 .place = static_cast<std::uint64_t>(number),
                                 .delivery_count = message.delivery_count,
                                 .redelivered = message.delivery_count > 0,
                                 .stays_in_memory = true,
                                 .is_shared = is_shared(number),
                                 .message = {.exchange = "e",
                                             .routing_key = "k",
                                             .properties = "p",
                                             .body = bodies_.at(number),
                                             .published_at = message.published_at}});
      }
    }
    fixture_.log->end_portion();
    if (is_done) {
      fixture_.log->end_move();
      boundary_ = 0;
    }
    fixture_.log->flush();
  }
  bool is_shared(int number) const {
    return std::ranges::count_if(state_, [&](const auto& queue) {
             return queue.second.messages.contains(number);
           }) > 1;
  }

  void step() {
    if (boundary_ != 0 && one_in(2)) return move_out();
    const std::uint64_t dice = random_() % 100;
    if (dice < 4 && state_.size() < 4) {
      const engine::QueueId id = ++last_queue_;
      fixture_.log->declare_queue(test::queue_definition(id));
      change({Change::Kind::declare, id});
    } else if (dice < 5 && !state_.empty()) {
      remove_queue();
    } else if (dice < 40 && !state_.empty()) {
      publish();
    } else if (dice < 75) {
      ack();
    } else if (dice < 80) {
      count();
    } else if (dice < 81) {
      return move_out();
    } else if (dice < 82) {
      unuse();
    } else if (dice < 90) {
      group();
      return;
    } else {
      fixture_.log->flush();
      if (!one_in(3)) fixture_.log->step();
      return;
    }
    done();
  }

  std::string body(int number) {
    const std::size_t size = one_in(40) ? random_() % 15'000 : random_() % 300;
    return std::to_string(number) + " " + std::string(size, 'x');
  }

  engine::TimeMs time() { return one_in(3) ? 1'790'000'000'000 + random_() : 0; }

  void publish() {
    std::vector<engine::QueueId> queues;
    for (const auto& [queue, state] : state_) {
      if (queues.empty() || one_in(4)) queues.push_back(queue);
    }
    publish(queues, time());
  }

  void publish(const std::vector<engine::QueueId>& queues, engine::TimeMs time) {
    const int number = ++last_message_;
    bodies_[number] = body(number);
    positions_[number] = fixture_.publish(bodies_[number], queues, time);
    for (const engine::QueueId queue : queues)
      change({Change::Kind::publish, queue, number, time});
  }

  // Chooses a message in a queue, usually the oldest, so that segments become empty. Returns
  // nothing if there is none, or by chance.
  struct Place {
    engine::QueueId queue = 0;
    int message = 0;
  };
  Place pick() {
    for (const auto& [queue, state] : state_) {
      if (state.messages.empty() || one_in(2)) continue;
      auto message = state.messages.begin();
      if (one_in(8)) {
        std::advance(message, static_cast<std::ptrdiff_t>(random_() % state.messages.size()));
      }
      return {queue, message->first};
    }
    return {};
  }

  Place ack() {
    const Place place = pick();
    if (place.queue == 0) return place;
    fixture_.log->ack(ref_of(place.queue, place.message));
    change({Change::Kind::ack, place.queue, place.message});
    return place;
  }

  void count() {
    const Place place = pick();
    if (place.queue == 0) return;
    const auto value = 1 + static_cast<std::uint32_t>(random_() % 300);
    fixture_.log->set_delivery_count(ref_of(place.queue, place.message), value);
    change({Change::Kind::count, place.queue, place.message, value});
  }

  void unuse() {
    for (const auto& [queue, state] : state_) {
      if (one_in(2)) continue;
      const engine::TimeMs since = time();
      fixture_.log->set_unused_since(queue, since);
      change({Change::Kind::unuse, queue, 0, since});
      return;
    }
  }

  // Makes a group of no message to several segments. Some of its content may be on disk before the
  // rest.
  void group() {
    fixture_.log->begin_group();
    for (std::uint64_t rest = one_in(10) ? random_() % 40 : random_() % 5; rest > 0; --rest) {
      const std::uint64_t dice = random_() % 10;
      if (dice < 5) {
        move();
      } else if (dice < 7) {
        ack();
      } else if (!state_.empty()) {
        publish();
      }
      if (one_in(3)) fixture_.log->step();
    }
    fixture_.log->end_group();
    done();
  }

  // Moves a message to another queue, as dead-lettering does.
  void move() {
    const Place from = ack();
    if (from.queue == 0) return;
    const engine::QueueId to = one_in(2) ? state_.begin()->first : state_.rbegin()->first;
    publish({to}, time());
  }

  void remove_queue() {
    const auto queue = state_.begin();
    const engine::QueueId id = queue->first;
    const auto messages = queue->second.messages;
    std::map<int, engine::QueuedRef> refs;
    for (const auto& [number, message] : messages)
      refs[number] = ref_of(id, number);
    fixture_.log->delete_queue(id);
    change({Change::Kind::remove, id});
    for (const auto& [number, message] : messages)
      fixture_.log->release(refs[number]);
  }

  void change(const Change& change) {
    perform(state_, change);
    if (current_.changes.empty()) current_.end = fixture_.log->end();
    current_.changes.push_back(change);
  }

  void done() {
    if (!current_.changes.empty()) operations_.push_back(std::exchange(current_, {}));
  }

  std::mt19937 random_;
  LogFixture fixture_;
  State base_;   // at the last start
  State state_;  // includes all operations since then
  std::vector<Operation> operations_;
  Operation current_;
  engine::LogPosition boundary_ = 0;  // the current move's
  engine::LogPosition durable_ = 0;
  bool is_closed_ = true;  // a new log is clean
  bool is_clean_ = true;
  std::map<int, engine::LogPosition> positions_;
  std::map<std::pair<engine::QueueId, int>, engine::StoredId> stored_;
  std::map<int, std::string> bodies_;
  engine::QueueId last_queue_ = 0;
  int last_message_ = 0;
};

// Returns what went wrong; empty if all was well.
template <class Prepare>
std::string simulate(unsigned seed, Prepare prepare) {
  Simulation simulation(seed);
  prepare(simulation.files());
  try {
    simulation.run();
  } catch (const Violation& violation) {
    return violation.what;
  } catch (const log::IoError& error) {
    return error.what();
  }
  return "";
}

template <class Prepare>
bool is_found_out(Prepare prepare) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    if (!simulate(seed, prepare).empty()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("power loss at any time") {
  // Set HAYPILE_SEEDS=100000 for a long run.
  const char* count = std::getenv("HAYPILE_SEEDS");
  const unsigned seed_count = count ? static_cast<unsigned>(std::stoul(count)) : 4000;
  for (unsigned seed = 1; seed <= seed_count; ++seed) {
    CAPTURE(seed);
    CHECK(simulate(seed, [](test::MemFileSystem&) {}) == "");
  }
}

TEST_CASE("canary: a disk that does not sync is found out") {
  CHECK(is_found_out([](test::MemFileSystem& files) { files.ignore_syncs(); }));
}

TEST_CASE("canary: a directory that is not synced is found out") {
  CHECK(is_found_out([](test::MemFileSystem& files) { files.ignore_directory_syncs(); }));
}
