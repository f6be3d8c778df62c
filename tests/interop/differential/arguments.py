"""Queue arguments: which values are taken, and which differences matter."""
from registry import each, sequence
from wire import As

VALUES = [
    ("text", "12"), ("empty text", ""), ("word", "nonsense"), ("zero", 0), ("one", 1),
    ("minus one", -1),
    ("octet", As("b", 5)), ("unsigned octet", As("B", 200)), ("short", As("s", 5)),
    ("unsigned short", As("u", 5)), ("unsigned", As("i", 5)), ("long", As("l", 5)),
    ("256", 256), ("2^31", 2**31), ("2^32", 2**32), ("2^63-1", 2**63 - 1), ("double", 5.0),
    ("float", As("f", 5.0)), ("decimal", As("D", (0, 5))), ("true", True), ("false", False),
    ("void", None), ("table", {"a": 1}), ("array", [1]), ("bytes", As("x", b"5")),
    ("timestamp", As("T", 5)),
]
INTEGERS = ["x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority"]


def try_values(p, argument, values, more=None, **flags):
    for number, (name, value) in enumerate(values):
        p.aux.call("queue.declare", queue=f"~{number}", step=name, says=[argument],
                   arguments={argument: value, **(more or {})}, **flags)


@each("arguments: {} of each type", INTEGERS)
def _(p, argument):
    # What expires at once or after 1 ms might be gone before the next look: it is only declared.
    try_values(p, argument, VALUES)


@each("arguments: {} of each type", [
    "x-dead-letter-routing-key", "x-overflow", "x-single-active-consumer", "x-queue-type",
    "x-queue-mode", "x-dead-letter-strategy"])
def _(p, argument):
    more = {"x-dead-letter-exchange": "~d"} if argument == "x-dead-letter-routing-key" else {}
    try_values(p, argument, VALUES, more)


@sequence("arguments: x-dead-letter-exchange of each type")
def _(p):
    try_values(p, "x-dead-letter-exchange", VALUES)


@sequence("arguments: x-delivery-limit of each type, on quorum queues")
def _(p):
    wanted = {"zero", "one", "minus one", "long", "text", "void", "true", "2^32", "double"}
    try_values(p, "x-delivery-limit", [case for case in VALUES if case[0] in wanted],
               {"x-queue-type": "quorum"}, durable=True)


@sequence("arguments: x-delivery-limit on a classic queue")
def _(p):
    p.ch.call("queue.declare", queue="~q", arguments={"x-delivery-limit": 2})


@sequence("arguments: x-dead-letter-routing-key without an exchange")
def _(p):
    p.ch.call("queue.declare", queue="~q", arguments={"x-dead-letter-routing-key": "k"},
              says=["x-dead-letter-routing-key"])


@sequence("arguments: x-dead-letter-exchange that is missing, or the default one")
def _(p):
    p.ch.call("queue.declare", queue="~1", arguments={"x-dead-letter-exchange": "~missing"})
    p.ch.call("queue.declare", queue="~2", arguments={"x-dead-letter-exchange": ""})


@each("arguments: x-overflow {}", [
    "drop-head", "reject-publish", "reject-publish-dlx", "drop-tail"])
def _(p, overflow):
    p.ch.call("queue.declare", queue="~q", arguments={"x-overflow": overflow, "x-max-length": 1},
              says=["x-overflow", overflow])


@each("arguments: x-queue-type {}", [
    ("quorum, durable", "quorum", dict(durable=True)), ("quorum, transient", "quorum", {}),
    ("quorum, exclusive", "quorum", dict(durable=True, exclusive=True)),
    ("quorum, auto-delete", "quorum", dict(durable=True, auto_delete=True)),
    ("classic", "classic", {}), ("stream, durable", "stream", dict(durable=True)),
    ("stream, transient", "stream", {}), ("unknown", "fancy", dict(durable=True)),
    ("Classic", "Classic", {}),
])
def _(p, name, kind, flags):
    p.ch.call("queue.declare", queue="~q", arguments={"x-queue-type": kind}, **flags,
              says=["x-queue-type"] if name == "unknown" else [])


@sequence("arguments: quorum, server-named")
def _(p):
    p.ch.call("queue.declare", queue="", durable=True, arguments={"x-queue-type": "quorum"})


@each("arguments: quorum with {}", [
    ("x-max-priority", 5), ("x-message-ttl", 1000), ("x-expires", 60000), ("x-max-length", 5),
    ("x-max-length-bytes", 500), ("x-overflow", "reject-publish"),
    ("x-single-active-consumer", True), ("x-dead-letter-strategy", "at-least-once"),
    ("x-queue-mode", "lazy"), ("x-nonsense", 1), ("x-max-age", "1D"),
])
def _(p, argument, value):
    p.ch.call("queue.declare", queue="~q", durable=True,
              arguments={"x-queue-type": "quorum", argument: value})


@each("arguments: classic with {}", [
    ("x-nonsense", 1), ("nonsense", {"a": [1, None]}), ("x-max-age", "1D"), ("x-queue-version", 2),
    ("x-quorum-initial-group-size", 1), ("x-queue-mode", "lazy"),
    ("x-dead-letter-strategy", "at-most-once"), ("x-queue-master-locator", "min-masters"),
    ("x-cancel-on-ha-failover", True), ("x-stream-offset", "first"),
])
def _(p, argument, value):
    p.ch.call("queue.declare", queue="~q", arguments={argument: value})


DIFFERENT = [
    ("x-message-ttl", 60000, 60001), ("x-expires", 60000, 60001), ("x-max-length", 5, 6),
    ("x-max-length-bytes", 500, 600), ("x-max-priority", 5, 6),
    ("x-dead-letter-exchange", "~d", "~e"), ("x-overflow", "drop-head", "reject-publish"),
    ("x-single-active-consumer", True, False), ("x-queue-mode", "lazy", "default"),
    ("x-nonsense", 1, 2),
]


@each("arguments: {} compared", DIFFERENT)
def _(p, argument, one, two):
    says = ["~with", argument] if argument not in ("x-nonsense", "x-queue-mode") else []
    p.aux.queue("~with", {argument: one})
    p.aux.queue("~without")
    p.aux.call("queue.declare", queue="~with", arguments={argument: one}, step="the same")
    if isinstance(one, int) and not isinstance(one, bool):
        p.aux.call("queue.declare", queue="~with", arguments={argument: As("l", one)}, step="wider")
        p.aux.call("queue.declare", queue="~with", arguments={argument: As("s", one % 2**15)},
                   step="narrower, if it fits")
    p.aux.call("queue.declare", queue="~with", arguments={argument: two}, step="another", says=says)
    p.aux.call("queue.declare", queue="~with", step="absent", says=says)
    p.aux.call("queue.declare", queue="~without", arguments={argument: one}, step="added",
               says=[argument] if says else [])
    p.aux.call("queue.declare", queue="~with", arguments={argument: one, "x-nonsense-too": "a"},
               step="with one more that means nothing")


@sequence("arguments: x-dead-letter-routing-key compared")
def _(p):
    p.aux.queue("~q", {"x-dead-letter-exchange": "~d", "x-dead-letter-routing-key": "a"})
    for step, key in (("the same", {"x-dead-letter-routing-key": "a"}),
                      ("another", {"x-dead-letter-routing-key": "b"}), ("absent", {})):
        p.aux.call("queue.declare", queue="~q", arguments={"x-dead-letter-exchange": "~d", **key},
                   step=step, says=[] if step == "the same" else ["x-dead-letter-routing-key"])


@sequence("arguments: x-queue-type compared")
def _(p):
    p.aux.queue("~plain", durable=True)
    p.aux.queue("~classic", {"x-queue-type": "classic"}, durable=True)
    p.aux.queue("~quorum", {"x-queue-type": "quorum"}, durable=True)
    for queue in ("~plain", "~classic", "~quorum"):
        for kind in ("absent", "classic", "quorum"):
            same = queue == "~" + kind or "quorum" not in (queue[1:], kind)
            p.aux.call("queue.declare", queue=queue, durable=True, step=f"{queue} as {kind}",
                       arguments={} if kind == "absent" else {"x-queue-type": kind},
                       says=[] if same else ["x-queue-type"])


@sequence("arguments: x-delivery-limit compared")
def _(p):
    quorum = {"x-queue-type": "quorum"}
    p.aux.queue("~q", {**quorum, "x-delivery-limit": 3}, durable=True)
    for step, more in (("the same", {"x-delivery-limit": As("l", 3)}),
                       ("another", {"x-delivery-limit": 4}), ("absent", {})):
        p.aux.call("queue.declare", queue="~q", durable=True, arguments={**quorum, **more},
                   step=step, says=[] if step == "the same" else ["x-delivery-limit"])


@sequence("arguments: durable and an argument both differ")
def _(p):
    p.ch.queue("~q", {"x-max-length": 5})
    p.ch.call("queue.declare", queue="~q", durable=True, arguments={"x-max-length": 6}, says=["~q"])


@sequence("arguments: a queue that was refused is not there")
def _(p):
    p.ch.call("queue.declare", queue="~q", arguments={"x-max-length": -1})
    p.aux.call("queue.declare", queue="~q", passive=True)


@sequence("arguments: two bad ones, and a good one twice")
def _(p):
    p.ch.call("queue.declare", queue="~q", arguments={"x-max-length": -1, "x-expires": "a"})
    p.aux.call("queue.declare", queue="~q", arguments=b"\x0cx-max-lengthI\0\0\0\x05" * 2)
