"""What the exchange types make of keys and headers; alternate exchanges, CC and BCC."""
from registry import each, sequence
from wire import As


def reached(p, queues, step):
    """Which queues got the message, by their names' last part; all are empty afterwards."""
    got = []
    for queue in queues:
        while True:
            answer = p.ch.do_get(queue)
            if answer.name == "basic.get-empty":
                break
            got.append(queue)
    p.note(step, " ".join(got) or "none")


@sequence("direct: exact keys only")
def _(p):
    ch = p.ch
    ch.exchange("~x", "direct")
    for key in ("a", "a.b", "", "A"):
        ch.queue(f"~q[{key}]")
        ch.bind(f"~q[{key}]", "~x", key)
    for key in ("a", "a.b", "", "A", "b", "a.*", "#"):
        ch.publish("~x", key)
        reached(p, ["~q[a]", "~q[a.b]", "~q[]", "~q[A]"], f"key {key!r}")


@sequence("direct: several queues with one key, one queue with several keys")
def _(p):
    ch = p.ch
    ch.exchange("~x", "direct")
    for queue in ("~1", "~2"):
        ch.queue(queue)
        ch.bind(queue, "~x", "k")
    ch.bind("~1", "~x", "other")
    for key in ("k", "other"):
        ch.publish("~x", key)
        reached(p, ["~1", "~2"], key)


@sequence("fanout: keys and arguments do not matter, once a queue")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    for queue in ("~1", "~2"):
        ch.queue(queue)
    ch.bind("~1", "~x", "a")
    ch.bind("~1", "~x", "b")
    ch.bind("~2", "~x", "c", {"x-match": "nonsense"})
    ch.publish("~x", "whatever")
    reached(p, ["~1", "~2"], "whatever")


@each("topic: pattern {!r}", [
    ("*",), ("#",), ("a.*",), ("a.#",), ("#.b",), ("*.b",), ("a.*.c",), ("a.#.c",), ("#.#",),
    ("*.#",), ("#.*",), ("*.*",), ("",), (".",), ("a..b",), ("*.*.*",), ("a.#.#.c",), ("#.a.#",),
    ("a*",), ("a.b#",), ("a.",), (".*",),
])
def _(p, pattern):
    ch = p.ch
    ch.exchange("~x", "topic")
    ch.queue("~q")
    ch.bind("~q", "~x", pattern)
    for key in ("", "a", "b", "a.b", "a.b.c", "a.c", "a.x.y.c", ".", "a.", ".b", "a..b", "a*",
                "x.a.y", "*", "#", "a.b#", "..", "a..c"):
        ch.publish("~x", key, key)
    got = []
    while (answer := ch.do_get("~q")).name == "basic.get-ok":
        got.append(answer.values["routing_key"])
    p.note("keys", " ".join(repr(key) for key in got) or "none")


@sequence("topic: several patterns of one queue that match are one message")
def _(p):
    ch = p.ch
    ch.exchange("~x", "topic")
    ch.queue("~q")
    for pattern in ("a.*", "a.#", "#", "*.b"):
        ch.bind("~q", "~x", pattern)
    ch.publish("~x", "a.b", "once")
    ch.drain("~q")
    ch.do("queue.unbind", queue="~q", exchange="~x", routing_key="#")
    ch.do("queue.unbind", queue="~q", exchange="~x", routing_key="a.#")
    ch.publish("~x", "a.b.c", "not any more", mandatory=True)
    ch.take()


def headers_case(p, bound, messages):
    ch = p.ch
    ch.exchange("~x", "headers")
    ch.queue("~q")
    ch.bind("~q", "~x", "", bound)
    for step, headers in messages:
        if headers is None:
            ch.publish("~x", "", step)
        else:
            ch.publish("~x", "", step, headers=headers)
        reached(p, ["~q"], step)


TWO = [("both", {"a": 1, "b": "2"}), ("both and more", {"a": 1, "b": "2", "c": 3}),
       ("one", {"a": 1}), ("other", {"b": "2"}), ("one wrong", {"a": 1, "b": "3"}),
       ("no headers", None),
       ("empty headers", {}), ("another type", {"a": "1", "b": "2"}), ("x-", {"x-a": 1}),
       ("all wrong", {"a": 7, "b": "7"}), ("x-match itself", {"x-match": "all", "a": 1, "b": "2"})]


@each("headers: x-match {}", [
    ("all", {"x-match": "all", "a": 1, "b": "2"}), ("any", {"x-match": "any", "a": 1, "b": "2"}),
    ("absent", {"a": 1, "b": "2"}), ("all, nothing to match", {"x-match": "all"}),
    ("any, nothing to match", {"x-match": "any"}), ("absent, no arguments", {}),
    ("all, with an x- header", {"x-match": "all", "a": 1, "x-a": 1}),
    ("any, with an x- header", {"x-match": "any", "x-a": 1}),
    ("all-with-x", {"x-match": "all-with-x", "x-a": 1}),
    ("any-with-x", {"x-match": "any-with-x", "b": "2", "x-a": 1}),
    ("all, void", {"x-match": "all", "a": None}),
    ("any, void", {"x-match": "any", "a": None, "z": 1}),
    ("all, wide integer", {"x-match": "all", "a": As("l", 1)}),
    ("all, octet", {"x-match": "all", "a": As("b", 1)}),
])
def _(p, name, bound):
    headers_case(p, bound, TWO)


@each("headers: bound to {}", [
    ("boolean", True), ("double", 1.0), ("float", As("f", 1.0)), ("timestamp", As("T", 1)),
    ("table", {"k": 1}), ("array", [1, 2]), ("bytes", As("x", b"1")), ("short", As("s", 1)),
    ("unsigned", As("i", 1)), ("decimal", As("D", (0, 1))), ("text", "1"),
])
def _(p, name, value):
    headers_case(p, {"x-match": "all", "a": value}, [
        (step, {"a": sent}) for step, sent in (
            ("boolean", True), ("double", 1.0), ("float", As("f", 1.0)), ("timestamp", As("T", 1)),
            ("table", {"k": 1}), ("table, wide", {"k": As("l", 1)}), ("array", [1, 2]),
            ("array, wide", [As("l", 1), 2]), ("bytes", As("x", b"1")), ("short", As("s", 1)),
            ("int", 1), ("long", As("l", 1)), ("unsigned", As("i", 1)),
            ("decimal", As("D", (0, 1))), ("text", "1"), ("void", None))])


@each("headers: x-match is {}", [
    ("nonsense", "nonsense"), ("empty", ""), ("number", 1), ("boolean", True),
    ("upper case", "ALL"),
    ("void", None),
])
def _(p, name, value):
    p.ch.exchange("~x", "headers")
    p.ch.queue("~q")
    p.ch.call("queue.bind", queue="~q", exchange="~x", arguments={"x-match": value, "a": 1},
              says=["x-match"])


@sequence("exchange to exchange: types mixed, one message a queue")
def _(p):
    ch = p.ch
    ch.exchange("~t", "topic")
    ch.exchange("~f", "fanout")
    ch.exchange("~d", "direct")
    ch.queue("~q")
    ch.do("exchange.bind", source="~t", destination="~f", routing_key="a.#")
    ch.do("exchange.bind", source="~t", destination="~d", routing_key="*.b")
    ch.bind("~q", "~f")
    ch.bind("~q", "~d", "a.b")
    for key in ("a.b", "a.c", "x.b", "x.y"):
        ch.publish("~t", key)
        reached(p, ["~q"], key)


@sequence("exchange to exchange: in a circle, and to itself")
def _(p):
    ch = p.ch
    ch.exchange("~a", "fanout")
    ch.exchange("~b", "fanout")
    ch.queue("~q")
    for source, destination in (("~a", "~b"), ("~b", "~a"), ("~a", "~a")):
        ch.call("exchange.bind", source=source, destination=destination)
    ch.bind("~q", "~b")
    ch.publish("~a", "", "once")
    ch.drain("~q")


@sequence("exchange to exchange: unbound, deleted")
def _(p):
    ch = p.ch
    for name in ("~a", "~b", "~c"):
        ch.exchange(name, "fanout")
    ch.queue("~q")
    for destination in ("~b", "~c"):
        ch.do("exchange.bind", source="~a", destination=destination)
        ch.bind("~q", destination)
    ch.do("exchange.unbind", source="~a", destination="~b")
    ch.publish("~a", "", "by way of c")
    ch.drain("~q")
    ch.do("exchange.delete", exchange="~c")
    ch.publish("~a", "", "no way", mandatory=True)
    ch.take()


@sequence("alternate exchange: takes what is not routed")
def _(p):
    ch = p.ch
    ch.exchange("~alt", "fanout")
    ch.exchange("~x", "direct", {"alternate-exchange": "~alt"})
    ch.queue("~q")
    ch.queue("~rest")
    ch.bind("~q", "~x", "k")
    ch.bind("~rest", "~alt")
    ch.publish("~x", "k", "routed", mandatory=True)
    ch.publish("~x", "other", "not routed", mandatory=True)
    ch.rest("~q")
    ch.drain("~q")
    ch.drain("~rest")


@sequence("alternate exchange: missing or without a way, and mandatory")
def _(p):
    ch = p.ch
    ch.exchange("~x", "direct", {"alternate-exchange": "~missing"})
    ch.publish("~x", "k", "a", mandatory=True)
    ch.take()
    ch.exchange("~missing", "direct")
    ch.publish("~x", "k", "b", mandatory=True)
    ch.take()
    ch.queue("~q")
    ch.bind("~q", "~missing", "k")
    ch.publish("~x", "k", "c", mandatory=True)
    ch.rest("~q")
    ch.drain("~q")


@sequence("alternate exchange: chain and circle")
def _(p):
    ch = p.ch
    ch.exchange("~a", "direct", {"alternate-exchange": "~b"})
    ch.exchange("~b", "direct", {"alternate-exchange": "~c"})
    ch.exchange("~c", "direct", {"alternate-exchange": "~a"})
    ch.queue("~q")
    ch.bind("~q", "~c", "k")
    ch.publish("~a", "k", "far")
    ch.publish("~a", "none", "round", mandatory=True)
    ch.take()
    ch.drain("~q")


@sequence("alternate exchange: not asked when an exchange bound to the first routes")
def _(p):
    ch = p.ch
    ch.exchange("~alt", "fanout")
    ch.exchange("~x", "fanout", {"alternate-exchange": "~alt"})
    ch.exchange("~y", "fanout")
    ch.queue("~rest")
    ch.bind("~rest", "~alt")
    ch.do("exchange.bind", source="~x", destination="~y")
    ch.publish("~x", "", "lost in y", mandatory=True)
    ch.rest("~rest")
    ch.drain("~rest")


@sequence("alternate exchange: internal one")
def _(p):
    ch = p.ch
    ch.exchange("~alt", "fanout", internal=True)
    ch.exchange("~x", "direct", {"alternate-exchange": "~alt"})
    ch.queue("~rest")
    ch.bind("~rest", "~alt")
    ch.publish("~x", "k", "inside")
    ch.drain("~rest")


@sequence("default exchange: by queue name")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "a", mandatory=True)
    ch.publish("", "~missing", "b", mandatory=True)
    ch.take()
    ch.publish("", "", "c", mandatory=True)
    ch.take()
    ch.drain("~q")


@sequence("CC and BCC: all keys route, once a queue, BCC is taken off")
def _(p):
    ch = p.ch
    for name in ("~a", "~b", "~c", "~d"):
        ch.queue(name)
    ch.publish("", "~a", "m", headers={"CC": ["~b", "~a"], "BCC": ["~c", "~b"], "other": 1})
    for name in ("~a", "~b", "~c", "~d"):
        ch.drain(name)


@sequence("CC and BCC: with a topic exchange")
def _(p):
    ch = p.ch
    ch.exchange("~x", "topic")
    for name, pattern in (("~1", "a.*"), ("~2", "b.#"), ("~3", "c")):
        ch.queue(name)
        ch.bind(name, "~x", pattern)
    ch.publish("~x", "a.1", "m", headers={"CC": ["b.1", "b.2"], "BCC": ["c"]})
    for name in ("~1", "~2", "~3"):
        ch.drain(name)


@sequence("CC: with a headers and a fanout exchange")
def _(p):
    ch = p.ch
    ch.exchange("~h", "headers")
    ch.exchange("~f", "fanout")
    ch.queue("~q")
    ch.bind("~q", "~h", "", {"a": 1})
    ch.bind("~q", "~f")
    for exchange in ("~h", "~f"):
        ch.publish(exchange, "k", "m", headers={"CC": ["x", "y"], "a": 1})
    ch.drain("~q")


@sequence("CC: unroutable and mandatory")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~missing", "routed by CC", mandatory=True, headers={"CC": ["~q"]})
    ch.publish("", "~missing", "not routed", mandatory=True,
               headers={"CC": ["~gone"], "BCC": ["~bcc"]})
    ch.take()
    ch.drain("~q")


@each("{0}: {1}", [(name, *case) for name in ("CC", "BCC") for case in (
    ("text", "~q"), ("number", 5), ("table", {"a": "~q"}), ("void", None),
    ("array of numbers", [1, 2]), ("array of text and numbers", ["~q", 1]), ("empty array", []),
    ("array of bytes", [As("x", b"~q")]),
)])
def _(p, header, name, value):
    p.ch.queue("~q")
    p.ch.publish("", "~missing", "m", mandatory=True, headers={header: value})
    p.ch.send("channel.flow", active=True)
    p.ch.take(step=header, says=[header] if name not in (
        "empty array", "array of numbers", "array of bytes", "array of text and numbers") else [])


@sequence("CC: lower case means nothing")
def _(p):
    p.ch.queue("~q")
    p.ch.publish("", "~missing", "m", mandatory=True, headers={"cc": ["~q"]})
    p.ch.take()


@sequence("routing: key of 255 bytes")
def _(p):
    p.ch.exchange("~x", "direct")
    p.ch.queue("~q")
    p.ch.bind("~q", "~x", "k" * 255)
    p.ch.publish("~x", "k" * 255, "m")
    p.ch.get("~q")


@sequence("routing: bytes that are no UTF-8")
def _(p):
    p.ch.exchange("~x", "direct")
    p.ch.queue("~q")
    p.ch.send("queue.bind", queue="~q", exchange="~x", routing_key=b"\xff\xfe")
    p.ch.take(step="queue.bind")
