// A broker in one thread, put together as server/ does it (Core, Vhost, Connection), but for the
// sockets, the disk, the clock and the order in which things happen, which are the simulation's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "engine/restore.hpp"
#include "log/log.hpp"
#include "session/session.hpp"
#include "session/wire_format.hpp"
#include "support/mem_file_system.hpp"

namespace haypile::simulation {

struct Clock {
  engine::TimeMs now_ms = 1'790'000'000'000;
  session::Time now() const { return session::Time(std::chrono::milliseconds(now_ms)); }
};

struct BrokerLimits {
  std::uint32_t segment_size = 4096;
  std::uint32_t ring_segments = 16;
  // Of what waits in queues and could leave memory.
  std::size_t movable_max_bytes = 16'000;
  std::size_t output_max_bytes = 20'000;
  // Beyond these publishers are held back.
  std::size_t pending_max_bytes = 64'000;
  std::size_t memory_max_bytes = 256'000;

  std::uint64_t ring_size() const { return std::uint64_t{segment_size} * ring_segments; }
  // Clients say more before they wait than so small a ring would have room for.
  std::uint64_t reserve_size() const { return 2 * ring_size() + 150'000; }
};

class SimBroker {
 public:
  class Connection final : private session::Host {
   public:
    Connection(SimBroker& broker, engine::OwnerId owner);

    // Hands bytes to the session; gives those that it took, whole frames.
    std::string receive(std::string_view bytes);
    bool may_receive() const { return !held_back_ && session_.wants_input(); }
    // What goes into the socket, to be reported by output_sent() when it has left it.
    std::string take_output();
    void output_sent(std::size_t size);
    session::Session& session() { return session_; }

   private:
    friend class SimBroker;
    bool may_log_in(std::string_view, std::string_view) override { return true; }
    engine::Engine* find_vhost(std::string_view) override { return &broker_.engine_; }
    std::string unique_name() override { return "n" + std::to_string(++broker_.names_); }
    void output_ready() override {}

    SimBroker& broker_;
    std::string rest_;  // of the input: what the session could not use yet
    bool held_back_ = false;
    session::Session session_;
  };

  // All outlive the broker.
  SimBroker(test::MemFileSystem& files, const Clock& clock, const BrokerLimits& limits);

  // Restores what is on the disk, in the presence of `witness`. Throws what Log::recover() throws.
  log::RecoveryReport start(engine::Recovery& witness);

  std::unique_ptr<Connection> connect();
  // What Core's flush does to the log. A log that has more to be done there gets it here.
  void flush();
  // The log's threads have their turn, both or one.
  void step_log() { log_.step(); }
  void step_writer() { log_.step_writer(); }
  void step_keeper() { log_.step_keeper(); }
  // The core hears of it: true if anything has become durable since it was here last.
  bool take_advanced() { return std::exchange(advanced_, false); }
  void log_advanced(const std::vector<Connection*>& connections);
  void let_publishers_go_on(const std::vector<Connection*>& connections);
  // Once its time has come.
  void advance();
  bool is_due() const { return engine_.next_deadline() <= clock_.now_ms; }
  // No session is left, and nothing may be called afterwards. False: it could not be written.
  bool close_clean();

  bool has_failed() const { return failed_; }
  engine::Engine& engine() { return engine_; }
  const log::Log& log() const { return log_; }

 private:
  bool holds_publishers_back() const;
  void update_clock() { engine_.set_now(clock_.now_ms); }

  const Clock& clock_;
  const BrokerLimits limits_;
  session::Settings settings_;
  session::WireFormat wire_;
  bool advanced_ = false;
  bool failed_ = false;
  std::uint64_t names_ = 0;
  engine::OwnerId last_owner_ = 0;
  log::Log log_;
  engine::Engine engine_;
};

}  // namespace haypile::simulation
