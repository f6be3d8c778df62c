"""Exchanges: declaring, deleting, binding, alternate, internal, auto-delete."""
from registry import each, sequence
from wire import As


@each("exchange.declare: {}", ["direct", "fanout", "topic", "headers"])
def _(p, kind):
    p.ch.call("exchange.declare", exchange="~x", type=kind)
    p.ch.call("exchange.declare", exchange="~x", type=kind, step="again")
    p.ch.call("exchange.declare", exchange="~x", passive=True, step="passive")
    p.ch.call("exchange.declare", exchange="~x", passive=True, type="nonsense", durable=True,
              step="passive, other type")


@each("exchange.declare: type {!r}", ["nonsense", "", "Direct", "x-delayed-message"])
def _(p, kind):
    p.ch.call("exchange.declare", exchange="~x", type=kind, says=[kind])


@each("exchange.declare: other {}", [
    ("type", dict(type="fanout"), ["~x", "type", "direct", "fanout"]),
    ("durable", dict(durable=True), ["~x", "durable"]),
    ("auto_delete", dict(auto_delete=True), ["~x", "auto_delete"]),
    ("internal", dict(internal=True), ["~x", "internal"]),
    ("alternate-exchange", dict(arguments={"alternate-exchange": "~a"}),
     ["~x", "alternate-exchange"]),
    ("argument without a meaning", dict(arguments={"x-nothing": 1}), []),
])
def _(p, name, flags, says):
    p.ch.exchange("~x", "direct")
    p.ch.call("exchange.declare", **{"exchange": "~x", "type": "direct", **flags}, says=says)
    p.aux.call("exchange.declare", exchange="~x", passive=True, step="passive")


@sequence("exchange.declare: another alternate-exchange")
def _(p):
    p.ch.exchange("~x", arguments={"alternate-exchange": "~a"})
    p.ch.call("exchange.declare", exchange="~x", type="direct",
              arguments={"alternate-exchange": "~a"}, step="the same")
    p.ch.call("exchange.declare", exchange="~x", type="direct",
              arguments={"alternate-exchange": "~b"}, says=["alternate-exchange", "~x"])


@sequence("exchange.declare: without the alternate-exchange it has")
def _(p):
    p.ch.exchange("~x", arguments={"alternate-exchange": "~a"})
    p.ch.call("exchange.declare", exchange="~x", type="direct", says=["alternate-exchange"])


@each("exchange.declare: alternate-exchange {}", [
    ("number", 5), ("boolean", True), ("void", None), ("table", {"a": 1}), ("array", ["a"]),
    ("bytes", As("x", b"a")), ("empty", ""),
])
def _(p, name, value):
    p.ch.call("exchange.declare", exchange="~x", type="direct",
              arguments={"alternate-exchange": value},
              says=[] if name == "empty" else ["alternate-exchange"])


@sequence("exchange.declare: passive, missing")
def _(p):
    p.ch.call("exchange.declare", exchange="~x", passive=True, says=["~x"])


@each("exchange.declare: {}", [
    ("amq. prefix", "amq.mine"), ("amq.direct again", "amq.direct"), ("default exchange", ""),
    ("only amq.", "amq."), ("amq without a dot", "amq"),
])
def _(p, name, exchange):
    p.ch.call("exchange.declare", exchange=exchange, type="direct", durable=True,
              says=[exchange] if exchange else [])


@sequence("exchange.declare: amq. prefix, passive, missing")
def _(p):
    p.ch.call("exchange.declare", exchange="amq.mine", passive=True)


@sequence("exchange.declare: amq.direct as another type")
def _(p):
    p.ch.call("exchange.declare", exchange="amq.direct", type="fanout", durable=True)


@sequence("exchange.declare: default exchange, passive")
def _(p):
    p.ch.call("exchange.declare", exchange="", passive=True)


@each("exchange.declare: {} is there", [
    "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace"])
def _(p, exchange):
    p.ch.call("exchange.declare", exchange=exchange, passive=True)


@sequence("exchange.declare: no_wait")
def _(p):
    p.ch.send("exchange.declare", exchange="~x", type="fanout", no_wait=True)
    p.ch.call("exchange.declare", exchange="~x", passive=True, step="passive")


@sequence("exchange.declare: no_wait that fails")
def _(p):
    p.ch.exchange("~x", "fanout")
    p.ch.send("exchange.declare", exchange="~x", type="topic", no_wait=True)
    p.ch.take(says=["~x"])


@sequence("exchange.delete: missing, unused, used")
def _(p):
    ch = p.ch
    ch.call("exchange.delete", exchange="~missing")
    ch.call("exchange.delete", exchange="~missing", if_unused=True, step="missing, if_unused")
    ch.exchange("~x")
    ch.call("exchange.delete", exchange="~x", if_unused=True, step="unused")
    ch.exchange("~x")
    ch.queue("~q")
    ch.bind("~q", "~x", "k")
    ch.call("exchange.delete", exchange="~x", if_unused=True, step="used", says=["~x"])
    p.aux.call("exchange.delete", exchange="~x", step="used, unconditionally")


@sequence("exchange.delete: used by an exchange")
def _(p):
    p.ch.exchange("~x")
    p.ch.exchange("~y")
    p.ch.do("exchange.bind", source="~x", destination="~y", routing_key="k")
    p.ch.call("exchange.delete", exchange="~y", if_unused=True, step="destination")
    p.ch.call("exchange.delete", exchange="~x", if_unused=True, step="source")


@sequence("exchange.delete: source of an exchange")
def _(p):
    p.ch.exchange("~x")
    p.ch.exchange("~y")
    p.ch.do("exchange.bind", source="~x", destination="~y", routing_key="k")
    p.ch.call("exchange.delete", exchange="~x", if_unused=True, step="source", says=["~x"])


@each("exchange.delete: {!r}", ["amq.direct", "amq.nothing", ""])
def _(p, exchange):
    p.ch.call("exchange.delete", exchange=exchange, says=[exchange])


@sequence("exchange: bindings go with it")
def _(p):
    ch = p.ch
    ch.exchange("~x")
    ch.queue("~q")
    ch.bind("~q", "~x", "k")
    ch.do("exchange.delete", exchange="~x")
    ch.exchange("~x")
    ch.publish("~x", "k", "lost", mandatory=True)
    ch.take()


BINDS = [("queue", "queue"), ("exchange", "destination")]


@each("{0}.bind: missing things", BINDS)
def _(p, kind, field):
    p.ch.exchange("~x")
    p.ch.queue("~q")
    there = {"queue": "~q", "destination": "~x"}[field]
    source = {"queue": "exchange", "destination": "source"}[field]
    for step, names, says in (
        ("no source", {source: "~missing", field: there}, "~missing"),
        ("no destination", {source: "~x", field: "~missing"}, "~missing"),
        ("neither", {source: "~missing", field: "~absent"}, ""),
    ):
        p.aux.call(f"{kind}.bind", **names, routing_key="k", step=step, says=[says])


@each("{0}.unbind: missing things", BINDS)
def _(p, kind, field):
    p.ch.exchange("~x")
    p.ch.queue("~q")
    there = {"queue": "~q", "destination": "~x"}[field]
    source = {"queue": "exchange", "destination": "source"}[field]
    for step, names in (
        ("not bound", {source: "~x", field: there}),
        ("no source", {source: "~missing", field: there}),
        ("no destination", {source: "~x", field: "~missing"}),
        ("neither", {source: "~missing", field: "~absent"}),
    ):
        p.aux.call(f"{kind}.unbind", **names, routing_key="k", step=step)


@each("{0}.{2}: default exchange as the source", [
    ("queue", dict(queue="~q", exchange=""), "bind"),
    ("queue", dict(queue="~q", exchange=""), "unbind"),
    ("exchange", dict(destination="~x", source=""), "bind"),
    ("exchange", dict(destination="~x", source=""), "unbind"),
])
def _(p, kind, names, verb):
    p.ch.exchange("~x")
    p.ch.queue("~q")
    p.ch.call(f"{kind}.{verb}", **names, routing_key="k")


@each("exchange.{}: default exchange as the destination", ["bind", "unbind"])
def _(p, verb):
    p.ch.exchange("~x")
    p.ch.call(f"exchange.{verb}", destination="", source="~x")


@sequence("queue.bind: no_wait")
def _(p):
    ch = p.ch
    ch.exchange("~x")
    ch.queue("~q")
    ch.send("queue.bind", queue="~q", exchange="~x", routing_key="k", no_wait=True)
    ch.publish("~x", "k", "a")
    ch.get("~q")


@sequence("queue.bind: twice is once, unbound by one")
def _(p):
    ch = p.ch
    ch.exchange("~x")
    ch.queue("~q")
    ch.bind("~q", "~x", "k")
    ch.call("queue.bind", queue="~q", exchange="~x", routing_key="k")
    ch.publish("~x", "k", "a")
    ch.drain("~q")
    ch.call("queue.unbind", queue="~q", exchange="~x", routing_key="k")
    ch.publish("~x", "k", "a", mandatory=True)
    ch.take()


@sequence("queue.bind: arguments tell bindings apart")
def _(p):
    ch = p.ch
    ch.exchange("~x")
    ch.queue("~q")
    ch.bind("~q", "~x", "k", {"a": 1})
    ch.bind("~q", "~x", "k", {"a": 2})
    ch.do("queue.unbind", queue="~q", exchange="~x", routing_key="k")
    ch.do("queue.unbind", queue="~q", exchange="~x", routing_key="k", arguments={"a": 1})
    ch.publish("~x", "k", "one binding left")
    ch.drain("~q")
    ch.do("queue.unbind", queue="~q", exchange="~x", routing_key="k", arguments={"a": As("l", 2)})
    ch.publish("~x", "k", "after an unbind with a wider integer", mandatory=True)
    ch.rest("~q")
    ch.drain("~q")


@sequence("queue.bind: exclusive queue of another connection")
def _(p):
    p.ch.exchange("~x")
    p.ch.queue("~q", exclusive=True)
    p.aux.call("queue.bind", queue="~q", exchange="~x", says=["~q"])
    p.aux.call("queue.unbind", queue="~q", exchange="~x", says=["~q"])


@sequence("queue.unbind: exclusive queue of another connection, bound")
def _(p):
    p.ch.exchange("~x")
    p.ch.queue("~q", exclusive=True)
    p.ch.bind("~q", "~x", "k")
    p.aux.call("queue.unbind", queue="~q", exchange="~x", routing_key="k", says=["~q"])
    p.ch.publish("~x", "k", "still bound?", mandatory=True)
    p.ch.sync()
    p.ch.drain("~q")


@sequence("exchange: auto-delete goes with its last binding")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout", auto_delete=True)
    ch.queue("~q")
    ch.queue("~r")
    ch.count("~q")
    ch.call("exchange.declare", exchange="~x", passive=True, step="before any binding")
    ch.bind("~q", "~x")
    ch.bind("~r", "~x")
    ch.do("queue.unbind", queue="~q", exchange="~x")
    ch.call("exchange.declare", exchange="~x", passive=True, step="one left")
    ch.do("queue.delete", queue="~r")
    p.gone("exchange", "~x")


@sequence("exchange: auto-delete goes when its last exchange goes")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout", auto_delete=True)
    ch.exchange("~y", "fanout")
    ch.do("exchange.bind", source="~x", destination="~y")
    ch.do("exchange.delete", exchange="~y")
    p.gone("exchange", "~x")


@sequence("exchange: auto-delete stays when it is only a destination")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    ch.exchange("~y", "fanout", auto_delete=True)
    ch.do("exchange.bind", source="~x", destination="~y")
    ch.do("exchange.unbind", source="~x", destination="~y")
    ch.call("exchange.declare", exchange="~y", passive=True)


@sequence("exchange: auto-delete in a chain goes one after another")
def _(p):
    ch = p.ch
    for name in ("~x", "~y"):
        ch.exchange(name, "fanout", auto_delete=True)
    ch.queue("~q")
    ch.do("exchange.bind", source="~x", destination="~y")
    ch.bind("~q", "~y")
    ch.do("queue.delete", queue="~q")
    p.gone("exchange", "~y")
    p.gone("exchange", "~x")


@sequence("exchange: internal")
def _(p):
    ch = p.ch
    ch.exchange("~in", "fanout", internal=True)
    ch.exchange("~out", "fanout")
    ch.queue("~q")
    ch.do("exchange.bind", source="~out", destination="~in")
    ch.bind("~q", "~in")
    ch.publish("~out", "", "through")
    ch.get("~q")
    ch.publish("~in", "", "directly")
    ch.take(says=["~in"])
