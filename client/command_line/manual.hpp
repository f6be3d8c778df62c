// The man page of a program and its completion for bash.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace haypile::command_line {

// The man page in roff, section 1. `version` is such as "haypile 0.1.0".
std::string man_page(const CLI::App& program, const std::string& version);

// A script that bash reads. It completes commands and options. Values are completed if they are
// words, which an option names in its text, such as "requeue|drop"; other words are file names.
std::string bash_completion(const CLI::App& program);

// Adds the hidden option --print, which prints "man" or "completion" and ends the program: it
// throws CLI::Success. The package's files are made with it.
CLI::Option* add_print_option(CLI::App& program, const std::string& version);

}  // namespace haypile::command_line
