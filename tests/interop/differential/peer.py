"""What the sequences are written with: connections and channels that send anything, legal or not,
and write down what comes back, with names that the broker or the run makes up replaced.

"~" in a name, a routing key or an argument stands for what sets this run of this sequence apart
from all others; in traces it is a "~" again."""
import re
import socket
import struct
import time

import wire

PATIENCE_S = 8
MADE_UP = re.compile(r"amq\.(gen-|ctag-|rabbitmq\.reply-to\.)([A-Za-z0-9_.=+/-]+)")
CLOSING = ("channel.close", "connection.close", "socket closed")
ALL_CAPABILITIES = {name: True for name in (
    "publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
    "connection.blocked", "authentication_failure_close")}


class Stop(Exception):
    """The sequence cannot go on; what there is to say is in the trace."""


class Item:
    """A method that came, with its content."""

    def __init__(self, name, values=None):
        self.name, self.values = name, values or {}
        self.size = self.properties = None
        self.body = b""


class Peer:
    """The client's side of one sequence: its trace, its connections, what it has to clean up."""

    def __init__(self, address, prefix, check_texts):
        self.address, self.prefix, self.check_texts = address, prefix, check_texts
        self.trace, self.connections, self.declared = [], [], []
        self._names, self._ch, self._aux, self._clock = {}, None, None, None

    # What is written down.

    def note(self, step, result):
        self.trace.append(self.normal(f"{step} -> {result}"))

    def normal(self, text):
        text = text.replace(self.prefix, "~")
        return MADE_UP.sub(self._number, text)

    def _number(self, match):
        known = self._names.setdefault(match.group(1), [])
        if match.group(2) not in known:
            known.append(match.group(2))
        return f"amq.{match.group(1)}#{known.index(match.group(2)) + 1}"

    def describe(self, item, says=()):
        parts = [item.name]
        for name, value in item.values.items():
            if name == "class_id":
                if item.name == "connection.close":
                    continue
                ids = (value, item.values["method_id"])
                parts.append(f"by={wire.IDS.get(ids, '%d.%d' % ids)}")
            elif name == "code":
                parts.append(str(value))
            elif not name.startswith("_") and name not in ("text", "method_id"):
                parts.append(f"{name}={int(value) if isinstance(value, bool) else value}")
        if item.properties is not None:
            for name, value in item.properties.items():
                parts.append(f"{name}={wire.show(value) if name == 'headers' else value}")
            body = item.body.decode(errors="backslashreplace")
            parts.append(f"body={body if len(body) < 200 else len(body)}")
        text = self.normal(item.values.get("text", ""))
        lacking = [word for word in says if word.lower() not in text.lower()]
        if self.check_texts and lacking and "text" in item.values:
            parts.append(f"whose text {text!r} lacks {lacking}")
        return " ".join(parts)

    def fill(self, value):
        """With "~" replaced by what it stands for."""
        if isinstance(value, str):
            return value.replace("~", self.prefix)
        if isinstance(value, dict):
            return {self.fill(k): self.fill(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.fill(v) for v in value]
        if isinstance(value, wire.As) and isinstance(value.value, bytes):
            return wire.As(value.kind, value.value.replace(b"~", self.prefix.encode()))
        return value

    # Connections.

    def connect(self, **options):
        connection = Connection(self)
        connection.log_in(**options)
        return connection

    def raw(self):
        return Connection(self)

    @property
    def ch(self):
        """A channel that is there from the start."""
        if self._ch is None:
            self._ch = self.connect().channel()
        return self._ch

    @property
    def aux(self):
        """A channel for looking at things from the side; open again if it was closed."""
        if self._aux is None:
            self._aux = self.connect().channel()
        if self._aux.closed:
            self._aux = self._aux.connection.channel()
        return self._aux

    def poll(self, condition, step, patience=PATIENCE_S):
        deadline = time.monotonic() + patience
        while True:
            found, result = condition()
            if found or time.monotonic() > deadline:
                self.note(step, result if found else f"in vain, still {result}")
                if not found:
                    raise Stop
                return
            time.sleep(0.02)

    def gone(self, kind, name):
        """Waits until a queue or exchange is not there any more."""
        def check():
            self.aux.send(f"{kind}.declare", passive=True, **{kind: name})
            answer = self.aux.next()
            return answer.values.get("code") == 404, self.describe(answer)
        self.poll(check, f"gone {name}")

    def until(self, queue, step="until", **counts):
        """Waits until a queue has so many messages or consumers."""
        def check():
            self.aux.send("queue.declare", queue=queue, passive=True)
            answer = self.aux.next()
            return all(answer.values.get(k) == v for k, v in counts.items()), self.describe(answer)
        self.poll(check, f"{step} {queue}")

    def until_get(self, queue, step="until get"):
        """Waits until basic.get has something."""
        def check():
            self.aux.send("basic.get", queue=queue, no_ack=True)
            answer = self.aux.next()
            return answer.name == "basic.get-ok", self.describe(answer)
        self.poll(check, f"{step} {queue}")

    def pass_time(self, ms):
        """Waits until a message of that time to live has gone, by the broker's clock."""
        if self._clock is None:
            self._clock = self.connect().channel()
            self._clock.do("confirm.select")
        name = f"~clock{ms}"
        self._clock.queue(name, {"x-message-ttl": ms})
        self._clock.publish("", name, "tick")
        self._clock.next(lambda item: item.name == "basic.ack")
        for _ in range(PATIENCE_S * 100):
            self._clock.send("queue.declare", queue=name, passive=True)
            if self._clock.next().values.get("messages") == 0:
                return
            time.sleep(0.01)
        self.note("clock", "does not go")
        raise Stop

    def finish(self):
        """Writes down what came that nobody waited for, and takes everything away."""
        for connection in self.connections:
            for channel in list(connection.channels.values()):
                if channel.number and not channel.closed and connection.closed is None:
                    channel.rest(step="left over", quiet=True)

    def clean_up(self):
        for connection in self.connections:
            connection.socket.close()
        if not self.declared:
            return
        connection = self.connect()
        channel = connection.channel()
        for kind, name in dict.fromkeys(self.declared):
            channel.send(f"{kind}.delete", **{kind: name})
            channel.next()
            if channel.closed:
                channel = connection.channel()
        connection.socket.close()


class Connection:
    def __init__(self, peer):
        self.peer, self.channels, self.closed = peer, {}, None
        self.data, self.start = b"", None
        self.zero = Channel(self, 0)
        self.channels[0] = self.zero
        self.socket = socket.create_connection(peer.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.connections.append(self)

    # Bytes.

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def send_frame(self, kind, channel, payload, end=b"\xce"):
        self.send_bytes(wire.frame(kind, channel, payload, end))

    def pump(self, deadline):
        """Takes one frame in; false if none comes in time."""
        while True:
            if len(self.data) >= 7:
                kind, number, size = struct.unpack_from(">BHI", self.data)
                if self.data[:4] == b"AMQP":
                    self.arrived(0, Item("protocol header", {"version": self.data[4:8].hex()}))
                    self.data = self.data[8:]
                    return True
                if len(self.data) >= 8 + size:
                    payload, self.data = self.data[7:7 + size], self.data[8 + size:]
                    self.take_frame(kind, number, payload)
                    return True
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                part = self.socket.recv(1 << 18)
            except TimeoutError:
                return False
            except OSError:
                part = b""
            if not part:
                if self.closed is None:
                    self.closed = Item("socket closed")
                return False
            self.data += part

    def take_frame(self, kind, number, payload):
        channel = self.channels.get(number) or self.zero
        if kind == wire.METHOD:
            item = Item(*wire.read_method(payload))
            if item.name in wire.HAS_CONTENT:
                channel.incomplete = item
            else:
                self.arrived(number, item)
        elif kind == wire.HEADER:
            channel.incomplete.size, channel.incomplete.properties = wire.read_header(payload)
        elif kind == wire.BODY:
            channel.incomplete.body += payload
        if channel.incomplete and channel.incomplete.size == len(channel.incomplete.body):
            item, channel.incomplete = channel.incomplete, None
            self.arrived(number, item)

    def arrived(self, number, item):
        channel = self.channels.get(number) or self.zero
        if item.name == "connection.close":
            self.send_frame(wire.METHOD, 0, wire.pack_method("connection.close-ok"))
            self.closed = item
        elif item.name == "channel.close":
            if channel.answers_close:
                self.send_frame(wire.METHOD, number, wire.pack_method("channel.close-ok"))
            channel.closed = True
        elif item.name == "connection.close-ok":
            self.closed = Item("closed by client")
        if item.name != "connection.close":
            channel.inbox.append(item)

    # Conversations.

    def log_in(self, capabilities=None, tune=None, vhost="/", user="guest", password="guest",
               stop_before=None):
        self.send_bytes(wire.PROTOCOL)
        self.start = self.zero.next()
        properties = {"product": "differential", "capabilities":
                      ALL_CAPABILITIES if capabilities is None else capabilities}
        if stop_before == "start-ok":
            return
        self.zero.send("connection.start-ok", properties=properties, mechanism="PLAIN",
                       response=f"\0{user}\0{password}", locale="en_US")
        if stop_before == "tune":
            return
        self.zero.next()
        if stop_before == "tune-ok":
            return
        self.zero.send("connection.tune-ok", **(tune or dict(
            channel_max=2047, frame_max=131072, heartbeat=0)))
        if stop_before == "open":
            return
        self.zero.send("connection.open", vhost=vhost)
        if stop_before == "open-ok":
            return
        answer = self.zero.next()
        if answer.name != "connection.open-ok":
            self.peer.note("log in", self.peer.describe(answer))
            raise Stop

    def channel(self, number=None):
        """An open channel."""
        if number is None:
            number = next(n for n in range(1, 65536)
                          if n not in self.channels or self.channels[n].closed)
        channel = self.channels[number] = Channel(self, number)
        channel.do("channel.open")
        return channel

    def outcome(self, step, says=(), patience_s=PATIENCE_S):
        """Waits for the end of the connection, and writes down how it comes."""
        while self.closed is None and self.pump(time.monotonic() + patience_s):
            pass
        if self.closed is None:
            self.peer.note(step, "still open")
            raise Stop
        self.peer.note(step, self.peer.describe(self.closed, says))

    def lives(self, step="connection"):
        """Writes down that the connection still works: a new channel can be opened."""
        channel = self.channel()
        channel.call("channel.close", step=step)
        channel.closed = True

    def close(self):
        self.zero.send("connection.close", code=200, text="bye")
        while self.zero.next().name != "connection.close-ok":
            pass
        self.socket.close()
        self.closed = Item("closed by client")

    def drop(self):
        self.socket.close()
        self.closed = Item("dropped by client")


class Channel:
    def __init__(self, connection, number):
        self.connection, self.peer, self.number = connection, connection.peer, number
        self.inbox, self.incomplete, self.closed, self.answers_close = [], None, False, True
        self.confirmed_up_to, self.fates = 0, {}

    # Sending.

    def send(self, name, **values):
        values = {k: self.peer.fill(v) for k, v in values.items()}
        if name in ("queue.declare", "exchange.declare"):
            kind = name.split(".")[0]
            if values.get(kind, "").startswith(self.peer.prefix):
                self.peer.declared.append((kind, values[kind]))
        self.connection.send_frame(wire.METHOD, self.number, wire.pack_method(name, **values))

    def header(self, size, properties=None, **options):
        self.connection.send_frame(
            wire.HEADER, self.number, wire.pack_header(size, self.peer.fill(properties), **options))

    def body(self, data):
        self.connection.send_frame(wire.BODY, self.number, data)

    def publish(self, exchange, routing_key, body="", mandatory=False, immediate=False, **more):
        self.send("basic.publish", exchange=exchange, routing_key=routing_key, mandatory=mandatory,
                  immediate=immediate)
        data = body if isinstance(body, bytes) else body.encode()
        self.header(len(data), more)
        for at in range(0, len(data), 131072 - 8):
            self.body(data[at:at + 131072 - 8])

    # Waiting.

    def next(self, wanted=lambda item: True):
        """The next thing that came and is wanted, or the end of channel or connection."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for item in self.inbox:
                if wanted(item) or item.name in CLOSING:
                    self.inbox.remove(item)
                    return item
            if self.connection.closed is not None:
                return self.connection.closed
            if not self.connection.pump(deadline) and self.connection.closed is None:
                self.peer.note(f"waiting on channel {self.number}", "nothing comes")
                raise Stop

    def answer(self, name, **values):
        if self.closed or self.connection.closed is not None:
            self.peer.note(name, "cannot be sent, as all is closed")
            raise Stop
        self.send(name, **values)
        answers = {"basic.get": ("basic.get-ok", "basic.get-empty"),
                   "basic.recover-async": ("basic.recover-ok",)}.get(name, (f"{name}-ok",))
        return self.next(lambda item: item.name in answers)

    def do(self, name, **values):
        """A method that has to succeed; it is not worth a line in the trace."""
        item = self.answer(name, **values)
        if item.name in CLOSING:
            self.peer.note(name, self.peer.describe(item))
            raise Stop
        return item

    def call(self, name, says=(), step=None, **values):
        """A method and what it is answered with."""
        item = self.answer(name, **values)
        self.peer.note(step or name, self.peer.describe(item, says))
        return item

    def take(self, count=1, step="next", says=()):
        """What comes next by itself: deliveries, returns, confirms, cancels, errors."""
        item = None
        for _ in range(count):
            item = self.next()
            self.peer.note(step, self.peer.describe(item, says))
            if item.name in CLOSING and count > 1:
                raise Stop
        return item

    def rest(self, *queues, step="rest", quiet=False):
        """All that is still to come: queues and channels have answered something by then."""
        for connection in self.peer.connections:
            for channel in connection.channels.values():
                if channel.number and not channel.closed and connection.closed is None:
                    channel.do("channel.flow", active=True)
        # A passive declare may overtake what it should wait for, but not three of them.
        for queue in queues * 3:
            self.peer.aux.do("queue.declare", queue=queue, passive=True)
            time.sleep(0.005)
        for _ in range(2):
            self.do("channel.flow", active=True)
        came, self.inbox = self.inbox, []
        for item in came:
            self.peer.note(step, self.peer.describe(item))
        if not came and not quiet:
            self.peer.note(step, "nothing")

    def confirms(self, count, step="confirms"):
        """The fate of the next `count` publishes, however the confirms are coalesced."""
        wanted = range(self.confirmed_up_to + 1, self.confirmed_up_to + count + 1)
        while not all(n in self.fates for n in wanted):
            item = self.next(lambda item: item.name in ("basic.ack", "basic.nack"))
            if item.name in CLOSING:
                self.peer.note(step, self.peer.describe(item))
                raise Stop
            tag = item.values["delivery_tag"]
            first = self.confirmed_up_to + 1 if item.values["multiple"] else tag
            for n in range(first, tag + 1):
                self.fates.setdefault(n, item.name[6:])
        self.peer.note(step, " ".join(self.fates[n] for n in wanted))
        self.confirmed_up_to += count

    # Words for what sequences do all the time.

    def queue(self, name, arguments=None, **flags):
        return self.do("queue.declare", queue=name, arguments=arguments or {}, **flags)

    def exchange(self, name, kind="direct", arguments=None, **flags):
        return self.do("exchange.declare", exchange=name, type=kind, arguments=arguments or {},
                       **flags)

    def bind(self, queue, exchange, key="", arguments=None):
        return self.do("queue.bind", queue=queue, exchange=exchange, routing_key=key,
                       arguments=arguments or {})

    def consume(self, queue, tag="c", arguments=None, **flags):
        return self.do("basic.consume", queue=queue, tag=tag, arguments=arguments or {}, **flags)

    def get(self, queue, step="basic.get", no_ack=True):
        return self.call("basic.get", queue=queue, no_ack=no_ack, step=step)

    def do_get(self, queue, no_ack=True):
        return self.do("basic.get", queue=queue, no_ack=no_ack)

    def drain(self, queue, step="drain"):
        """Everything that is ready in a queue."""
        while self.call("basic.get", queue=queue, no_ack=True, step=step).name == "basic.get-ok":
            pass

    def count(self, queue, step="count", **counts):
        """What a passive declare says. RabbitMQ answers it before it deals with publishes and the
        like that came earlier, so tell the counts that have to come in the end."""
        if counts:
            self.peer.until(queue, step, **counts)
        else:
            self.call("queue.declare", queue=queue, passive=True, step=step)

    def settle(self, verdict, delivery_tag, **flags):
        self.send(f"basic.{verdict}", delivery_tag=delivery_tag, **flags)

    def sync(self):
        """What was sent has been dealt with by the channel."""
        self.do("channel.flow", active=True)
