#!/usr/bin/env bash
# ./dev bench: runs the benchmarks; results and pictures go to OUT.
#   run.sh BIN OUT      BIN: the directory with the built programs
set -euo pipefail
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
cd "$2"
for name in codec engine topology log session; do
  "$bin/${name}_bench" --benchmark_out="$name.json" --benchmark_out_format=json
done
"$bin/throughput_bench" --json throughput.json
"$bin/dispatch_bench" --json dispatch.json
/usr/bin/python3 "$here/studies/plot_dispatch.py" dispatch.json dispatch.svg
echo "results are in $2"
