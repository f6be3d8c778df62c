// haypile: the command line tool.
#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

#include "common.hpp"
#include "send.hpp"
#include "status.hpp"
#include "work.hpp"

namespace {

using namespace haypile::cli;

constexpr const char* footer =
    "Examples:\n"
    "  haypile send Convert cat.jpg              one message, confirmed by the broker\n"
    "  ls *.jpg | haypile send -q images -       one message a line\n"
    "  haypile work                              print messages as they come\n"
    "  haypile work -q images --jobs 4 -- sh -c 'convert \"$(cat)\" out.png'\n"
    "\n"
    "The broker is that of --uri, else of AMQP_URL, else amqp://localhost.\n"
    "Exit codes: 0 all is well, 1 an error, 130 work was broken off by a second Ctrl+C.";

void add_connection(CLI::App& command, CommonOptions& options) {
  const char* uri = std::getenv("AMQP_URL");
  options.uri = uri ? uri : "amqp://localhost";
  command.add_option("-u,--uri", options.uri, "Broker, amqp://user:password@host:port/vhost");
  command.add_option("-q,--queue", options.queue, "Queue")->capture_default_str();
}

// The queue is declared, durable, if it does not exist.
void add_common(CLI::App& command, CommonOptions& options) {
  add_connection(command, options);
  command.add_flag("--passive", options.passive, "Take the queue as it is, do not declare it");
}

int run(int argc, char** argv) {
  SendOptions send_options;
  WorkOptions work_options;
  CLI::App app("Hands tasks to workers through Haypile, or any other AMQP 0-9-1 broker.",
               "haypile");
  app.footer(footer);
  app.set_version_flag("--version", "haypile " HAYPILE_VERSION);
  app.require_subcommand(1);

  CLI::App* send_command = app.add_subcommand("send", "Send a message, or one for each line");
  add_common(*send_command, send_options.common);
  send_command->add_option("words", send_options.words,
                           "The message; a single - reads one message a line from standard input");

  CLI::App* work_command =
      app.add_subcommand("work", "Run a command for each message, or print it");
  add_common(*work_command, work_options.common);
  work_command->add_option("-p,--prefetch", work_options.prefetch_count,
                           "Messages to hold at a time (default: as many as jobs)");
  work_command->add_option("-j,--jobs", work_options.job_count, "Commands to run at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  work_command
      ->add_option(
          "--on-failure", work_options.on_failure,
          "When a command ends with another exit code than 0: requeue the message (after a "
          "second) or drop it")
      ->transform(CLI::CheckedTransformer(std::map<std::string, OnFailure>{
          {"requeue", OnFailure::requeue}, {"drop", OnFailure::drop}}))
      ->default_str("requeue");
  work_command->add_option("command", work_options.command,
                           "Gets the message on its standard input; put -- before it");

  CommonOptions status_options;
  CLI::App* status_command = app.add_subcommand("status", "Say what is in a queue");
  add_connection(*status_command, status_options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ExtrasError&) {
    throw haypile::Error("unknown option '" + app.remaining(true).front() +
                         "'; options stand behind send, work or status (see haypile --help)");
  } catch (const CLI::ParseError& error) {
    throw haypile::Error(std::string(error.what()) + " (see haypile --help)");
  }
  if (status_command->parsed()) return status(status_options);
  return send_command->parsed() ? send(send_options) : work(work_options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "haypile: " << shown(error.what()) << '\n';
    return exit_failed;
  }
}
