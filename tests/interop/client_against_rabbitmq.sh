#!/usr/bin/env bash
# The client library and its programs against a real RabbitMQ on loopback, which it starts and stops.
# RabbitMQ also has to pass the tests of Haypile that hold for any broker: else they ask for too much.
#   client_against_rabbitmq.sh BIN      BIN: the directory with the built programs
set -euo pipefail
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d)
trap '"$here/rabbitmq.sh" stop "$directory"; rm -rf "$directory"' EXIT
# Its helper ports are 10000 and 20000 above: all three have to be free.
port=$(/usr/bin/python3 - <<'PYTHON'
import random
import socket
while True:
    port = random.randrange(20000, 25000)
    try:
        sockets = [socket.create_server(("127.0.0.1", port + more)) for more in (0, 10000, 20000)]
        break
    except OSError:
        continue
print(port)
PYTHON
)
"$here/rabbitmq.sh" start "$port" "$directory" >/dev/null
export AMQP_URL=amqp://127.0.0.1:$port HAYPILE_TEST_URI=amqp://127.0.0.1:$port
"$bin/client_acceptance"

# The tutorial's programs and the command line tool, on a queue that both declare.
"$bin/new_task" First message.
"$bin/haypile" send -q task_queue Second message.
printf 'line %s\n' 1 2 3 | "$bin/haypile" send -q task_queue -
work_log=$directory/work
"$bin/haypile" work -q task_queue >"$work_log" &
worker=$!
for _ in $(seq 300); do
  [ "$(wc -l <"$work_log")" -ge 5 ] && break
  sleep 0.1
done
kill -INT "$worker"
wait "$worker"
diff "$work_log" - <<'END'
First message.
Second message.
line 1
line 2
line 3
END
echo "the client library and its programs work with RabbitMQ"

for name in pika pika_consume pika_async kombu celery; do
  PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 -W ignore::ResourceWarning "$here/${name}_test.py"
done
