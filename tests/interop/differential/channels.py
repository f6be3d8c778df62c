"""Channels: opening, closing, numbers, flow, and methods that nobody may send."""
import wire
from registry import each, sequence


@sequence("channel: open, close, open again")
def _(p):
    c = p.connect()
    ch = c.channel(5)
    ch.call("channel.close", code=200)
    ch.call("channel.open")
    ch.call("channel.flow", active=True)


@sequence("channel: open twice")
def _(p):
    c = p.connect()
    ch = c.channel(3)
    ch.call("channel.open", says=["3"])


@each("channel: {} on one that is not open", [
    ("queue.declare",), ("basic.publish",), ("basic.ack",), ("channel.close",), ("channel.flow",),
    ("channel.close-ok",), ("confirm.select",), ("tx.select",),
])
def _(p, method):
    c = p.connect()
    c.channel(1)
    c.send_frame(wire.METHOD, 7, wire.pack_method(method))
    if method == "basic.publish":
        c.send_frame(wire.HEADER, 7, wire.pack_header(0))
    c.outcome(method, says=["7"])


@sequence("channel: number beyond channel_max")
def _(p):
    c = p.connect(tune=dict(channel_max=8, frame_max=131072, heartbeat=0))
    c.channel(8)
    c.send_frame(wire.METHOD, 9, wire.pack_method("channel.open"))
    c.zero.take(step="open 9", says=["9"])


@sequence("channel: more than channel_max")
def _(p):
    c = p.connect(tune=dict(channel_max=2, frame_max=131072, heartbeat=0))
    c.channel(1)
    c.channel(2)
    c.send_frame(wire.METHOD, 3, wire.pack_method("channel.open"))
    c.zero.take(step="open 3", says=["2"])


@sequence("channel: method beyond channel_max")
def _(p):
    c = p.connect(tune=dict(channel_max=8, frame_max=131072, heartbeat=0))
    c.send_frame(wire.METHOD, 900, wire.pack_method("basic.qos"))
    c.outcome("qos on 900")


@sequence("channel: 65535")
def _(p):
    c = p.connect(tune=dict(channel_max=2047, frame_max=131072, heartbeat=0))
    c.send_frame(wire.METHOD, 65535, wire.pack_method("channel.open"))
    c.zero.take(step="open 65535", says=["65535"])


@sequence("channel: flow off")
def _(p):
    p.ch.call("channel.flow", active=False)


@sequence("channel: flow-ok that nobody asked for")
def _(p):
    p.ch.send("channel.flow-ok", active=True)
    p.ch.send("channel.flow", active=True)
    p.ch.take(step="flow-ok")


@sequence("channel: flow on, twice")
def _(p):
    p.ch.call("channel.flow", active=True)
    p.ch.call("channel.flow", active=True)


@sequence("access.request")
def _(p):
    p.ch.call("access.request", realm="/data", active=True, read=True, write=True)


@sequence("access.request exclusive")
def _(p):
    p.ch.call("access.request", realm="", exclusive=True)


@each("channel: {} from the client", [
    "channel.open-ok", "queue.declare-ok", "basic.deliver", "basic.get-empty", "basic.consume-ok",
    "confirm.select-ok", "tx.commit-ok", "exchange.bind-ok", "basic.return", "basic.get-ok",
    "basic.recover-ok", "access.request-ok", "basic.qos-ok", "basic.cancel-ok",
])
def _(p, method):
    p.ch.send(method)
    p.ch.send("basic.qos")
    p.ch.take(step=method)


@sequence("channel: other channels live when one fails")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    two.queue("~q")
    two.consume("~q", no_ack=True)
    one.call("queue.declare", queue="~missing", passive=True, says=["~missing"])
    two.publish("", "~q", "still here")
    two.take()
    c.lives()


@sequence("channel: a failed one's number can be used again")
def _(p):
    c = p.connect()
    one = c.channel(4)
    one.call("queue.declare", queue="~missing", passive=True)
    again = c.channel(4)
    again.call("queue.declare", queue="~q")
    again.publish("", "~q", "fresh")
    again.call("basic.get", queue="~q")
    again.settle("ack", 1)
    again.rest("~q")


@sequence("channel: what comes before close-ok is discarded")
def _(p):
    c = p.connect()
    ch = c.channel(4)
    ch.queue("~q")
    ch.answers_close = False
    ch.call("queue.declare", queue="~missing", passive=True)
    for _ in range(3):
        ch.publish("", "~q", "lost")
    ch.send("queue.delete", queue="~q")
    ch.send("basic.get", queue="~missing")
    ch.send("channel.close-ok")
    again = c.channel(4)
    again.get("~q")


@sequence("channel: half a message before close-ok is discarded")
def _(p):
    c = p.connect()
    ch = c.channel(4)
    ch.queue("~q")
    ch.answers_close = False
    ch.call("queue.declare", queue="~missing", passive=True)
    ch.send("basic.publish", routing_key="~q")
    ch.header(10)
    ch.body(b"half")
    ch.send("channel.close-ok")
    ch.closed = False
    ch.call("channel.open", step="open after close-ok")


@sequence("channel: close while the broker closes it")
def _(p):
    c = p.connect()
    ch = c.channel(4)
    ch.answers_close = False
    ch.call("queue.declare", queue="~missing", passive=True)
    ch.closed = False
    ch.call("channel.close", code=200)
    ch.send("channel.close-ok")
    ch.closed = True
    c.lives()


@sequence("channel: open while it waits for close-ok")
def _(p):
    c = p.connect()
    ch = c.channel(4)
    ch.answers_close = False
    ch.call("queue.declare", queue="~missing", passive=True)
    ch.send("channel.open")
    c.outcome("open", patience_s=2)


@sequence("channel: closed by the client in the middle of a message")
def _(p):
    c = p.connect()
    ch = c.channel(4)
    ch.queue("~q")
    ch.send("basic.publish", routing_key="~q")
    ch.header(10)
    ch.call("channel.close", code=200)


@sequence("channel: one that ends gives back its unacked messages in order, flagged")
def _(p):
    c = p.connect()
    ch = c.channel()
    ch.queue("~q")
    for body in "abcd":
        ch.publish("", "~q", body)
    for _ in range(3):
        ch.do("basic.get", queue="~q")
    ch.do("channel.close", code=200)
    ch.closed = True
    p.ch.drain("~q")


@sequence("channel: an error gives back its unacked messages")
def _(p):
    c = p.connect()
    ch = c.channel()
    ch.queue("~q")
    ch.publish("", "~q", "a")
    ch.do("basic.get", queue="~q")
    ch.settle("ack", 77)
    ch.take(says=["77"])
    p.ch.drain("~q")


@sequence("channel: methods of one connection on two channels keep their order on each")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.queue("~q")
    for number in range(5):
        one.publish("", "~q", f"one {number}")
    one.sync()
    for number in range(5):
        two.publish("", "~q", f"two {number}")
    two.sync()
    one.drain("~q")
