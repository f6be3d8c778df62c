"""basic.publish, its properties, returns and confirms."""
import wire
from registry import each, sequence
from wire import As


@sequence("publish: missing exchange")
def _(p):
    p.ch.publish("~missing", "k", "m")
    p.ch.take(says=["~missing"])


@sequence("publish: missing exchange with confirms and mandatory")
def _(p):
    p.ch.do("confirm.select")
    p.ch.publish("~missing", "k", "m", mandatory=True)
    p.ch.take(says=["~missing"])


@sequence("publish: immediate")
def _(p):
    p.ch.queue("~q")
    p.ch.publish("", "~q", "m", immediate=True)
    p.ch.take(says=["immediate"])


@sequence("publish: mandatory, routed and not")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "routed", mandatory=True)
    ch.publish("", "~missing", "not routed", mandatory=True, message_id="id", headers={"a": 1})
    ch.take()
    ch.publish("", "~missing", "dropped")
    ch.rest("~q")
    ch.drain("~q")


@sequence("publish: not mandatory and not routed")
def _(p):
    p.ch.exchange("~x", "direct")
    p.ch.publish("~x", "k", "m")
    p.ch.rest()


@sequence("publish: all properties come back")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "m", content_type="text/plain", content_encoding="utf-8",
               headers={"a": 1}, delivery_mode=2, priority=3, correlation_id="c", reply_to="r",
               message_id="i", timestamp=1234567890, type="t", user_id="guest", app_id="a",
               cluster_id="k")
    ch.get("~q")


@sequence("publish: headers of all types come back")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "m", headers={
        "b": As("b", -5), "B": As("B", 250), "s": As("s", -5), "u": As("u", 65000),
        "I": -5, "i": As("i", 2**32 - 1), "l": As("l", -(2**62)), "f": As("f", 1.5),
        "d": 2.5, "D": As("D", (2, 314)), "T": As("T", 1234567890), "t": True, "n": False,
        "S": "text", "x": As("x", b"bytes"), "V": None, "F": {"F": {"a": 1}}, "A": [1, "a", [None]],
        "empty table": {}, "empty array": [], "": "no name"})
    ch.get("~q")


@sequence("publish: empty headers, empty texts, empty body")
def _(p):
    p.ch.queue("~q")
    p.ch.publish("", "~q", "", headers={}, content_type="", message_id="")
    p.ch.get("~q")


@each("publish: delivery_mode {}", [0, 1, 2, 3, 255])
def _(p, mode):
    p.ch.queue("~q", durable=True)
    p.ch.publish("", "~q", "m", delivery_mode=mode)
    p.ch.get("~q")


@each("publish: priority {} without x-max-priority", [0, 9, 255])
def _(p, priority):
    p.ch.queue("~q")
    p.ch.publish("", "~q", "first")
    p.ch.publish("", "~q", "second", priority=priority)
    p.ch.drain("~q")


@each("publish: user_id {!r}", ["guest", "someone", "", "Guest"])
def _(p, user_id):
    p.ch.queue("~q")
    p.ch.publish("", "~q", "m", user_id=user_id)
    p.ch.send("basic.get", queue="~q", no_ack=True)
    p.ch.take(says=[user_id, "guest"] if user_id != "guest" else [])


@each("publish: expiration {!r}", [
    "60000", "60000ms", "", "-1", "1.5", " 60000", "60000 ", "abc", "+5", "4294967295",
    "99999999999999999999", "0x10", "315360000000", "315360000001", "00060000", "1e3"])
def _(p, expiration):
    p.ch.queue("~q")
    p.ch.publish("", "~q", "m", expiration=expiration)
    p.ch.send("basic.get", queue="~q", no_ack=True)
    p.ch.take(says=[expiration])


@sequence("publish: bad expiration without a route, to a missing exchange, with confirms")
def _(p):
    p.aux.publish("", "~missing", "m", expiration="bad")
    p.aux.take(step="no route")
    p.aux.publish("~missing", "k", "m", expiration="bad")
    p.aux.take(step="no exchange")
    p.aux.publish("", "~missing", "m", expiration="bad", user_id="nobody")
    p.aux.take(step="bad user too")


@sequence("publish: body of 200000 bytes")
def _(p):
    p.ch.queue("~q")
    p.ch.publish("", "~q", b"x" * 200000)
    p.ch.get("~q")


@sequence("confirm.select: answered, twice, no_wait")
def _(p):
    p.ch.call("confirm.select")
    p.ch.call("confirm.select", step="again")
    p.ch.send("confirm.select", no_wait=True)
    p.ch.rest()


@sequence("confirm: routed, unrouted, to no queue at all")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    ch.queue("~q")
    ch.do("confirm.select")
    ch.publish("", "~q", "a")
    ch.confirms(1, "routed")
    ch.publish("", "~missing", "b")
    ch.confirms(1, "unrouted")
    ch.publish("~x", "", "c")
    ch.confirms(1, "no queue bound")
    ch.queue("~d", durable=True)
    ch.publish("", "~d", "d", delivery_mode=2)
    ch.confirms(1, "persistent")


@sequence("confirm: tags begin at 1 where confirms begin")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "before")
    ch.do("confirm.select")
    ch.publish("", "~q", "after")
    ch.take()


@sequence("confirm: the return comes first")
def _(p):
    ch = p.ch
    ch.do("confirm.select")
    ch.publish("", "~missing", "a", mandatory=True)
    ch.take(2)


@sequence("confirm: many, in however many acks")
def _(p):
    ch = p.ch
    ch.queue("~q", durable=True)
    ch.do("confirm.select")
    for number in range(100):
        ch.publish("", "~q", str(number), delivery_mode=2)
    ch.confirms(100)
    ch.rest("~q")


@sequence("confirm: each channel on its own")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.queue("~q")
    one.do("confirm.select")
    two.publish("", "~q", "unconfirmed")
    one.publish("", "~q", "confirmed")
    one.confirms(1)
    two.rest("~q")


@sequence("confirm: to a queue and a full one that rejects")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    ch.queue("~1")
    ch.queue("~2", {"x-max-length": 1, "x-overflow": "reject-publish"})
    for queue in ("~1", "~2"):
        ch.bind(queue, "~x")
    ch.do("confirm.select")
    for body in "ab":
        ch.publish("~x", "", body)
        ch.confirms(1)
    ch.drain("~1")
    ch.drain("~2")


@sequence("confirm: message that expires at once, or is consumed at once")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-message-ttl": 0})
    ch.do("confirm.select")
    ch.publish("", "~q", "expires")
    ch.confirms(1)
    ch.consume("~q", no_ack=True)
    ch.publish("", "~q", "consumed")
    ch.next(lambda item: item.name == "basic.deliver")
    ch.confirms(1)


@sequence("confirm: the queue is deleted after the publish")
def _(p):
    ch = p.ch
    ch.queue("~q", durable=True)
    ch.do("confirm.select")
    ch.publish("", "~q", "a", delivery_mode=2)
    ch.do("queue.delete", queue="~q")
    ch.confirms(1)


@sequence("connection.blocked is not sent to who only consumes")
def _(p):
    p.ch.queue("~q")
    p.ch.consume("~q")
    p.ch.rest("~q")


@sequence("publish: larger than 16 MiB")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.send("basic.publish", routing_key="~q")
    ch.header((16 << 20) + 1)
    for _ in range((16 << 20) // 131064):
        ch.body(b"x" * 131064)
    rest = (16 << 20) + 1 - (16 << 20) // 131064 * 131064
    ch.connection.send_frame(wire.BODY, 1, b"x" * rest)
    ch.send("basic.get", queue="~q", no_ack=True)
    ch.take(says=["16777216"])
