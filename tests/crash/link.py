"""Connections for load: frames built and taken apart as cheaply as Python can, many at a time."""
import select
import socket
import struct
import sys
import time

from paths import INTEROP

sys.path.insert(0, f"{INTEROP}/differential")

import wire  # noqa: E402

PATIENCE_S = 60
FRAME_MAX = 131072
DELIVER, CONFIRM, REFUSE = 60 << 16 | 60, 60 << 16 | 80, 60 << 16 | 120
PERSISTENT = wire.pack_header(0, {"delivery_mode": 2})[12:]
HEADER = struct.Struct(">BHI")
CONTENT = struct.Struct(">HHQ")
TAG_AND_FLAG = struct.Struct(">QB")
START_OK = dict(mechanism="PLAIN", response="\0guest\0guest", locale="en_US")


class LinkClosed(Exception):
    """The broker has gone, as it should when it was killed."""


class Refused(Exception):
    """The broker has closed the channel or the connection, for a reason: always an error."""


class Link:
    """One connection with one channel. `on_deliver(queue, tag, redelivered, body)` and
    `on_confirm(tag, multiple)` are called from pump(), and `on_blocked(is_blocked)` if it is given;
    consumer tags are names of queues."""

    def __init__(self, port, on_blocked=None):
        self.on_deliver = self.on_confirm = None
        self.on_blocked = on_blocked
        self.answers = []  # names and values of other methods
        self.unsent = bytearray()
        self.data = b""
        self._delivery = None  # queue, tag, redelivered
        self._size, self._parts = 0, []
        try:
            self.socket = socket.create_connection(("127.0.0.1", port))
        except OSError as error:
            raise LinkClosed from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.unsent += wire.PROTOCOL
        capabilities = {"connection.blocked": True} if on_blocked else {}
        self.send("connection.start-ok", 0, **START_OK, properties={"capabilities": capabilities})
        self.send("connection.tune-ok", 0, channel_max=1, frame_max=FRAME_MAX)
        self.send("connection.open", 0, vhost="/")
        self.call("channel.open")

    def fileno(self):
        return self.socket.fileno()

    # Out.

    def send(self, name, channel=1, **values):
        self.unsent += wire.frame(wire.METHOD, channel, wire.pack_method(name, **values))

    def publish(self, method, body):
        """`method` is a frame of publish_method()."""
        out = self.unsent
        size = len(body)
        out += method
        out += HEADER.pack(wire.HEADER, 1, CONTENT.size + len(PERSISTENT))
        out += CONTENT.pack(60, 0, size)
        out += PERSISTENT
        out += b"\xce"
        for at in range(0, size, FRAME_MAX - 8):
            part = body[at:at + FRAME_MAX - 8]
            out += HEADER.pack(wire.BODY, 1, len(part))
            out += part
            out += b"\xce"

    def flush(self):
        """Sends what the broker takes."""
        try:
            while self.unsent:
                sent = self.socket.send(self.unsent)
                del self.unsent[:sent]
        except BlockingIOError:
            pass
        except OSError as error:
            raise LinkClosed from error

    # In.

    def pump(self):
        """Takes in what is there."""
        try:
            part = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError as error:
            raise LinkClosed from error
        if not part:
            raise LinkClosed
        data = self.data + part if self.data else part
        at, end = 0, len(data)
        while end - at >= 8:
            kind, _, size = HEADER.unpack_from(data, at)
            stop = at + 8 + size
            if stop > end:
                break
            self._take(kind, data[at + 7:stop - 1])
            at = stop
        self.data = data[at:]

    def _take(self, kind, payload):
        if kind == wire.BODY:
            self._parts.append(payload)
            self._size -= len(payload)
            if self._size == 0:
                self._delivered()
        elif kind == wire.HEADER:
            self._size = CONTENT.unpack_from(payload)[2]
            if self._size == 0:
                self._delivered()
        elif kind == wire.METHOD:
            self._take_method(payload)

    def _take_method(self, payload):
        method = int.from_bytes(payload[:4], "big")
        if method == DELIVER:
            size = payload[4]
            tag, redelivered = TAG_AND_FLAG.unpack_from(payload, 5 + size)
            self._delivery = payload[5:5 + size].decode(), tag, bool(redelivered)
        elif method == CONFIRM:
            tag, multiple = TAG_AND_FLAG.unpack_from(payload, 4)
            self.on_confirm(tag, multiple)
        else:
            name, values = wire.read_method(payload)
            if method == REFUSE or name == "channel.close":
                raise Refused(f"{name} {values}")
            if name == "connection.close":
                if values["code"] == 320:  # it is stopping, and waits for our word
                    self.send("connection.close-ok", 0)
                    self.socket.settimeout(PATIENCE_S)
                    self.flush()
                    raise LinkClosed
                raise Refused(f"{name} {values}")
            if name in ("connection.blocked", "connection.unblocked"):
                self.on_blocked(name == "connection.blocked")
            if not name.startswith("connection.") or name == "connection.close-ok":
                self.answers.append((name, values))

    def _delivered(self):
        body = b"".join(self._parts)
        self._parts.clear()
        self.on_deliver(*self._delivery, body)

    # There and back.

    def wait(self, condition):
        """Sends and takes in until condition() is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("the broker does not answer")
            self.flush()
            select.select([self], [self] if self.unsent else [], [], 0.1)
            self.pump()

    def call(self, name, **values):
        """The values of the answer, which is the next one that comes."""
        assert not self.answers, self.answers
        self.send(name, **values)
        self.wait(lambda: self.answers)
        answered, result = self.answers.pop()
        assert answered == f"{name}-ok", answered
        return result

    def close(self):
        """Takes leave: what was sent has been dealt with, and what came of it has been taken in."""
        self.send("connection.close", 0)
        self.wait(lambda: self.answers and self.answers[-1][0] == "connection.close-ok")
        self.socket.close()

    def drop(self):
        self.socket.close()


def publish_method(exchange, key):
    method = wire.pack_method("basic.publish", exchange=exchange, routing_key=key)
    return wire.frame(wire.METHOD, 1, method)


def settle_method(name, tag, **flags):
    return wire.frame(wire.METHOD, 1, wire.pack_method(name, delivery_tag=tag, **flags))
