// haypile::Broker: a thread for the supervisor, and the way into it from other threads.
#include <future>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <haypile/broker.hpp>

#include "log/signals_blocked.hpp"
#include "server/addresses.hpp"
#include "server/descriptors.hpp"
#include "server/notifier.hpp"
#include "server/supervisor.hpp"

namespace haypile {

namespace asio = boost::asio;

namespace {

// The options for the supervisor, which sends what it has to say to the notifier.
BrokerOptions with_notifier(BrokerOptions options, server::Notifier& notifier) {
  options.report = [&notifier](Severity severity, std::string_view line) {
    notifier.report(severity, line);
  };
  options.on_failure = [&notifier](std::string_view line) { notifier.fail(line); };
  return options;
}

// Two connected sockets, closed when this is destroyed.
struct SocketPair {
  SocketPair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw BrokerError("no connection within the process: " +
                        std::generic_category().message(errno));
    }
  }
  ~SocketPair() {
    for (const int end : ends)
      if (end >= 0) ::close(end);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;

  int ends[2]{-1, -1};
};

}  // namespace

class Broker::Impl {
 public:
  explicit Impl(BrokerOptions options)
      : notifier_(std::move(options.report), std::move(options.on_failure)),
        work_(asio::make_work_guard(io_)),
        supervisor_(io_, with_notifier(std::move(options), notifier_)),
        thread_(start()) {
    try {
      notifier_.start();
    } catch (...) {
      stop();
      throw;
    }
  }
  // If stop() fails there is no way to go on.
  ~Impl() { stop(); }  // NOLINT(bugprone-exception-escape)

  // Runs `action` on the supervisor's thread and returns its result, or throws what it threw.
  template <class Action>
  auto call(Action action) {
    std::packaged_task<decltype(action(supervisor_))()> task([&] { return action(supervisor_); });
    auto result = task.get_future();
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) throw BrokerError("the broker has been stopped");
    asio::post(io_, [&] { task(); });
    return result.get();
  }

  int connect() {
    return call([&](server::Supervisor& supervisor) {
      SocketPair pair;
      if (!server::is_for_connections(pair.ends[1])) {
        throw BrokerError("no connection within the process: out of file descriptors");
      }
      server::Socket socket(io_);
      socket.assign(asio::generic::stream_protocol(AF_UNIX, 0), pair.ends[0]);
      pair.ends[0] = -1;
      supervisor.adopt(std::move(socket), {"this process", true});
      return std::exchange(pair.ends[1], -1);
    });
  }

  Listening listen(const std::vector<asio::ip::address>& addresses, std::uint16_t port) {
    auto listening =
        call([&](server::Supervisor& supervisor) { return supervisor.listen(addresses, port); });
    notifier_.drain();
    return listening;
  }

  bool stop() {
    {
      const std::lock_guard lock(mutex_);
      if (thread_.joinable()) {
        asio::post(io_, [this] {
          supervisor_.stop();
          work_.reset();
        });
        thread_.join();
      }
    }
    // Without the mutex: a function that the notifier calls may call the broker.
    notifier_.drain();
    return is_clean_;
  }

 private:
  std::thread start() {
    const log::SignalsBlocked blocked;
    return std::thread([this] { run(); });
  }

  // An exception that nobody catches, such as std::bad_alloc, is a failure of the broker, but not
  // the end of the program around it.
  void run() {
    while (!guarded([this] { io_.run(); })) {
    }
    guarded([this] { is_clean_ = supervisor_.close(); });
    // Reports what the log said while it was closed.
    io_.restart();
    guarded([this] { io_.poll(); });
  }

  template <class Action>
  bool guarded(Action action) {
    try {
      action();
      return true;
    } catch (const std::exception& error) {
      supervisor_.fail(std::string("the broker cannot go on: ") + error.what());
      return false;
    }
  }

  // The order matters: the supervisor uses what is in front of it, and the thread uses the
  // supervisor.
  asio::io_context io_{1};
  server::Notifier notifier_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  server::Supervisor supervisor_;
  bool is_clean_ = false;
  std::mutex mutex_;  // held while another thread waits for the supervisor's thread
  std::thread thread_;
};

Broker::Broker(BrokerOptions options) {
  try {
    impl_ = std::make_unique<Impl>(std::move(options));
  } catch (const std::bad_alloc&) {
    throw BrokerError("there is not enough memory for the broker to start");
  } catch (const std::system_error& error) {
    throw BrokerError(std::string("the broker cannot start: ") + error.what());
  }
}
Broker::~Broker() = default;

int Broker::connect() {
  return impl_->connect();
}

Listening Broker::listen(const std::vector<std::string>& addresses, std::uint16_t port) {
  return impl_->listen(server::resolve(addresses), port);
}

std::uint16_t Broker::listen(const std::string& address, std::uint16_t port) {
  return listen(std::vector<std::string>{address}, port).port;
}

void Broker::check_listen(const std::vector<std::string>& addresses, std::uint16_t port) {
  server::check_addresses(server::resolve(addresses), port);
}

bool Broker::stop() {
  return impl_->stop();
}

}  // namespace haypile
