// A broker in one thread: the virtual host that the server runs, and connections. The simulation
// provides the sockets, the disk, the clock and the order in which things happen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "session/amqp_property_codec.hpp"
#include "session/session.hpp"
#include "support/mem_file_system.hpp"
#include "vhost/vhost.hpp"

namespace haypile::simulation {

struct Clock {
  engine::TimeMs now_ms = 1'790'000'000'000;
  session::Time now() const { return session::Time(std::chrono::milliseconds(now_ms)); }
  vhost::ClockReading reading() const { return {.boot = now_ms, .wall = now_ms}; }
};

struct BrokerLimits {
  std::uint32_t segment_size = 4096;
  std::uint32_t ring_segments = 16;
  // The most that may wait in queues and could leave memory.
  std::size_t movable_max_bytes = 16'000;
  std::size_t portion_size = 1u << 20;
  std::size_t output_max_bytes = 20'000;
  // Publishers have to wait if one of these limits is exceeded.
  std::size_t pending_max_bytes = 64'000;
  std::size_t memory_max_bytes = 256'000;
  std::size_t unacked_max_when_low = 1000;
  // The work of one turn.
  std::uint64_t work_units = 20'000;

  std::uint64_t ring_size() const { return std::uint64_t{segment_size} * ring_segments; }
  // Clients publish more before they wait than such a small ring has room for.
  std::uint64_t reserve_size() const { return 2 * ring_size() + 80'000; }
};

// Runs a Vhost with sessions on files in memory.
class SimBroker {
 public:
  class Connection final : public std::enable_shared_from_this<Connection>,
                           public vhost::Participant,
                           private session::SessionHost {
   public:
    // Called with the bytes that the session has taken, which are whole frames.
    using OnTaken = std::function<void(std::string_view)>;

    Connection(SimBroker& broker, engine::OwnerId owner);

    // Must be the first call.
    void set_on_taken(OnTaken on_taken) { on_taken_ = std::move(on_taken); }
    // Gives bytes to the session.
    void receive(std::string_view bytes);
    bool may_receive() const { return session_.pause() == session::Pause::none; }
    // Returns what goes into the socket. Report with output_sent() what has left it.
    std::string take_output();
    void output_sent(std::size_t size);
    // The client has gone.
    void cut();
    session::Session& session() { return session_; }
    // Whether input waits in the broker.
    bool is_paused() const { return session_.pause() != session::Pause::none; }

   private:
    friend class SimBroker;
    session::LoginAnswer log_in(std::string_view, std::string_view) override {
      return session::LoginAnswer::accepted;
    }
    session::SessionMemory& memory() override { return broker_.memory_; }
    bool publishers_must_wait() override {
      broker_.vhost_.set_memory_elsewhere(broker_.memory_.bytes());
      return broker_.vhost_.publishers_must_wait();
    }
    std::uint64_t disk_room() override { return broker_.vhost_.disk_room(); }
    engine::Engine* find_vhost(std::string_view) override { return &broker_.engine(); }
    std::string unique_name() override { return "n" + std::to_string(++broker_.names_); }
    void output_ready() override {}

    void read() override;
    bool try_to_resume() override;
    void tell_alarm(std::string_view text) override { session_.tell_blocked(text); }
    void check_peer() override {}
    void log_advanced() override;
    bool has_gone() const override { return has_gone_; }
    void process_input();
    void resume_if_over();
    void update_waits();

    SimBroker& broker_;
    OnTaken on_taken_;
    std::string rest_;           // input that the session could not use yet
    std::size_t in_socket_ = 0;  // taken, but not sent yet
    bool is_listed_ = false;     // paused in the virtual host
    bool awaits_turn_ = false;
    bool awaits_log_ = false;
    bool has_gone_ = false;
    session::Session session_;
  };

  // The arguments must outlive the broker.
  SimBroker(test::MemFileSystem& files, const Clock& clock, const BrokerLimits& limits);

  // Restores what is on the disk; `witness` sees it, too. Throws what Log::recover() throws.
  log::RecoveryReport start(engine::Recovery& witness);

  std::shared_ptr<Connection> connect();
  void turn() { vhost_.turn(clock_.reading()); }
  // Whether a turn is due although nothing has come in.
  bool is_due() { return vhost_.next_deadline() <= clock_.now_ms || vhost_.wants_turn(); }
  // Runs the log's threads, both or one of them.
  void step_log() { vhost_.log()->step(); }
  void step_writer() { vhost_.log()->step_writer(); }
  void step_maintenance() { vhost_.log()->step_maintenance(); }
  // Whether anything has become durable since the last call.
  bool take_advanced() { return std::exchange(advanced_, false); }
  void log_advanced() { vhost_.log_advanced(clock_.now_ms); }
  // Must be the last call, when no session is left. Returns false if the log could not be written.
  bool close_clean() { return vhost_.close_clean(); }

  bool has_failed() const { return !failure_.empty(); }
  // Why the log has given up; empty if it has not.
  const std::string& failure() const { return failure_; }
  engine::Engine& engine() { return vhost_.engine(); }
  const log::Log& log() const { return *vhost_.log(); }

 private:
  void update_clock() { vhost_.set_now(clock_.now_ms); }

  const Clock& clock_;
  session::Settings settings_;
  session::SessionMemory memory_;
  session::AmqpPropertyCodec wire_;
  bool advanced_ = false;
  std::string failure_;
  std::uint64_t names_ = 0;
  engine::OwnerId last_owner_ = 0;
  vhost::Vhost vhost_;
};

}  // namespace haypile::simulation
