#!/usr/bin/env bash
# Builds the client without the broker and the tools, as on a machine that has nothing but a compiler,
# and a program with what was installed of it.
#   client_alone.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

absent=()
for package in Boost CLI11 nlohmann_json spdlog doctest benchmark; do
  absent+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=TRUE")
done
cmake -G Ninja -S "$here/../.." -B "$directory/client" --no-warn-unused-cli \
  -DHAYPILE_BROKER=OFF -DHAYPILE_TOOLS=OFF "${absent[@]}" >/dev/null
cmake --build "$directory/client" -j 1

# All headers that were read, the system's as well. Two that must be there show that the list is one.
headers=$(ninja -C "$directory/client" -t deps | grep '^    ' | sort -u)
for header in include/haypile/client.hpp /string; do
  grep -qF -- "$header" <<<"$headers" || { echo "not among the headers: $header" >&2; exit 1; }
done
if grep -E '/include/(boost|CLI|nlohmann|spdlog|fmt|doctest|benchmark)/|/xxh(ash|3)\.h' \
  <<<"$headers"; then
  echo "the client reads headers of others" >&2
  exit 1
fi

cmake --install "$directory/client" --prefix "$directory/installed" >/dev/null
cmake -G Ninja -S "$here" -B "$directory/package" -DCMAKE_PREFIX_PATH="$directory/installed" \
  -DEXAMPLES="$here/../.." >/dev/null
cmake --build "$directory/package" -j 1
