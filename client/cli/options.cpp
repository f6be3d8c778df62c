#include "options.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <CLI/CLI.hpp>

#include "command_line/help.hpp"
#include "command_line/manual.hpp"
#include "command_line/values.hpp"
#include "queue_commands.hpp"
#include "send.hpp"
#include "work.hpp"

namespace haypile::cli {

namespace {

using command_line::one_of;
using command_line::whole_number;

constexpr const char* version = "haypile " HAYPILE_VERSION;

constexpr const char* footer =
    "Examples:\n"
    "  haypile send Convert cat.jpg              one message, confirmed by the broker\n"
    "  ls *.jpg | haypile send -q images -       one message a line\n"
    "  haypile work                              print messages as they come\n"
    "  haypile work -q images --jobs 4 -- sh -c 'convert \"$(cat)\" out.png'\n"
    "\n"
    "The broker is that of --uri, else of AMQP_URL, else amqp://localhost. A list of\n"
    "URIs, with commas between them, is tried in turn.\n"
    "Exit codes: 0 all is well, 1 an error, 130 broken off with Ctrl+C.";

constexpr const char* work_footer =
    "Exit code 0 of the command acknowledges the message. Ctrl+C finishes what is\n"
    "running, a second one ends it with SIGTERM and, after 5 seconds, SIGKILL. So do\n"
    "--timeout and a lost connection: the broker gives the messages to others then.\n"
    "\n"
    "With --tries, a message stays with this worker between its tries, and others go\n"
    "on meanwhile. The first try is number x-delivery-count + 1 if the broker sends\n"
    "that header (it does for quorum queues); else this worker counts, and begins\n"
    "with 1 when a message comes back. After the last try the message goes,\n"
    "confirmed, to the failed queue with the headers x-failed-reason, x-failed-queue\n"
    "and x-failed-attempts.\n"
    "\n"
    "The command's environment has HAYPILE_MESSAGE_ATTEMPT, HAYPILE_PROPERTY_NAME\n"
    "and HAYPILE_HEADER_NAME for each property and header, in capitals, with _ for -\n"
    "and . (up to 4 KiB a value, and 64 KiB in all).";

constexpr const char* send_footer =
    "A header is a text, or with := a number, true, false or other JSON:\n"
    "  haypile send --header kind=cat --header width:=640 --property priority=5 Purr\n"
    "\n"
    "Exit code 0 means that all messages are in the queue, and confirmed.";

// What all commands together may have been told.
struct Options {
  SendOptions send;
  WorkOptions work;
  CommonOptions queue;  // of status, purge and delete
  bool is_json = false;
  bool if_unused = false;
  bool if_empty = false;
};

using Texts = std::vector<std::string>;

CLI::Option* add_list(CLI::App& command, const std::string& name, const char* value,
                      const std::string& description,
                      const std::function<void(const Texts&)>& set) {
  return command.add_option_function<Texts>(name, set, description)
      ->option_text(value)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_broker(CLI::App& command, CommonOptions& options) {
  add_list(command, "-u,--uri", "URI[,URI...]",
           "Broker, amqp://user:password@host:port/vhost; can be given several times",
           [&options](const Texts& uris) { options.uris = uris; });
}

// The queue is declared, durable, if it does not exist.
void add_declaration(CLI::App& command, CommonOptions& options) {
  add_broker(command, options);
  command.add_option("-q,--queue", options.queue, "Queue, which is made if it does not exist")
      ->option_text("NAME")
      ->capture_default_str();
  CLI::Option* passive =
      command.add_flag("--passive", options.passive, "Take the queue as it is, do not declare it");
  command.add_flag("--quorum", options.quorum, "Make it as a quorum queue")->excludes(passive);
}

CLI::App* add_command(CLI::App& app, const char* name, const char* description) {
  CLI::App* command = app.add_subcommand(name, description);
  command->group("Commands")->footer("");
  command->get_option("--help")->description("Say this");
  return command;
}

void add_send(CLI::App& app, SendOptions& options) {
  CLI::App* command = add_command(app, "send", "Send a message, or one for each line");
  command->footer(send_footer);
  add_declaration(*command, options.common);
  command->add_option("words", options.words,
                      "The message; a single - reads one message a line from standard input");
  command->add_option("-f,--file", options.file, "Send a file as one message; - is standard input")
      ->option_text("FILE");
  command->add_flag("--null", options.is_null_separated,
                    "Messages of standard input end with a NUL instead of a line");
  Outgoing& outgoing = options.outgoing;
  add_list(*command, "--header", "NAME=VALUE", "Header; can be given several times",
           [&outgoing](const Texts& texts) {
             for (const std::string& text : texts)
               outgoing.set_header(text);
           });
  add_list(*command, "--property", "NAME=VALUE",
           "Property such as content_type, priority or expiration; can be given several times",
           [&outgoing](const Texts& texts) {
             for (const std::string& text : texts)
               outgoing.set_property(text);
           });
  command->add_flag("--json", options.is_json, "Print a summary as JSON");
}

void add_failures(CLI::App& command, WorkOptions& options) {
  command
      .add_option_function<std::string>(
          "--timeout",
          [&options](const std::string& text) {
            options.timeout = command_line::seconds("--timeout", text);
          },
          "End a command that runs longer; it has failed then")
      ->option_text("SECONDS");
  command
      .add_option_function<std::string>(
          "--on-failure",
          [&options](const std::string& word) {
            options.on_failure = word == "drop" ? OnFailure::drop : OnFailure::requeue;
          },
          "When a command fails: put the message back after a second, or drop it; with --tries "
          "only drop, after the last one")
      ->option_text("requeue|drop")
      ->check(one_of({"requeue", "drop"}))
      ->default_str("requeue, or with --tries the failed queue");
  CLI::Option* tries =
      command.add_option("--tries", options.try_count, "Run the command so often at most")
          ->option_text("N")
          ->check(whole_number(1, UINT32_MAX));
  command
      .add_option_function<std::string>(
          "--backoff",
          [&options](const std::string& text) {
            const std::size_t comma = text.find(',');
            options.backoff.first = command_line::seconds("--backoff", text.substr(0, comma));
            if (comma == std::string::npos) return;
            options.backoff.most = command_line::seconds("--backoff", text.substr(comma + 1));
          },
          "Seconds before the second try, and at most; twice as long after each failure")
      ->option_text("FIRST[,MOST]")
      ->default_str("1,60")
      ->needs(tries);
  command
      .add_option("--failed-queue", options.failed_queue,
                  "Durable queue for messages whose last try has failed")
      ->option_text("NAME")
      ->default_str("the queue's name with .failed")
      ->needs(tries);
}

void add_work(CLI::App& app, WorkOptions& options) {
  CLI::App* command = add_command(app, "work", "Run a command for each message, or print messages");
  command->footer(work_footer);
  add_declaration(*command, options.common);
  command->add_option("-j,--jobs", options.job_count, "Commands to run at a time, up to 1000")
      ->option_text("N")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  command->add_option("-p,--prefetch", options.prefetch_count, "Messages to hold at a time")
      ->option_text("N")
      ->check(whole_number(0, 65535))
      ->default_str("as many as jobs");
  add_failures(*command, options);
  command->add_flag_callback(
      "--no-reconnect", [&options] { options.reconnect = false; },
      "End with an error when the connection is lost, instead of connecting again");
  CLI::Option* null = command->add_flag_callback(
      "--null", [&options] { options.output = Output::null; },
      "Without a command: print a NUL after each message, instead of a line's end");
  command
      ->add_flag_callback(
          "--json", [&options] { options.output = Output::json; },
          "Without a command: print each message as a JSON object in one line")
      ->excludes(null);
  command->add_option("command", options.command,
                      "Gets the message on its standard input; put -- before it");
}

CLI::App* add_queue_command(CLI::App& app, Options& options, const char* name,
                            const char* description) {
  CLI::App* command = add_command(app, name, description);
  add_broker(*command, options.queue);
  command->add_option("-q,--queue,queue", options.queue.queue, "Queue")->option_text("NAME");
  return command;
}

void add_queue_commands(CLI::App& app, Options& options) {
  CLI::App* status = add_queue_command(app, options, "status", "Say what is in a queue");
  status->get_option("--queue")->default_str(options.queue.queue);
  status->add_flag("--json", options.is_json, "Print it as JSON");
  CLI::App* purge = add_queue_command(app, options, "purge", "Drop what waits in a queue");
  purge->get_option("--queue")->required();
  CLI::App* remove = add_queue_command(app, options, "delete", "Delete a queue");
  remove->get_option("--queue")->required();
  remove->add_flag("--if-unused", options.if_unused, "Only if it has no consumers");
  remove->add_flag("--if-empty", options.if_empty, "Only if nothing is ready in it");
}

std::string command_names(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : command_line::shown_commands(app))
    names += (names.empty() ? "" : ", ") + command->get_name();
  return names;
}

bool has_command(const CLI::App& app, const std::string& name) {
  const auto commands = command_line::shown_commands(app);
  return std::ranges::any_of(commands,
                             [&](const CLI::App* command) { return command->get_name() == name; });
}

// An option that is not known, or a word too many.
std::string unknown(const CLI::App& app, const std::string& word, bool has_separator) {
  const std::string text = "unknown option '" + word + "'";
  const auto parsed = app.get_subcommands();
  if (parsed.empty() || !app.remaining(false).empty()) {
    return text + "; options stand behind the command (see haypile --help)";
  }
  const std::string name = parsed.front()->get_name();
  if (name == "work" && !has_separator) {
    return text + "; put -- before the command: haypile work [OPTIONS] -- COMMAND [ARGUMENTS]";
  }
  return (word.starts_with('-') ? text : "unexpected '" + word + "'") + " (see haypile " + name +
         " --help)";
}

void check(const SendOptions& options) {
  if (!options.file.empty() && !options.words.empty()) {
    throw Error("the message is either --file or words, not both");
  }
  if (!options.is_stream() && !options.words.empty() && options.words.front() == "-") {
    throw Error("- stands alone: it reads all messages from standard input");
  }
  if (options.is_null_separated && !options.is_stream()) {
    throw Error("--null is for messages from standard input: haypile send --null -");
  }
}

void check(const WorkOptions& options) {
  if (!options.command.empty() && options.output != Output::lines) {
    throw Error("--null and --json are for messages that are printed, and there is a command");
  }
  const bool is_for_command =
      options.timeout.count() != 0 || options.try_count != 0 || options.on_failure.has_value();
  if (options.command.empty() && is_for_command) {
    throw Error("--timeout, --tries and --on-failure need a command");
  }
  if (options.try_count != 0 && options.on_failure == OnFailure::requeue) {
    throw Error("--tries and --on-failure requeue contradict each other");
  }
}

void complete(CommonOptions& options) {
  if (options.queue.empty()) throw Error("the name of the queue is empty");
  if (!options.uris.empty()) return;
  const char* uri = std::getenv("AMQP_URL");
  options.uris = {uri ? uri : "amqp://localhost"};
}

std::function<int()> action(const std::string& command, const std::shared_ptr<Options>& options) {
  for (CommonOptions* common : {&options->send.common, &options->work.common, &options->queue})
    complete(*common);
  if (command == "send") {
    check(options->send);
    return [options] { return send(options->send); };
  }
  if (command == "work") {
    check(options->work);
    return [options] { return work(options->work); };
  }
  if (command == "status") return [options] { return status(options->queue, options->is_json); };
  if (command == "purge") return [options] { return purge(options->queue); };
  return [options] { return delete_queue(options->queue, options->if_unused, options->if_empty); };
}

}  // namespace

std::function<int()> parse(int argc, char** argv) {
  const auto options = std::make_shared<Options>();
  CLI::App app("Hands tasks to workers through Haypile, or any other AMQP 0-9-1 broker.",
               "haypile");
  app.formatter(command_line::help_format());
  app.footer(footer);
  app.set_version_flag("--version", version, "Say the version");
  app.get_option("--help")->description("Say this; with a command: say more about it");
  app.require_subcommand(0, 1);
  command_line::add_print_option(app, version);
  add_send(app, options->send);
  add_work(app, options->work);
  add_queue_commands(app, *options);
  const std::string first = argc > 1 ? argv[1] : "";
  if (!first.starts_with('-') && !has_command(app, first)) {
    throw Error((first.empty() ? "which command" : "unknown command '" + first + "'") +
                "; there are " + command_names(app) + " (see haypile --help)");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return [code = app.exit(success)] { return code; };
  } catch (const CLI::ExtrasError&) {
    const bool has_separator = std::find(argv, argv + argc, std::string("--")) != argv + argc;
    throw Error(unknown(app, app.remaining(true).front(), has_separator));
  } catch (const CLI::ParseError& error) {
    const auto parsed = app.get_subcommands();
    throw Error(command_line::error_text(error) + " (see haypile " +
                (parsed.empty() ? "" : parsed.front()->get_name() + " ") + "--help)");
  }
  const auto parsed = app.get_subcommands();
  if (parsed.empty()) throw Error("which command; there are " + command_names(app));
  return action(parsed.front()->get_name(), options);
}

}  // namespace haypile::cli
