#!/usr/bin/env bash
# Installs the build and builds two programs with what was installed.
#   run.sh BUILD_DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cmake --install "$1" --prefix "$directory/installed" >/dev/null
cmake -G Ninja -S "$here" -B "$directory/build" -DCMAKE_PREFIX_PATH="$directory/installed" \
  -DEXAMPLES="$here/../.." >/dev/null
cmake --build "$directory/build"
"$directory/build/embedded"
"$directory/installed/bin/haypiled" --version
