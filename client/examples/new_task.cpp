// Sends its arguments as one task: new_task First task...
#include <cstdlib>
#include <iostream>
#include <string>

#include <haypile/client.hpp>

int main(int argc, char** argv) {
  const char* uri = std::getenv("AMQP_URL");
  haypile::Connection connection(uri ? uri : "amqp://localhost");
  haypile::Channel channel = connection.channel();
  channel.queue_declare("task_queue", {.durable = true});

  std::string message;
  for (int i = 1; i < argc; ++i)
    message += (i > 1 ? " " : "") + std::string(argv[i]);
  if (message.empty()) message = "Hello World!";

  channel.basic_publish("", "task_queue", message, {.delivery_mode = haypile::persistent});
  std::cout << " [x] Sent " << message << std::endl;
}
