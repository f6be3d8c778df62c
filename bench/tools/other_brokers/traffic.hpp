// Publishers and workers that need little time themselves, and what a protocol has to provide for
// them: commands are prepared once and copied, and what comes back is read only as far as necessary
// to count and acknowledge it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/io/poller.hpp"
#include "tools/other_brokers/wire.hpp"

namespace haypile::bench::other_brokers {

// A connection with traffic, for a Poller.
struct Peer : Pollable {
  Peer(std::uint16_t port, std::size_t job_size) : wire(port, job_size) {}
  Stream& stream() final { return wire; }

  Wire wire;
};

// Puts jobs, and counts those that the server has taken.
class Publisher : public Peer {
 public:
  struct Options {
    std::uint16_t port = 0;
    std::size_t size_bytes = 100;
    std::size_t window = 1000;  // the most jobs that are put and not confirmed
  };
  explicit Publisher(const Options& options)
      : Peer(options.port, 0), window_(options.window), body_(options.size_bytes, 'x') {}

  void receive() final {
    wire.read([this](std::string_view bytes) { return take_confirms(bytes); });
  }
  // Puts as many jobs as the window and the socket have room for. Returns how many.
  std::uint64_t publish() {
    std::uint64_t done = 0;
    for (; wire.out.size() < out_max && published_count_ - confirmed_count_ < window_; ++done) {
      wire.out += command_;
      ++published_count_;
    }
    return done;
  }
  std::uint64_t confirmed_count() const { return confirmed_count_; }

 protected:
  const std::string& body() const { return body_; }
  void set_command(std::string command) { command_ = std::move(command); }
  // Counts one more job that the server has taken.
  void confirm() { ++confirmed_count_; }
  // Calls confirm() for each complete answer in the bytes, and returns the size of these answers.
  virtual std::size_t take_confirms(std::string_view bytes) = 0;

 private:
  // More output than this must be written before more is prepared.
  static constexpr std::size_t out_max = 128u << 10;

  const std::uint64_t window_;
  const std::string body_;
  std::string command_;  // puts one job
  std::uint64_t published_count_ = 0;
  std::uint64_t confirmed_count_ = 0;
};

// Receives and acknowledges jobs.
class Worker : public Peer {
 public:
  struct Options {
    std::uint16_t port = 0;
    std::size_t number = 0;  // among the workers
    std::size_t size_bytes = 100;
    std::size_t prefetch_count = 1000;  // the most jobs that are received and not acknowledged
  };
  explicit Worker(const Options& options) : Peer(options.port, options.size_bytes) {}

  void receive() final {
    wire.read([this](std::string_view bytes) { return take_answers(bytes); });
  }
  // The number of jobs that were received completely; each is acknowledged at once.
  std::uint64_t consumed_count() const { return consumed_count_; }
  // The number of acknowledgements that the server has answered.
  std::uint64_t acknowledged_count() const { return acknowledged_count_; }

 protected:
  // Counts the complete jobs and answers in the bytes, asks for more, and returns their size.
  virtual std::size_t take_answers(std::string_view bytes) = 0;
  std::uint64_t consumed_count_ = 0;
  std::uint64_t acknowledged_count_ = 0;
};

// The commands of one server. All methods throw std::runtime_error.
struct Protocol {
  virtual ~Protocol() = default;
  // Makes an empty queue, or empties the one that is there.
  virtual void make_queue(std::uint16_t port) const = 0;
  virtual void delete_queue(std::uint16_t port) const = 0;
  virtual std::unique_ptr<Publisher> publisher(const Publisher::Options& options) const = 0;
  virtual std::unique_ptr<Worker> worker(const Worker::Options& options) const = 0;
};

// Uses `put`, `reserve` and `delete` of beanstalkd, in a tube of its own.
std::unique_ptr<Protocol> beanstalkd();
// Uses XADD, XREADGROUP, XACK and XDEL of Redis, on a stream with one group.
std::unique_ptr<Protocol> redis();

}  // namespace haypile::bench::other_brokers
