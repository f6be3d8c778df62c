#include "daemon/options.hpp"

#include <cstdlib>
#include <fstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "command_line/help.hpp"
#include "command_line/manual.hpp"
#include "command_line/values.hpp"

namespace haypile {

namespace {

using command_line::one_of;
using command_line::size;
using command_line::whole_number;

constexpr const char* version = "haypiled " HAYPILE_VERSION;
constexpr std::uint64_t mib = std::uint64_t{1} << 20;
// More than any machine has.
constexpr std::uint64_t bytes_max = std::uint64_t{1} << 60;

constexpr const char* footer =
    "A SIZE is a number of bytes, also with a unit: 65536, 64KiB, 64MiB, 2GiB.\n"
    "The daemon runs until SIGTERM or SIGINT. Its log goes to standard error.\n"
    "Exit codes: 0 all is well, 1 an error (with --check and --salvage: damage),\n"
    "2 the directory of --check or --salvage cannot be read.";

// The default of the XDG base directory specification.
std::filesystem::path default_data_directory() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/') {
    return std::filesystem::path(state) / "haypile";
  }
  const char* home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".local/state/haypile" : "";
}

// The text of an option as it would be on the command line.
std::string option_text(const std::string& name, const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  throw OptionError("'" + name + "' has to be a string or a number, got " + value.dump());
}

// The texts of an option. If it can be given several times, the value may be a list.
std::vector<std::string> option_texts(const std::string& name, const nlohmann::json& value) {
  if (!value.is_array() || name != "bind") return {option_text(name, value)};
  std::vector<std::string> texts;
  for (const nlohmann::json& element : value)
    texts.push_back(option_text(name, element));
  return texts;
}

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw OptionError("cannot read it");
  nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
  if (json.is_discarded()) throw OptionError("it is not valid JSON");
  if (!json.is_object()) throw OptionError("it has to be a JSON object");
  return json;
}

// Sets the options that the file has and the command line has not.
void apply_config(CLI::App& app, const std::string& path) {
  try {
    const nlohmann::json json = read_json(path);
    for (const auto& [name, value] : json.items()) {
      CLI::Option* option = app.get_option_no_throw("--" + name);
      if (!option || !option->get_configurable()) {
        throw OptionError("there is no option '" + name + "'");
      }
      if (option->count() > 0) continue;
      for (const std::string& text : option_texts(name, value))
        option->add_result(text);
      option->run_callback();
    }
  } catch (const std::runtime_error& error) {
    throw OptionError("configuration file '" + path + "': " + error.what());
  }
}

void add_commands(CLI::App& app, DaemonOptions& options) {
  CLI::Option* check =
      app.add_option("--check", options.check,
                     "Reads a data directory, all of it, changes nothing and says what is damaged")
          ->option_text("DIR")
          ->configurable(false);
  app.add_flag("--json", options.json, "With --check: as JSON")->needs(check)->configurable(false);
  CLI::Option* salvage =
      app.add_option("--salvage", options.salvage,
                     "Says what has to be dropped of a damaged data directory to start again")
          ->option_text("DIR")
          ->excludes(check)
          ->configurable(false);
  app.add_flag("--yes", options.yes, "With --salvage: does it, and keeps the originals beside")
      ->needs(salvage)
      ->configurable(false);
}

void add_basics(CLI::App& app, DaemonOptions& options) {
  app.add_option("--data-dir", options.data_directory, "Where durable queues and messages are kept")
      ->option_text("DIR")
      ->default_str("$XDG_STATE_HOME/haypile, else ~/.local/state/haypile");
  app.add_option("--bind", options.bind, "Address or name to listen on; can be given several times")
      ->option_text("NAME")
      ->default_str("127.0.0.1 and ::1")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--port", options.port,
                 "Port to listen on, 0 to 65535; with 0 one that is free is taken, and told")
      ->option_text("N")
      ->check(whole_number(0, 65535))
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "What to log, from everything to nothing")
      ->option_text("debug|info|warning|error|off")
      ->check(one_of({"debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
  app.add_option("--product", options.product, "Name that clients are told; some require RabbitMQ")
      ->option_text("NAME")
      ->capture_default_str();
}

void add_limits(CLI::App& app, DaemonOptions& options) {
  app.add_option("--memory-limit", options.memory_limit_bytes,
                 "With more of messages in memory, publishers are blocked; at least 1MiB")
      ->option_text("SIZE")
      ->transform(size(0, bytes_max))
      ->default_str("half of the memory");
  app.add_option("--message-size-max", options.message_size_max_bytes,
                 "Larger messages are refused; at most 1GiB and a quarter of --memory-limit")
      ->option_text("SIZE")
      ->transform(size(0, bytes_max))
      ->default_str("16MiB");
  app.add_option("--disk-free-limit", options.disk_free_limit_bytes,
                 "With less free space on the disk, publishers are blocked")
      ->option_text("SIZE")
      ->transform(size(0, bytes_max))
      ->default_str("64MiB");
  app.add_option("--log-size", options.log_size_bytes,
                 "Size of the log itself, 8MiB to 1TiB; messages that stay longer leave it")
      ->option_text("SIZE")
      ->transform(size(8 * mib, mib << 20))
      ->default_str("64MiB");
  app.add_option("--queue-memory", options.queue_memory_bytes,
                 "With more of waiting messages, they are kept on disk only")
      ->option_text("SIZE")
      ->transform(size(0, bytes_max))
      ->default_str("8MiB");
  app.add_option("--login-max", options.login_max,
                 "Limit of connections that have not logged in yet; more are closed at once")
      ->option_text("N")
      ->check(whole_number(1, UINT32_MAX))
      ->capture_default_str();
  app.add_option("--login-max-per-address", options.login_max_per_address,
                 "The same limit for one address of another machine")
      ->option_text("N")
      ->check(whole_number(1, UINT32_MAX))
      ->capture_default_str();
}

// Sets `options` from the command line and the file that it names.
void parse(CLI::App& app, int argc, char** argv, const std::string& config) {
  try {
    app.parse(argc, argv);
    if (!config.empty()) apply_config(app, config);
  } catch (const CLI::Success& success) {
    throw Exit{app.exit(success)};
  } catch (const CLI::ExtrasError&) {
    throw OptionError("unknown option '" + app.remaining().front() + "' (see haypiled --help)");
  } catch (const CLI::ParseError& error) {
    throw OptionError(command_line::error_text(error) + " (see haypiled --help)");
  }
}

}  // namespace

DaemonOptions parse_options(int argc, char** argv) {
  DaemonOptions options;
  options.data_directory = default_data_directory();
  std::string config;
  CLI::App app("A work-queue broker that speaks AMQP 0-9-1.", "haypiled");
  app.formatter(command_line::help_format());
  app.footer(footer);
  add_basics(app, options);
  add_limits(app, options);
  app.add_option("--config", config, "JSON object with these options, such as {\"port\": 5673}")
      ->option_text("FILE")
      ->configurable(false);
  add_commands(app, options);
  command_line::add_print_option(app, version);
  app.set_version_flag("--version", version, "Says the version")->configurable(false);
  app.get_option("--help")->description("Says this")->configurable(false);
  parse(app, argc, argv, config);
  if (options.data_directory.empty()) {
    throw OptionError("no place for data: HOME is not set, so --data-dir has to be given");
  }
  return options;
}

}  // namespace haypile
