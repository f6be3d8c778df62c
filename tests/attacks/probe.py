"""A well-behaved client beside an attack: probe.py PORT [--rate N]

Publishes confirmed persistent messages to a queue of its own, takes and acknowledges them one by
one, has a round trip on the consumer's connection and a login of its own now and then, until its
standard input ends. Then it prints as JSON how long each took at most, in milliseconds."""
import argparse
import json
import os
import select
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))

from link import Link, LinkClosed, Refused, publish_method, settle_method, wire  # noqa: E402

QUEUE = "probe"
LAST_WAIT_S = 3  # for what is on its way at the end
PING_INTERVAL_S = 0.05
LOGIN_INTERVAL_S = 0.2
WORST_COUNT = 3


class Times:
    """How long things took; the worst with when they began."""

    def __init__(self, began):
        self.began, self.count, self.worst = began, 0, []

    def add(self, start, end):
        self.count += 1
        self.worst.append((round((end - start) * 1000, 1), round(start - self.began, 2)))
        self.worst = sorted(self.worst, reverse=True)[:WORST_COUNT]

    def report(self):
        return {"count": self.count, "max_ms": self.worst[0][0] if self.worst else None,
                "worst": self.worst}


class Probe:
    def __init__(self, port, rate):
        self.port, self.interval = port, 1 / rate
        self.began = time.monotonic()
        self.confirms, self.deliveries, self.pings, self.logins = (Times(self.began)
                                                                   for _ in range(4))
        self.unconfirmed, self.undelivered = {}, {}  # number -> when it was sent
        self.confirmed, self.taken, self.sent = set(), set(), 0
        self.blocked_since, self.blocked_s, self.lag_s = None, 0, 0
        self.excused = set()  # publishes that had to wait while publishers were blocked
        self.lost = self.refused = None
        self.ended = False

    def connect(self):
        self.publisher, self.consumer = (Link(self.port, on_blocked=self.on_blocked)
                                         for _ in range(2))
        self.publisher.call("queue.declare", queue=QUEUE, durable=True)
        self.publisher.call("confirm.select")
        self.publisher.on_confirm = self.on_confirm
        self.consumer.on_deliver = self.on_deliver
        self.consumer.call("basic.qos", prefetch_count=100)
        self.consumer.send("basic.consume", queue=QUEUE, tag=QUEUE)
        self.method = publish_method("", QUEUE)
        self.ping_sent = None

    def on_blocked(self, is_blocked):
        now = time.monotonic()
        if is_blocked and self.blocked_since is None:
            self.blocked_since = now
            self.excused |= set(self.unconfirmed)
        elif not is_blocked and self.blocked_since is not None:
            self.blocked_s += now - self.blocked_since
            self.blocked_since = None

    def on_confirm(self, tag, multiple):
        now = time.monotonic()
        for number in [n for n in self.unconfirmed if n == tag or multiple and n <= tag]:
            start = self.unconfirmed.pop(number)
            self.confirmed.add(number)
            if number not in self.excused:
                self.confirms.add(start, now)

    def on_deliver(self, _, tag, __, body):
        now, number = time.monotonic(), int(body[:8])
        if number in self.undelivered:
            start = self.undelivered.pop(number)
            if number not in self.excused:
                self.deliveries.add(start, now)
        self.taken.add(number)
        self.consumer.unsent += settle_method("basic.ack", tag)

    def publish(self):
        self.sent += 1
        self.publisher.publish(self.method, b"%08d%s" % (self.sent, b"." * 92))
        self.unconfirmed[self.sent] = self.undelivered[self.sent] = time.monotonic()

    def ping(self, now):
        """A round trip on the consumer's connection."""
        if self.consumer.answers:
            self.consumer.answers.clear()
            if self.ping_sent:
                self.pings.add(self.ping_sent, now)
            self.ping_sent = None
        if self.ping_sent is None and now > self.next_ping:
            self.consumer.send("basic.qos", prefetch_count=100)
            self.ping_sent, self.next_ping = now, now + PING_INTERVAL_S

    def turn(self, wait_s):
        links = [self.publisher, self.consumer]
        for link in links:
            link.flush()
        select.select(links, [link for link in links if link.unsent], [], wait_s)
        for link in links:
            link.pump()
        self.ping(time.monotonic())
        for link in links:
            link.flush()

    def run(self):
        """The time of the probe's own that it was late by at most is reported, too."""
        due = self.next_ping = time.monotonic()
        while not self.ended:
            now = time.monotonic()
            if now >= due:
                self.lag_s = max(self.lag_s, now - due)
                if self.blocked_since is None:
                    self.publish()
                due = max(due + self.interval, now)
            self.turn(max(0.0, min(due - time.monotonic(), 0.01)))
        end = time.monotonic() + LAST_WAIT_S
        while (self.unconfirmed or self.undelivered) and time.monotonic() < end:
            self.turn(0.01)
        self.take_stock(time.monotonic())

    def take_stock(self, now):
        """What has not come by now counts as if it came now."""
        for times, waiting in ((self.confirms, self.unconfirmed),
                               (self.deliveries, self.undelivered)):
            for number, start in waiting.items():
                if number not in self.excused:
                    times.add(start, now)
        if self.ping_sent:
            self.pings.add(self.ping_sent, now)
        self.on_blocked(False)

    def log_in_now_and_then(self):
        while not self.ended:
            start = time.monotonic()
            try:
                log_in_once(self.port)
            except (OSError, LinkClosed) as error:
                self.refused = self.refused or repr(error)
            self.logins.add(start, time.monotonic())
            time.sleep(LOGIN_INTERVAL_S)

    def report(self):
        return {"sent": self.sent, "confirmed": len(self.confirmed), "taken": len(self.taken),
                "missing": sorted(self.confirmed - self.taken)[:10],
                "blocked_s": round(self.blocked_s, 2), "lag_ms": round(self.lag_s * 1000, 1),
                "confirm": self.confirms.report(), "delivery": self.deliveries.report(),
                "round_trip": self.pings.report(), "login": self.logins.report(),
                "lost": self.lost, "refused": self.refused}


def log_in_once(port):
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.settimeout(60)
        client.sendall(
            wire.PROTOCOL + wire.frame(1, 0, wire.pack_method(
                "connection.start-ok", mechanism="PLAIN", response="\0guest\0guest",
                locale="en_US"))
            + wire.frame(1, 0, wire.pack_method("connection.tune-ok", channel_max=1,
                                                frame_max=131072))
            + wire.frame(1, 0, wire.pack_method("connection.open", vhost="/")))
        answer = b""
        while b"\x00\x0a\x00\x29" not in answer:
            part = client.recv(65536)
            if not part:
                raise LinkClosed("closed before open-ok")
            answer += part


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=100)
    options = parser.parse_args()
    try:
        os.nice(-5)  # it measures the broker, not how busy the machine is
    except OSError:
        pass
    probe = Probe(options.port, options.rate)
    try:
        probe.connect()
    except LinkClosed:
        sys.exit("the broker has gone")

    def wait_for_end():
        sys.stdin.read()
        probe.ended = True

    threading.Thread(target=wait_for_end, daemon=True).start()
    threading.Thread(target=probe.log_in_now_and_then, daemon=True).start()
    print("ready", flush=True)
    try:
        probe.run()
    except (LinkClosed, Refused) as error:
        probe.lost = f"the connection is gone: {error!r}"
        probe.take_stock(time.monotonic())
    print(json.dumps(probe.report()), flush=True)


if __name__ == "__main__":
    main()
