// The thread that does everything except syncing: turns of receiving, handling and sending.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tools/baseline/core.hpp"
#include "tools/baseline/state.hpp"
#include "tools/baseline/syncer.hpp"

namespace haypile::bench::baseline {

// Runs all connections of the baseline on one thread.
class Loop {
 public:
  // Binds to 127.0.0.1; port 0 is any free port. If `syncer` is null, nothing is written. `signals`
  // is a signalfd; any of its signals ends the loop. Both must outlive the loop. Throws
  // std::system_error.
  Loop(std::uint16_t port, Syncer* syncer, int signals);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::uint16_t port() const { return port_; }
  // Runs until a signal comes.
  void run();

 private:
  void listen(std::uint16_t port);
  void watch(int descriptor, std::uint32_t events, void* mark, bool known = false);
  void accept();
  void receive(Connection& connection);
  void finish_turn();
  void send(Connection& connection);
  void close(Connection& connection);

  Syncer* syncer_;
  int signals_;
  int epoll_ = -1;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::uint64_t last_batch_ = 0;
  bool any_closed_ = false;
  Core core_;
  // Closed connections are removed at the end of a turn, because others may point to them until
  // then.
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace haypile::bench::baseline
