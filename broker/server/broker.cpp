// haypile::Broker: a thread for the core, and the way into it from other threads.
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include <sys/socket.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <haypile/broker.hpp>

#include "log/signals_blocked.hpp"
#include "server/core.hpp"

namespace haypile {

namespace asio = boost::asio;

class Broker::Impl {
 public:
  explicit Impl(BrokerOptions options)
      : work_(asio::make_work_guard(io_)), core_(io_, std::move(options)), thread_(start()) {}
  ~Impl() { stop(); }

  // Runs `action` on the core's thread and gives its result, or throws what it threw.
  template <class Action>
  auto call(Action action) {
    std::packaged_task<decltype(action(core_))()> task([&] { return action(core_); });
    auto result = task.get_future();
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) throw BrokerError("the broker has been stopped");
    asio::post(io_, [&] { task(); });
    return result.get();
  }

  int connect() {
    return call([&](server::Core& core) {
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        throw BrokerError("no connection within the process: " +
                          std::generic_category().message(errno));
      }
      server::Socket socket(io_, asio::generic::stream_protocol(AF_UNIX, 0), ends[0]);
      core.adopt(std::move(socket), {"this process", true});
      return ends[1];
    });
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      core_.stop();
      work_.reset();
    });
    thread_.join();
  }

 private:
  std::thread start() {
    const log::SignalsBlocked blocked;
    return std::thread([this] {
      io_.run();
      core_.close();
    });
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  server::Core core_;
  std::mutex mutex_;  // held while another thread waits for the core's
  std::thread thread_;
};

Broker::Broker(BrokerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Broker::~Broker() = default;

int Broker::connect() {
  return impl_->connect();
}

std::uint16_t Broker::listen(const std::string& address, std::uint16_t port) {
  return impl_->call([&](server::Core& core) { return core.listen(address, port); });
}

void Broker::stop() {
  impl_->stop();
}

}  // namespace haypile
