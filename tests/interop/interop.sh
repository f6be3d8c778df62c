#!/usr/bin/env bash
# ./dev interop: the client library against a real RabbitMQ, client libraries of other languages
# against Haypile, and what RabbitMQ answers beside what Haypile answers. They need more than
# ./dev test may install.
#   interop.sh BIN      BIN: the directory with the built programs
set -euo pipefail
HAYPILE_BIN=$(cd "$1" && pwd)
export HAYPILE_BIN PYTHONDONTWRITEBYTECODE=1
cd "$(dirname "$0")/../.."

# The registry of npm is asked only for what is not there yet.
mkdir -p build/interop/node
cp tests/interop/node/package.json build/interop/node
npm install --prefix build/interop/node --no-package-lock --no-audit --no-fund --prefer-offline \
  --silent

tests/interop/client_against_rabbitmq.sh "$HAYPILE_BIN"
for name in node go celery; do
  /usr/bin/python3 -W ignore::ResourceWarning "tests/interop/${name}_test.py"
done
/usr/bin/python3 tests/interop/differential.py
