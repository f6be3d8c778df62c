// Random work, loss of power at any call to the file system, also during recovery: what is there
// afterwards is what was there after some operation, and none that was durable is missing.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

// What must not be found after a loss of power.
struct Violation {
  const char* what;
};

// Queue id to the numbers of its messages, in order.
using State = std::map<engine::QueueId, std::set<int>>;

struct Operation {
  enum class Kind { declare, remove, publish, ack } kind;
  std::vector<engine::QueueId> queues;
  int message = 0;
  engine::LogPosition end = 0;  // durable up to here: it is there
};

void perform(State& state, const Operation& operation) {
  for (const engine::QueueId queue : operation.queues) {
    switch (operation.kind) {
      case Operation::Kind::declare:
        state[queue];
        break;
      case Operation::Kind::remove:
        state.erase(queue);
        break;
      case Operation::Kind::publish:
        state[queue].insert(operation.message);
        break;
      case Operation::Kind::ack:
        state[queue].erase(operation.message);
        break;
    }
  }
}

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {}

  test::MemFileSystem& files() { return fixture_.files; }

  // Throws Violation, or the IoError of a start that is refused.
  void run() {
    for (int round = 0; round < 4; ++round) {
      recover();
      fixture_.files.lose_power_after(1 + random_() % 120);
      try {
        while (true)
          step();
      } catch (const test::PowerLoss&) {
        durable_ = fixture_.log->durable();
      }
      fixture_.log.reset();
      fixture_.files.restart(random_);
    }
    recover();
  }

 private:
  void recover() {
    if (random_() % 2 == 0) {
      fixture_.files.lose_power_after(1 + random_() % 8);
      try {
        fixture_.open();
      } catch (const test::PowerLoss&) {
      }
      fixture_.log.reset();
      fixture_.files.restart(random_);
    }
    fixture_.open();
    check();
  }

  void check() {
    State found;
    positions_.clear();
    for (const auto& [queue, entries] : fixture_.recovered.messages) {
      found[queue];
      int last = -1;
      for (const auto& entry : entries) {
        const int number = std::stoi(entry.body);
        if (number <= last) throw Violation{"messages out of order, or one twice"};
        last = number;
        found[queue].insert(number);
        positions_[number] = entry.position;
      }
    }
    State state = base_;
    std::size_t done = 0;
    while (done < operations_.size() && operations_[done].end <= durable_) {
      perform(state, operations_[done++]);
    }
    while (state != found && done < operations_.size())
      perform(state, operations_[done++]);
    if (state != found) throw Violation{"not what was there after any operation"};
    base_ = state_ = found;
    operations_.clear();
    durable_ = 0;
  }

  void step() {
    const std::uint64_t dice = random_() % 100;
    if (dice < 4 && state_.size() < 4) {
      const engine::QueueId id = ++last_queue_;
      fixture_.log->declare_queue(test::queue_definition(id));
      done({Operation::Kind::declare, {id}});
    } else if (dice < 5 && !state_.empty()) {
      remove_queue();
    } else if (dice < 50 && !state_.empty()) {
      publish();
    } else if (dice < 90) {
      ack();
    } else {
      fixture_.log->flush();
      if (random_() % 3 != 0) fixture_.log->step();
    }
  }

  void publish() {
    std::vector<engine::QueueId> queues;
    for (const auto& [queue, messages] : state_) {
      if (queues.empty() || random_() % 4 == 0) queues.push_back(queue);
    }
    const int number = ++last_message_;
    const std::size_t size = random_() % 40 == 0 ? random_() % 15'000 : random_() % 300;
    positions_[number] =
        fixture_.publish(std::to_string(number) + " " + std::string(size, 'x'), queues);
    done({Operation::Kind::publish, queues, number});
  }

  void ack() {
    for (const auto& [queue, messages] : state_) {
      if (messages.empty() || random_() % 2 == 0) continue;
      // Mostly the oldest, so that segments empty.
      auto message = messages.begin();
      if (random_() % 8 == 0) {
        std::advance(message, static_cast<std::ptrdiff_t>(random_() % messages.size()));
      }
      const int number = *message;
      fixture_.log->ack(queue, positions_.at(number));
      done({Operation::Kind::ack, {queue}, number});
      return;
    }
  }

  void remove_queue() {
    const auto queue = state_.begin();
    const engine::QueueId id = queue->first;
    const std::set<int> messages = queue->second;
    fixture_.log->delete_queue(id);
    done({Operation::Kind::remove, {id}});
    for (const int number : messages)
      fixture_.log->release(positions_.at(number));
  }

  void done(Operation operation) {
    operation.end = fixture_.log->end();
    perform(state_, operation);
    operations_.push_back(std::move(operation));
  }

  std::mt19937 random_;
  LogFixture fixture_;
  State base_;   // at the last start
  State state_;  // with all operations since
  std::vector<Operation> operations_;
  engine::LogPosition durable_ = 0;
  std::map<int, engine::LogPosition> positions_;
  engine::QueueId last_queue_ = 0;
  int last_message_ = 0;
};

// What went wrong; empty if all was well.
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
  // HAYPILE_SEEDS=100000 for a long run.
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
