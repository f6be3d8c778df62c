#include <sstream>

#include <doctest/doctest.h>

#include "command_line/help.hpp"
#include "command_line/manual.hpp"
#include "command_line/values.hpp"

using namespace haypile::command_line;

namespace {

// What a check makes of a text: its error, or the value.
std::string checked(const CLI::Validator& check, std::string text) {
  const std::string error = check(text);
  return error.empty() ? text : error;
}

// A program with one command, and one option of each kind.
struct Program {
  CLI::App app{"Does things - of a sort.", "prog"};
  std::string text;
  int number = 0;
  bool flag = false;

  Program() {
    app.formatter(help_format());
    app.get_option("--help")->description("Say this");
    CLI::App* command = app.add_subcommand("run", "Run it");
    command->group("Commands");
    command
        ->add_option("--mode", text, "How to run, in a description that is so long that it wraps")
        ->option_text("fast|slow")
        ->check(one_of({"fast", "slow"}))
        ->default_str("fast");
    command->add_option("-n,--number", number, "How often")
        ->option_text("N")
        ->check(whole_number(1, 9));
    command->add_flag("--flag", flag, "Whether");
    command->add_flag("--secret", flag, "Hidden")->group("");
  }
};

}  // namespace

TEST_CASE("numbers have bounds that the error says") {
  CHECK(checked(whole_number(0, 65535), "65535") == "65535");
  for (const char* wrong : {"65536", "99999", "-1", "1x", "", "many", "99999999999999999999"}) {
    CHECK(checked(whole_number(0, 65535), wrong) ==
          "'" + std::string(wrong) + "' is not a whole number from 0 to 65535");
  }
}

TEST_CASE("sizes have units, which are powers of 1024") {
  const CLI::Validator any = size(0, UINT64_MAX);
  CHECK(checked(any, "0") == "0");
  CHECK(checked(any, "12") == "12");
  for (const char* text : {"64k", "64K", "64kb", "64KiB", "64 KiB"})
    CHECK(checked(any, text) == "65536");
  CHECK(checked(any, "15E") == "17293822569102704640");
  for (const char* wrong : {"16E", "x", "1x", "1kk", "1ibb", "-1", "1.5M", "", " ", "k"})
    CHECK(checked(any, wrong).starts_with("'" + std::string(wrong) + "' is not a size from 0 to "));
  CHECK(checked(size(8 << 20, 1 << 30), "1MiB").find("from 8MiB to 1GiB") != std::string::npos);
}

TEST_CASE("words are listed by the error") {
  CHECK(checked(one_of({"a", "b", "c"}), "d") == "'d' is not a, b or c");
  CHECK(checked(one_of({"a", "b"}), "b") == "b");
}

TEST_CASE("times are seconds") {
  CHECK(seconds("--t", "1.5").count() == 1500);
  CHECK(seconds("--t", "0").count() == 0);
  for (const char* wrong : {"", "x", "1s", "-1", "nan", "inf", "1e99"})
    CHECK_THROWS_AS(seconds("--t", wrong), CLI::ValidationError);
}

TEST_CASE("help says names, values and defaults, and nothing of types") {
  Program program;
  CHECK(program.app.help().find("Usage: prog COMMAND [OPTIONS]\n") != std::string::npos);
  CHECK(program.app.help().find("  run                         Run it\n") != std::string::npos);
  const std::string help = program.app.get_subcommand("run")->help();
  CHECK(
      help.find("  --mode fast|slow            How to run, in a description that is so long that\n"
                "                              it wraps [fast]\n") != std::string::npos);
  CHECK(help.find("  -n,--number N               How often\n") != std::string::npos);
  CHECK(help.find("INT") == std::string::npos);
  CHECK(help.find("secret") == std::string::npos);
}

TEST_CASE("the man page has all that help has") {
  Program program;
  const std::string page = man_page(program.app, "prog 1.0");
  for (const char* part : {".TH PROG 1", "prog \\- Does things \\- of a sort.", "\\fBprog run",
                           "\\fB\\-\\-mode\\fR \\fIfast|slow\\fR", "\\fB\\-n,\\-\\-number\\fR"})
    CHECK(page.find(part) != std::string::npos);
  CHECK(page.find("secret") == std::string::npos);
}

TEST_CASE("the completion knows commands, options and words") {
  Program program;
  const std::string script = bash_completion(program.app);
  for (const char* part : {"run) words='", "--mode", "--number", "-n", "--flag",
                           "--mode) words='fast slow'", "-F _prog prog"})
    CHECK(script.find(part) != std::string::npos);
  CHECK(script.find("secret") == std::string::npos);
}
