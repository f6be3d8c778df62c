// haypile: the command line tool.
#include <iostream>

#include "common.hpp"
#include "options.hpp"

int main(int argc, char** argv) {
  using namespace haypile::cli;
  try {
    return parse(argc, argv)();
  } catch (const std::exception& error) {
    std::cerr << "haypile: " << shown(error.what()) << '\n';
    return exit_failed;
  }
}
