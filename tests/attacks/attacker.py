"""A client that sends what it was given, many frames at once, and reads when it likes to."""
import os
import select
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
sys.path.insert(0, os.path.join(HERE, "..", "interop", "differential"))

import wire  # noqa: E402

FRAME_MAX = 131072
PATIENCE_S = 30
CHUNK = 1 << 20
LOGIN = dict(mechanism="PLAIN", response="\0guest\0guest", locale="en_US")
OPEN_OK = bytes.fromhex("000a0029")
CLOSE = bytes.fromhex("000a0032")
PERSISTENT = {"delivery_mode": 2}


class Failure(Exception):
    """What must hold does not."""


def ready(client, to_read=True, to_write=False, wait_s=0.2):
    """Whether the socket can be read, and whether it can be written; select() knows 1,024 only."""
    poll = select.poll()
    poll.register(client, to_read * select.POLLIN | to_write * select.POLLOUT)
    events = dict(poll.poll(wait_s * 1000)).get(client.fileno(), 0)
    gone = events & (select.POLLHUP | select.POLLERR)
    return (to_read and bool(events & select.POLLIN or gone),
            to_write and bool(events & select.POLLOUT or gone))


def method(name, channel=1, **values):
    return wire.frame(wire.METHOD, channel, wire.pack_method(name, **values))


def content(body, channel=1, **properties):
    out = [wire.frame(wire.HEADER, channel, wire.pack_header(len(body), properties))]
    out += [wire.frame(wire.BODY, channel, body[at:at + FRAME_MAX - 8])
            for at in range(0, len(body), FRAME_MAX - 8)]
    return b"".join(out)


def publish(exchange, key, body=b"", channel=1, mandatory=False, **properties):
    return method("basic.publish", channel, exchange=exchange, routing_key=key,
                  mandatory=mandatory) + content(body, channel, **properties)


def unfinished(key, size, sent, channel=1):
    """A message of `size` bytes, of which only `sent` come."""
    out = method("basic.publish", channel, routing_key=key)
    out += wire.frame(wire.HEADER, channel, wire.pack_header(size, {}))
    whole = wire.frame(wire.BODY, channel, bytes(FRAME_MAX - 8))
    out += whole * (sent // (FRAME_MAX - 8))
    rest = sent % (FRAME_MAX - 8)
    return out + (wire.frame(wire.BODY, channel, bytes(rest)) if rest else b"")


def declare(queue, channel=1, no_wait=True, arguments=None, **flags):
    return method("queue.declare", channel, queue=queue, no_wait=no_wait,
                  arguments=arguments or {}, **flags)


def exchange(name, kind, channel=1, no_wait=True, arguments=None, **flags):
    return method("exchange.declare", channel, exchange=name, type=kind, no_wait=no_wait,
                  arguments=arguments or {}, **flags)


def bind(queue, exchange_name, key="", channel=1, no_wait=True, arguments=None):
    return method("queue.bind", channel, queue=queue, exchange=exchange_name, routing_key=key,
                  no_wait=no_wait, arguments=arguments or {})


def flow_ok(channel):
    return wire.frame(wire.METHOD, channel, wire.pack_method("channel.flow-ok", active=True))


class Attacker:
    """Logged in, with channel 1 open. What comes is thrown away but for its last bytes, which are
    searched for answers."""

    def __init__(self, port, heartbeat=0, receive_buffer=None, channels=1, user="guest"):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.tail, self.received, self.unsent = b"", 0, b""
        self.sends(wire.PROTOCOL + method("connection.start-ok", 0, **LOGIN) +
                   method("connection.tune-ok", 0, channel_max=2047, frame_max=FRAME_MAX,
                          heartbeat=heartbeat) +
                   method("connection.open", 0, vhost="/"))
        self.wait_for(OPEN_OK)
        self.open(range(1, channels + 1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def open(self, numbers):
        self.sends(b"".join(method("channel.open", number) for number in numbers))
        self.sync(numbers[-1])

    # Out.

    def sends(self, data, patience=PATIENCE_S):
        """All of it, reading meanwhile."""
        view, deadline = memoryview(self.unsent + data), time.monotonic() + patience
        self.unsent = b""
        while view:
            readable, writable = ready(self.socket, to_write=True)
            if readable:
                self.take()
            if writable:
                view = view[self.put(view):]
            if time.monotonic() > deadline:
                raise Failure(f"{len(view)} of {len(data)} bytes are not taken")

    def pushes(self, data, patience=PATIENCE_S, at_most=False):
        """All of it, without reading, as long as some is taken within `patience`; whether it was
        all taken. `at_most`: less will do, and the rest comes before what is sent next."""
        view, last = memoryview(self.unsent + data), time.monotonic()
        self.unsent = b""
        while view and time.monotonic() - last < patience:
            if ready(self.socket, False, True, min(0.1, patience))[1]:
                taken = self.put(view)
                if taken:
                    view, last = view[taken:], time.monotonic()
        if view and not at_most:
            raise Failure(f"{len(view)} of {len(data)} bytes are not taken while nothing is read")
        self.unsent = bytes(view)
        return not view

    def put(self, view):
        try:
            return self.socket.send(view[:CHUNK])
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Failure(f"the connection is gone: {error}; {self.last_words()}") from error

    # In.

    def take(self, size=CHUNK):
        """What is there; keeps the end of it."""
        try:
            part = self.socket.recv(size)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise Failure(f"the connection is gone: {error}") from error
        if not part:
            raise Failure(f"the connection was closed; {self.last_words()}")
        self.received += len(part)
        self.tail = (self.tail + part)[-65536:] if len(part) < 65536 else part[-65536:]
        return part

    def wait_for(self, pattern, patience=PATIENCE_S):
        """Reads until `pattern` comes, and gives what has come of late, from it on."""
        deadline = time.monotonic() + patience
        kept = self.tail
        self.tail = b""
        while True:
            at = kept.find(pattern)
            if at >= 0:
                self.tail = kept[at + len(pattern):]
                return kept[at:]
            if ready(self.socket)[0]:
                kept = kept[-len(pattern):] + self.take(CHUNK)
            if time.monotonic() > deadline:
                raise Failure(f"no answer within {patience} s; {self.last_words()}")

    def sync(self, channel=1, patience=PATIENCE_S):
        """What was sent on the channel before has been dealt with."""
        self.sends(method("channel.flow", channel, active=True), patience)
        self.wait_for(flow_ok(channel), patience)

    def call(self, name, channel=1, patience=PATIENCE_S, **values):
        """The values of the answer."""
        self.sends(method(name, channel, **values))
        class_id, method_id, fields = wire.METHODS[f"{name}-ok"]
        ids = class_id.to_bytes(2, "big") + method_id.to_bytes(2, "big")
        return wire.Reader(self.wait_for(ids, patience)[4:]).fields(fields)

    def read_for(self, seconds, bytes_per_second=None):
        """Reads what comes; slowly if a rate is given."""
        end, began, start = time.monotonic() + seconds, self.received, time.monotonic()
        while time.monotonic() < end:
            if bytes_per_second:
                due = (time.monotonic() - start) * bytes_per_second
                if self.received - began > due:
                    time.sleep(0.005)
                    continue
            if ready(self.socket, wait_s=min(0.05, max(0, end - time.monotonic())))[0]:
                self.take(16384 if bytes_per_second else CHUNK)

    def last_words(self):
        """The code and text of a connection.close among what came last."""
        at = self.tail.rfind(CLOSE)
        if at < 0 or at + 7 > len(self.tail):
            return "without a word"
        reader = wire.Reader(self.tail[at + 4:])
        return f"{reader.number('>H')} {reader.text()}"

    def is_open(self):
        """Whether the broker has closed it; what it sent is read on the way."""
        try:
            while self.take():
                pass
            return True
        except Failure:
            return False

    def is_answered(self, patience=PATIENCE_S):
        self.sync(patience=patience)
        return True

    def close(self):
        self.socket.close()
