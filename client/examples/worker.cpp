// Works on tasks: one second for each dot in the task.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>

#include <haypile/client.hpp>

int main() {
  const char* uri = std::getenv("AMQP_URL");
  haypile::Connection connection(uri ? uri : "amqp://localhost");
  haypile::Channel channel = connection.channel();
  channel.queue_declare("task_queue", {.durable = true});
  std::cout << " [*] Waiting for messages. To exit press CTRL+C" << std::endl;

  channel.basic_qos(1);
  channel.basic_consume("task_queue", [&](const haypile::Message& task) {
    std::cout << " [x] Received " << task.body() << std::endl;
    std::this_thread::sleep_for(std::chrono::seconds(std::ranges::count(task.body(), '.')));
    std::cout << " [x] Done" << std::endl;
    channel.basic_ack(task.delivery_tag);
  });
  channel.start_consuming();
}
