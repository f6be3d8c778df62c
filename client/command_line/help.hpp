// What --help prints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace haypile::command_line {

// Help as a person reads it: a name for each value (CLI::Option::option_text()), the default behind
// the description, lines of at most 80 columns, nothing about types.
std::shared_ptr<CLI::Formatter> help_format();

// The description of an option with its default.
std::string described(const CLI::Option& option);

// The options of a command that help shows: those whose group has a name.
std::vector<const CLI::Option*> shown_options(const CLI::App& command);
// The commands of a program that help shows.
std::vector<const CLI::App*> shown_commands(const CLI::App& program);

// What is wrong with a command line, in one sentence without its end.
std::string error_text(const CLI::ParseError& error);

}  // namespace haypile::command_line
