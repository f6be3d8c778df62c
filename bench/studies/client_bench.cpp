// One client library at work: client_bench LIBRARY PORT COUNT SINGLE_COUNT
//   LIBRARY: haypile or rabbitmq-c
// Publishes and confirms COUNT messages of 100 bytes with a window of 2,000, consumes and
// acknowledges them, and publishes SINGLE_COUNT more with one in flight. Prints a line of JSON: the
// rates a second, and the processor time of this process in microseconds a message.
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include "common/usage.hpp"
#include "studies/clients/client.hpp"

namespace {

using haypile::bench::own_cpu_seconds;

std::unique_ptr<clients::Client> connect(const std::string& library, std::uint16_t port) {
  if (library == "haypile") return clients::haypile_client(port);
  if (library == "rabbitmq-c") return clients::rabbitmq_c_client(port);
  throw std::runtime_error("there is no library '" + library + "'");
}

template <class Work>
nlohmann::json measure(std::uint64_t count, Work&& work) {
  const double used = own_cpu_seconds();
  const auto started = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  const auto messages = static_cast<double>(count);
  return {{"per_second", messages / took.count()},
          {"cpu_us", (own_cpu_seconds() - used) / messages * 1e6}};
}

int run(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "client_bench LIBRARY PORT COUNT SINGLE_COUNT\n";
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10));
  const std::uint64_t count = std::strtoull(argv[3], nullptr, 10);
  const std::uint64_t single_count = std::strtoull(argv[4], nullptr, 10);
  const std::string body(100, 'b');
  const auto client = connect(argv[1], port);
  nlohmann::json result;
  result["publish"] = measure(count, [&] { client->publish(count, 2000, body); });
  result["consume"] = measure(count, [&] { client->consume(count); });
  result["single"] = measure(single_count, [&] { client->publish(single_count, 1, body); });
  std::cout << result << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
