"""Connections: handshake, tuning, frames, and what ends them."""
import struct

import wire
from registry import each, sequence


def start_ok(c, mechanism="PLAIN", response="\0guest\0guest", capabilities=None, **more):
    c.zero.send("connection.start-ok", mechanism=mechanism, response=response,
                locale=more.pop("locale", "en_US"),
                properties={"capabilities": capabilities or {}, **more})


@sequence("connection: start offers")
def _(p):
    c = p.connect(stop_before="start-ok")
    values = c.start.values
    p.note("version", f"{values['version_major']} {values['version_minor']}")
    p.note("mechanisms", " ".join(sorted(values["mechanisms"].split())))
    p.note("locales", values["locales"])
    offered = values["properties"]["capabilities"]
    for name in ("publisher_confirms", "exchange_exchange_bindings", "basic.nack",
                 "consumer_cancel_notify", "connection.blocked", "consumer_priorities",
                 "authentication_failure_close", "per_consumer_qos", "direct_reply_to"):
        p.note(f"capability {name}", str(offered.get(name)))
    for name in ("product", "version", "platform", "copyright", "information"):
        p.note(f"property {name}", type(values["properties"].get(name)).__name__)
    c.drop()


@sequence("connection: tune offers")
def _(p):
    c = p.connect(stop_before="start-ok")
    start_ok(c)
    c.zero.take()


@each("connection: protocol header {}", [
    ("HTTP", b"GET / HTTP/1.1\r\n\r\n"), ("1-0", b"AMQP\x00\x01\x00\x00"),
    ("0-9-2", b"AMQP\x00\x00\x09\x02"), ("0-9-1 wrong id", b"AMQP\x01\x00\x09\x01"),
    ("0-10", b"AMQP\x01\x01\x00\x0a"), ("TLS", b"AMQP\x02\x01\x00\x00"),
])
def _(p, name, header):
    c = p.raw()
    c.send_bytes(header)
    c.zero.take()
    c.outcome("then")


@each("connection: login {}", [
    ("wrong password", "PLAIN", "\0guest\0wrong"), ("unknown user", "PLAIN", "\0nobody\0guest"),
    ("empty response", "PLAIN", ""), ("one part", "PLAIN", "guest"),
    ("no password", "PLAIN", "\0guest\0"),
])
def _(p, name, mechanism, response):
    c = p.connect(stop_before="start-ok")
    start_ok(c, mechanism, response, {"authentication_failure_close": True})
    c.outcome("with authentication_failure_close", says=["PLAIN"])
    c = p.connect(stop_before="start-ok")
    start_ok(c, mechanism, response)
    c.outcome("without")


@sequence("connection: login with AMQPLAIN")
def _(p):
    c = p.connect(stop_before="start-ok")
    login = wire.pack_table({"LOGIN": "guest", "PASSWORD": "guest"})[4:]
    start_ok(c, "AMQPLAIN", login)
    c.zero.take()


@sequence("connection: login with AMQPLAIN, wrong password")
def _(p):
    c = p.connect(stop_before="start-ok")
    login = wire.pack_table({"LOGIN": "guest", "PASSWORD": "wrong"})[4:]
    start_ok(c, "AMQPLAIN", login, {"authentication_failure_close": True})
    c.outcome("start-ok", says=["AMQPLAIN"])


@sequence("connection: unknown mechanism")
def _(p):
    c = p.connect(stop_before="start-ok")
    start_ok(c, "KERBEROS")
    c.outcome("start-ok", says=["KERBEROS"])


@each("connection: tune-ok {}", [
    ("channel_max higher", 4000, 131072), ("channel_max 0", 0, 131072),
    ("frame_max higher", 2047, 262144), ("frame_max 0", 2047, 0),
    ("frame_max 4095", 2047, 4095), ("frame_max 100", 2047, 100),
    ("frame_max 4096", 2047, 4096), ("channel_max 1", 1, 131072),
])
def _(p, name, channel_max, frame_max):
    c = p.connect(stop_before="tune-ok")
    c.zero.send("connection.tune-ok", channel_max=channel_max, frame_max=frame_max, heartbeat=0)
    c.zero.send("connection.open", vhost="/")
    c.zero.take(step="tune-ok and open", says=["100" if frame_max == 100 else ""])


@sequence("connection: unknown vhost")
def _(p):
    c = p.connect(stop_before="open")
    c.zero.send("connection.open", vhost="nowhere")
    c.outcome("open", says=["nowhere"])


@sequence("connection: open twice")
def _(p):
    c = p.connect()
    c.zero.send("connection.open", vhost="/")
    c.outcome("open again")


@each("connection: {} out of turn", [
    ("start-ok",), ("tune-ok",), ("open-ok",), ("start",), ("tune",), ("secure-ok",),
])
def _(p, name):
    c = p.connect()
    c.zero.send(f"connection.{name}")
    c.outcome(name)


@sequence("connection: open before tune-ok")
def _(p):
    c = p.connect(stop_before="tune-ok")
    c.zero.send("connection.open", vhost="/")
    c.outcome("open")


@sequence("connection: tune-ok before start-ok")
def _(p):
    c = p.connect(stop_before="start-ok")
    c.zero.send("connection.tune-ok")
    c.outcome("tune-ok")


@sequence("connection: channel before open")
def _(p):
    c = p.connect(stop_before="open")
    c.send_frame(wire.METHOD, 1, wire.pack_method("channel.open"))
    c.outcome("channel.open")


@sequence("connection: close by the client")
def _(p):
    c = p.connect()
    c.channel()
    c.zero.send("connection.close", code=200, text="bye")
    c.zero.take()


@sequence("connection: close with frames behind it")
def _(p):
    c = p.connect()
    ch = c.channel()
    ch.queue("~q")
    c.zero.send("connection.close", code=200, text="bye")
    ch.publish("", "~q", "too late")
    c.zero.take()
    p.ch.get("~q")


@sequence("connection: close before open")
def _(p):
    c = p.connect(stop_before="open")
    c.zero.send("connection.close", code=200, text="bye")
    c.outcome("close")


@sequence("connection: close-ok that nobody asked for")
def _(p):
    c = p.connect()
    c.zero.send("connection.close-ok")
    c.outcome("close-ok")


@sequence("connection: update-secret")
def _(p):
    c = p.connect()
    c.zero.call("connection.update-secret", secret="new", reason="why not")
    c.lives()


@sequence("connection: heartbeats")
def _(p):
    c = p.connect()
    c.send_frame(wire.HEARTBEAT, 0, b"")
    c.lives()


@sequence("connection: heartbeat comes when it is asked for")
def _(p):
    c = p.connect(tune=dict(channel_max=10, frame_max=4096, heartbeat=1))
    while c.data[:1] != b"\x08":
        part = c.socket.recv(100)
        if not part:
            break
        c.data += part
    p.note("heartbeat", c.data[:8].hex())
    c.drop()


@each("frame: {}", [
    ("heartbeat on a channel", wire.frame(8, 1, b"")),
    ("heartbeat on a channel that is not open", wire.frame(8, 7, b"")),
    ("heartbeat with a payload", wire.frame(8, 0, b"x")),
    ("wrong end", wire.frame(1, 1, wire.pack_method("channel.flow", active=True), b"\0")),
    ("wrong end on channel 0", wire.frame(1, 0, wire.pack_method("connection.close"), b"x")),
    ("unknown type 0", wire.frame(0, 1, b"")),
    ("unknown type 4", wire.frame(4, 1, b"abc")),
    ("unknown type 255 on channel 0", wire.frame(255, 0, b"")),
    ("larger than frame_max", struct.pack(">BHI", 1, 1, 131072 + 1) + b"x" * 131074),
    ("absurd size", struct.pack(">BHI", 3, 1, 0xffffffff)),
    ("unknown class", wire.frame(1, 1, struct.pack(">HH", 99, 10))),
    ("unknown class on channel 0", wire.frame(1, 0, struct.pack(">HH", 99, 10))),
    ("unknown method", wire.frame(1, 1, struct.pack(">HH", 60, 999))),
    ("unknown method on channel 0", wire.frame(1, 0, struct.pack(">HH", 10, 999))),
    ("method of three bytes", wire.frame(1, 1, b"\0\x3c\0")),
    ("empty method", wire.frame(1, 1, b"")),
    ("arguments cut off", wire.frame(1, 1, struct.pack(">HHB", 60, 80, 0))),
    ("arguments too long", wire.frame(1, 1, wire.pack_method("basic.qos") + b"more")),
    ("arguments of a queue.declare cut off",
     wire.frame(1, 1, struct.pack(">HHH", 50, 10, 0) + b"\x05ab")),
    ("table with an unknown type", wire.frame(1, 1, wire.pack_method(
        "queue.declare", queue="frame", passive=True, arguments=b"\x01aQ1"))),
    ("table that is cut off", wire.frame(1, 1, wire.pack_method(
        "queue.declare", queue="frame", passive=True, arguments=b"\x01aI\0"))),
    ("header without a method", wire.frame(2, 1, wire.pack_header(1))),
    ("body without a method", wire.frame(3, 1, b"abc")),
    ("header on channel 0", wire.frame(2, 0, wire.pack_header(1))),
    ("body on channel 0", wire.frame(3, 0, b"abc")),
    ("header of a channel that is not open", wire.frame(2, 9, wire.pack_header(1))),
    ("body of a channel that is not open", wire.frame(3, 9, b"abc")),
    ("method of a channel on channel 0", wire.frame(1, 0, wire.pack_method("basic.qos"))),
    ("channel.open on channel 0", wire.frame(1, 0, wire.pack_method("channel.open"))),
    ("connection method on a channel",
     wire.frame(1, 1, wire.pack_method("connection.close", code=200))),
    ("update-secret on a channel",
     wire.frame(1, 1, wire.pack_method("connection.update-secret"))),
    ("protocol header again", wire.PROTOCOL),
])
def _(p, name, data):
    c = p.connect()
    c.channel()
    c.send_bytes(data)
    c.outcome(name, patience_s=4)


@each("content: {}", [
    ("method instead of the header", [(1, wire.pack_method("basic.qos"))]),
    ("body instead of the header", [(3, b"abc")]),
    ("method instead of the body", [(2, wire.pack_header(5)), (1, wire.pack_method("basic.qos"))]),
    ("header instead of the body", [(2, wire.pack_header(5)), (2, wire.pack_header(5))]),
    ("more body than declared", [(2, wire.pack_header(2)), (3, b"abc")]),
    ("body although none is declared", [(2, wire.pack_header(0)), (3, b"abc")]),
    ("header of another class", [(2, wire.pack_header(5, class_id=50))]),
    ("header with a weight", [(2, wire.pack_header(0, weight=1))]),
    ("header cut off", [(2, b"\0\x3c\0\0\0")]),
    ("properties cut off", [(2, wire.pack_header(0, b"\x80\0\x05ab"))]),
    ("properties too long", [(2, wire.pack_header(0, b"\x80\0\x02abc"))]),
    ("property flags that go on", [(2, wire.pack_header(0, b"\x80\x01\0\0\x02ab"))]),
    ("headers with an unknown type", [(2, wire.pack_header(0, b"\x20\0\0\0\0\x03\x01aQ"))]),
])
def _(p, name, frames):
    c = p.connect()
    ch = c.channel()
    ch.queue("~q")
    ch.send("basic.publish", routing_key="~q")
    for kind, payload in frames:
        c.send_frame(kind, 1, payload)
    ch.send("queue.declare", queue="~q", passive=True)
    ch.take(step=name)


@sequence("content: in many small frames, with empty ones among them")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.send("basic.publish", routing_key="~q")
    ch.header(6, {"type": "parts"})
    for part in (b"a", b"", b"bc", b"", b"def"):
        ch.body(part)
    ch.get("~q")


@sequence("content: of two channels, interleaved")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.queue("~1")
    one.queue("~2")
    for ch, queue in ((one, "~1"), (two, "~2")):
        ch.send("basic.publish", routing_key=queue)
    for ch in (one, two):
        ch.header(4)
    for ch in (one, two, two, one):
        ch.body(b"1a" if ch is one else b"2b")
    one.get("~1")
    two.get("~2")


@sequence("content: frames to the client keep to its frame_max")
def _(p):
    c = p.connect(tune=dict(channel_max=10, frame_max=4096, heartbeat=0))
    ch = c.channel()
    ch.queue("~q")
    p.ch.publish("", "~q", "x" * 10000)
    p.ch.sync()
    sizes = []
    take_frame = c.take_frame

    def measure(kind, number, payload):
        if kind == wire.BODY:
            sizes.append(len(payload) + 8)
        take_frame(kind, number, payload)
    c.take_frame = measure
    ch.get("~q")
    p.note("frame sizes", str(sizes))


@sequence("content: frame larger than the negotiated frame_max")
def _(p):
    c = p.connect(tune=dict(channel_max=10, frame_max=4096, heartbeat=0))
    ch = c.channel()
    ch.queue("~q")
    ch.send("basic.publish", routing_key="~q")
    ch.header(5000)
    ch.body(b"x" * 5000)
    c.outcome("body", says=["4096"])


@sequence("content: body declared larger than the broker takes")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.send("basic.publish", routing_key="~q")
    ch.header(1 << 40)
    ch.body(b"x" * 100)
    ch.send("queue.declare", queue="~q", passive=True)
    ch.take(step="header and some body")
