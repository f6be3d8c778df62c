#!/usr/bin/env bash
# ./dev simulate: runs N simulated worlds, the first of them from seed S.
#   simulate.sh BIN [--seeds N] [--from S]      BIN: the directory with the built programs
set -euo pipefail
bin=$1
shift
seeds=20000 from=1
while [ $# -gt 0 ]; do
  case $1 in
    --seeds) seeds=${2:?"--seeds needs a number"} ;;
    --from) from=${2:?"--from needs a number"} ;;
    *)
      echo "usage: ./dev simulate [--seeds N] [--from S]" >&2
      exit 2
      ;;
  esac
  shift 2
done
HAYPILE_SEEDS=$seeds HAYPILE_FROM=$from exec "$bin/simulation_tests" \
  --test-case='whatever happens*' --no-version
