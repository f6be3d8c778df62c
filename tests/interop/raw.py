"""Connections that send anything, and keep the bytes of what comes: those of differential/peer.py
to a broker of the tests."""
import sys
import time

from harness import HERE, PATIENCE

sys.path.insert(0, f"{HERE}/differential")

import peer  # noqa: E402
import wire  # noqa: E402

peer.PATIENCE_S = PATIENCE


class RawConnection(peer.Connection):
    """Logged in. `headers` has the flags and properties of all contents that came, as bytes, and
    `unsent` what the broker does not take for now: pump() goes on with that."""

    def __init__(self, broker, **login):
        self.headers, self.heartbeats, self.unsent = [], 0, b""
        super().__init__(peer.Peer(("127.0.0.1", broker.port), "", False))
        self.log_in(**login)

    def send_bytes(self, data):
        self.unsent += data
        self.send_unsent()

    def send_unsent(self):
        self.socket.setblocking(False)
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
        except BlockingIOError:
            pass
        except OSError:  # closed; reading will tell
            self.unsent = b""

    def pump(self, deadline):
        while True:
            self.send_unsent()
            until = min(deadline, time.monotonic() + 0.02) if self.unsent else deadline
            if super().pump(until):
                return True
            if self.closed is not None or time.monotonic() >= deadline:
                return False

    def take_frame(self, kind, number, payload):
        if kind == wire.HEADER:
            self.headers.append(payload[12:])
        self.heartbeats += kind == wire.HEARTBEAT
        super().take_frame(kind, number, payload)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def publish_bytes(channel, exchange, key, body, **properties):
    """The frames of a publish, to be sent many at once."""
    method = wire.pack_method("basic.publish", exchange=exchange, routing_key=key)
    out = wire.frame(wire.METHOD, channel.number, method)
    out += wire.frame(wire.HEADER, channel.number, wire.pack_header(len(body), properties))
    for at in range(0, len(body), 131072 - 8):
        out += wire.frame(wire.BODY, channel.number, body[at:at + 131072 - 8])
    return out


def barrier(channel):
    """The answer about a durable queue comes when all before it is on disk."""
    if isinstance(channel, peer.Channel):
        channel.do("queue.declare", queue="barrier", durable=True)
        channel.do("queue.delete", queue="barrier")
    else:
        channel.queue_declare("barrier", durable=True)
        channel.queue_delete("barrier")
