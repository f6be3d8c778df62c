"""Makes the data directories that this folder keeps as text: make.py BIN [NAME...]

BIN has a haypiled of the version they are to be of. Beside each text NAME.json says what must come
out of it, from what was sent and settled here, not from what a broker said. Debian's package
faketime is needed: what has a deadline is made in 2024, so that it is overdue whenever it is
read."""
import glob
import json
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import pika  # noqa: E402
from dump import to_text  # noqa: E402
from harness import Broker, wait_for  # noqa: E402

DIRECTORIES = os.path.join(HERE, "directories")
SMALL = ("--log-size", "8MiB", "--queue-memory", "1KiB")
LARGE_BODY = 1_300_000  # more than a segment has room for


class Work:
    """A broker at work, and what its queues have: [body, whether it was delivered, priority]."""

    def __init__(self, directory, command, options=SMALL):
        self.directory, self.queues = directory, {}
        self.broker = Broker(directory, *options, command=command)
        self.connection = self.broker.connect()
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def declare(self, queue, **arguments):
        self.channel.queue_declare(queue, durable=True, arguments=arguments)
        self.queues[queue] = []

    def publish(self, queue, body, priority=None, **properties):
        """Confirmed when it returns."""
        self.put("", queue, body, priority, **properties)
        self.queues[queue].append([body, False, priority])

    def put(self, exchange, key, body, priority=None, **properties):
        self.channel.basic_publish(exchange, key, body, pika.BasicProperties(
            delivery_mode=2, priority=priority, **properties))

    def fill(self, queue, first, count, **properties):
        for number in range(first, first + count):
            self.publish(queue, f"{queue} {number:05} {'.' * (number % 60)}", **properties)

    def get(self, queue):
        method, _, body = self.channel.basic_get(queue)
        return method.delivery_tag, body.decode()

    def settle(self, queue, *places):
        """Takes messages as they stand and acknowledges those at these places; the rest goes
        back."""
        taken = [self.get(queue) for _ in range(max(places) + 1)]
        for tag, _ in [taken[place] for place in places]:
            self.channel.basic_ack(tag)
        gone = {taken[place][1] for place in places}
        for tag, body in taken:
            if body not in gone:
                self.channel.basic_nack(tag, requeue=True)
        seen = {body for _, body in taken}
        self.queues[queue] = [[body, delivered or body in seen, priority]
                              for body, delivered, priority in self.queues[queue]
                              if body not in gone]
        self.channel.queue_declare("barrier", durable=True)  # the answer comes when all is on disk
        self.channel.queue_delete("barrier")

    def wait_for_piles(self, count=1):
        """What waits moves when half a segment has been written since the last move."""
        if "filler" not in self.queues:
            self.declare("filler")
        for _ in range(4):
            self.publish("filler", f"filler{len(self.queues['filler']):4} {chr(0) * 150_000} end")

        def there():
            names = os.listdir(f"{self.directory}/vhosts/%2F")
            return sum(name.endswith(".pile") for name in names) >= count
        wait_for(there, "piles")
        time.sleep(0.3)  # for the checkpoint that names them

    def stop(self):
        self.connection.close()
        self.broker.stop()
        return self.queues

    def kill(self):
        """All that is left counts as delivered."""
        self.broker.kill()
        return {queue: [[body, True, priority] for body, _, priority in messages]
                for queue, messages in self.queues.items()}


def piles(directory, command):
    """Two queues with most in piles, some of which has left in and out of turn; stopped in
    order."""
    work = Work(directory, command)
    for queue in ("work", "mail"):
        work.declare(queue)
    for first in range(0, 300, 100):
        work.fill("work", first, 100)
        work.fill("mail", first, 50)
        work.wait_for_piles()
    work.settle("work", 0, 1, 2, 5, 9, 30)
    work.settle("mail", 3, 4)
    work.fill("work", 300, 20)
    return work.stop()


def killed(directory, command):
    """A kill, with a message larger than a segment, a transaction, and one that was rolled back."""
    work = Work(directory, command, ("--log-size", "8MiB"))
    work.declare("work")
    work.fill("work", 0, 40)
    large = "large " + "\0" * LARGE_BODY + " end"
    work.publish("work", large)
    work.settle("work", 0, 2, 4)
    transaction = work.connection.channel()
    transaction.tx_select()
    persistent = pika.BasicProperties(delivery_mode=2)
    for number in range(5):
        transaction.basic_publish("", "work", f"tx {number}", persistent)
        work.queues["work"].append([f"tx {number}", False, None])
    transaction.tx_commit()
    transaction.basic_publish("", "work", "never committed", persistent)
    transaction.tx_rollback()
    work.fill("work", 40, 10)
    return work.kill()


def killed_with_piles(directory, command):
    """A kill when messages had left piles after the last checkpoint."""
    work = Work(directory, command)
    work.declare("work")
    for first in range(0, 200, 50):
        work.fill("work", first, 50)
        work.wait_for_piles()
    work.settle("work", 1, 3, 7, 20)
    work.fill("work", 200, 20)
    return work.kill()


def priorities(directory, command):
    """Ten levels, in piles and behind them; highest first."""
    work = Work(directory, command)
    work.declare("tasks", **{"x-max-priority": 9})
    for first in range(0, 200, 100):
        for number in range(first, first + 100):
            work.publish("tasks", f"task {number:05}", priority=number * 7 % 11)
        work.wait_for_piles()
    work.queues["tasks"].sort(key=lambda message: -min(message[2], 9))
    work.settle("tasks", 0, 2, 11)
    for number in range(200, 230):
        work.publish("tasks", f"task {number:05}", priority=number % 10)
    work.queues["tasks"].sort(key=lambda message: -min(message[2], 9))
    return work.stop()


def many_queues(directory, command):
    """Messages that are in 40 queues each, in piles and in the ring; some queues are done with some
    of them. Killed."""
    work = Work(directory, command)
    work.channel.exchange_declare("all", "fanout", durable=True)
    names = [f"copy {number:02}" for number in range(40)]
    for name in names:
        work.declare(name)
        work.channel.queue_bind(name, "all")

    def publish(number):
        body = f"for all {number:03} {'-' * 20}"
        work.put("all", "", body)
        for name in names:
            work.queues[name].append([body, False, None])

    for number in range(12):
        publish(number)
    work.wait_for_piles()
    for number, name in enumerate(names[:10]):
        work.settle(name, *range(0, number + 1, 2))
    for number in range(12, 16):
        publish(number)
    work.fill(names[5], 0, 5)
    return work.kill()


def deadlines(directory, command):
    """Messages and a queue that are overdue when they are read: in a queue of dead letters, in
    order, and gone. Stopped in order."""
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]
    work = Work(directory, ("env", f"LD_PRELOAD={library}", "FAKETIME=@2024-02-03 04:05:06",
                            "FAKETIME_DONT_FAKE_MONOTONIC=1", *command))
    work.declare("dead")
    work.declare("short", **{"x-message-ttl": 60_000, "x-dead-letter-exchange": "",
                             "x-dead-letter-routing-key": "dead"})
    work.channel.queue_declare("unused", durable=True, arguments={"x-expires": 60_000})
    work.fill("short", 0, 60)
    work.wait_for_piles()
    work.fill("short", 60, 10)
    work.declare("mixed", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    work.fill("mixed", 0, 1, expiration="60000")
    work.fill("mixed", 1, 1)
    queues = work.stop()
    queues["dead"] = queues["short"] + [queues["mixed"].pop(0)]
    queues["short"] = []
    return {"unused": None, **queues}


ALL = [piles, killed, killed_with_piles, priorities, many_queues, deadlines]


def main():
    binaries, *names = sys.argv[1:]
    os.makedirs(DIRECTORIES, exist_ok=True)
    for make in ALL:
        if names and make.__name__ not in names:
            continue
        directory = tempfile.mkdtemp(prefix="haypile-make-")
        expected = make(directory, (f"{binaries}/haypiled",))
        path = os.path.join(DIRECTORIES, make.__name__)
        text = to_text(directory)
        with open(f"{path}.txt", "w") as file:
            file.write(text)
        with open(f"{path}.json", "w") as file:
            rows = [f" {json.dumps(queue)}: {rows_of(messages)}"
                    for queue, messages in expected.items()]
            file.write("{\n" + ",\n".join(rows) + "\n}\n")
        shutil.rmtree(directory)
        print(f"{make.__name__}: {len(text):,} bytes of text")


def rows_of(messages):
    """Large bodies are named by their beginning, their size and their end."""
    if messages is None:
        return "null"
    return json.dumps([[body if len(body) < 1000 else [body[:10], len(body), body[-4:]], delivered]
                       for body, delivered, _ in messages])


if __name__ == "__main__":
    main()
