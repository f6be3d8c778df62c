// A broker, a producer and two workers in one process, without TCP.
#include <chrono>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#include <haypile/broker.hpp>
#include <haypile/client.hpp>

namespace {

std::mutex output;

void work(haypile::Broker& broker, const std::string& name) {
  auto connection = haypile::Connection::over_socket(broker.connect());
  haypile::Channel channel = connection.channel();
  channel.queue_declare("tasks", {.durable = true});
  channel.basic_qos(1);
  channel.basic_consume("tasks", [&](const haypile::Message& task) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10 * task.body().size()));
    channel.basic_ack(task.delivery_tag);
    if (task.body() == "stop") return channel.stop_consuming();
    const std::lock_guard lock(output);
    std::cout << name << " did '" << task.body() << "'" << std::endl;
  });
  channel.start_consuming();
}

}  // namespace

int main(int argc, char** argv) {
  // Tasks that are not done survive the process if a directory is given as the argument.
  haypile::Broker broker({.data_directory = argc > 1 ? argv[1] : ""});
  std::thread first(work, std::ref(broker), "first");
  std::thread second(work, std::ref(broker), "second");

  auto connection = haypile::Connection::over_socket(broker.connect());
  haypile::Channel channel = connection.channel();
  channel.queue_declare("tasks", {.durable = true});
  channel.confirm_select();
  for (const char* task : {"a long task", "b", "c", "d", "stop", "stop"}) {
    channel.basic_publish("", "tasks", task, {.delivery_mode = haypile::persistent});
  }
  channel.wait_for_confirms();
  first.join();
  second.join();
}
