#!/usr/bin/env bash
# ./dev fuzz: lists the targets, or builds them and runs one.
#   fuzz.sh [TARGET [--seconds N | FILE...]]
# What is found goes to build/fuzz/corpus, what crashes to build/fuzz/crashes. A run begins with the
# corpus in the repository.
set -euo pipefail
cd "$(dirname "$0")/../.."

targets() {
  basename -s .cpp tests/fuzz/*.cpp | grep -vxE 'frame_mutator|replay_main|seeds'
}

# fuzz TARGET SECONDS
fuzz() {
  local target=$1 seconds=$2 log=build/fuzz/$1.log status=0
  local work=build/fuzz/corpus/$target crashes=build/fuzz/crashes
  mkdir -p "$work" "$crashes"
  local options=(-timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=8192 -verbosity=1)
  [ -e "tests/fuzz/$target.dict" ] && options+=("-dict=tests/fuzz/$target.dict")
  # What was freed is watched for a while, not for 256 MB: twice as fast.
  export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=16:malloc_context_size=8}
  echo "fuzzing $target for $seconds seconds"
  nice "build/fuzz/bin/fuzz_$target" "${options[@]}" -max_total_time="$seconds" \
    -print_final_stats=1 -artifact_prefix="$crashes/$target-" "$work" "tests/fuzz/corpus/$target" \
    >"$log" 2>&1 || status=$?
  summary "$target" "$log"
  if [ "$status" -ne 0 ]; then
    grep -E 'does not hold|ERROR: |SUMMARY: |runtime error' "$log" >&2 || true
    local found
    found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    echo "$target failed; the whole story is in $log" >&2
    [ -n "$found" ] && echo "again: ./dev fuzz $target $found" >&2
    return 1
  fi
}

# The last line with figures looks like "#4096 DONE cov: 1235 ft: 2926 corp: 16/3348b ...".
summary() {
  local runs rate figures
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$2")
  rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$2")
  figures=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [^ ]+' "$2" | tail -n 1)
  echo "$1: ${runs:-?} runs, ${rate:-?} a second; ${figures:-no figures}"
}

if [ $# -eq 0 ]; then
  targets
  exit
fi
target=$1 seconds=60
shift
if ! targets | grep -qxF -- "$target"; then
  echo "./dev: no such fuzz target: $target" >&2
  exit 2
fi
if [ "${1:-}" = --seconds ]; then
  seconds=${2:?how many seconds?}
  shift 2
fi
./dev build fuzz
if [ $# -gt 0 ]; then
  exec "build/fuzz/bin/fuzz_$target" "$@"
fi
fuzz "$target" "$seconds"
