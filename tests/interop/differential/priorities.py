"""Which consumer is served first: x-priority, and single active consumers."""
from consuming import bodies, fill
from registry import each, sequence


@sequence("consumer priority: higher first, turns among equals")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=2)
    ch.consume("~q", "low", {"x-priority": -5})
    ch.consume("~q", "none")
    ch.consume("~q", "high1", {"x-priority": 10})
    ch.consume("~q", "high2", {"x-priority": 10})
    fill(ch, "~q", 8)
    bodies(p, ch, 8, "order")


@sequence("consumer priority: a lower one gets what the higher has no credit for")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q", "high", {"x-priority": 1})
    ch.do("basic.qos", prefetch_count=0)
    ch.consume("~q", "low")
    fill(ch, "~q", 3)
    got = bodies(p, ch, 3, "order")
    ch.settle("ack", got[0].values["delivery_tag"])
    ch.sync()
    fill(ch, "~q", 1, 4)
    bodies(p, ch, 1, "high has credit again")


@each("consumer priority: x-priority {}", [
    ("text", "5"), ("double", 5.0), ("true", True), ("void", None), ("2^40", 2**40), ("array", [1]),
])
def _(p, name, value):
    p.ch.queue("~q")
    p.ch.call("basic.consume", queue="~q", tag="c", arguments={"x-priority": value},
              says=["x-priority"])


@sequence("single active consumer: one at a time, in order of coming")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-single-active-consumer": True})
    for tag in "abc":
        ch.consume("~q", tag)
    fill(ch, "~q", 3)
    bodies(p, ch, 3, "first")
    ch.do("basic.cancel", tag="a")
    fill(ch, "~q", 2, 4)
    bodies(p, ch, 2, "after a was cancelled")
    ch.do("basic.cancel", tag="c")
    fill(ch, "~q", 1, 6)
    bodies(p, ch, 1, "after c, which waited, was cancelled")


@sequence("single active consumer: prefetch of the active one holds all back")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-single-active-consumer": True})
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q", "a")
    ch.consume("~q", "b")
    fill(ch, "~q", 3)
    bodies(p, ch, 1, "first")
    ch.rest("~q")
    ch.settle("ack", 1)
    bodies(p, ch, 1, "next")
    ch.count("~q")


@sequence("single active consumer: its connection goes")
def _(p):
    one = p.connect().channel()
    one.queue("~q", {"x-single-active-consumer": True})
    one.consume("~q", "a")
    p.ch.consume("~q", "b")
    fill(p.ch, "~q", 2)
    bodies(p, one, 2, "a")
    one.connection.close()
    bodies(p, p.ch, 2, "b gets them again")


@sequence("single active consumer: exclusive consumers")
def _(p):
    p.ch.queue("~q", {"x-single-active-consumer": True})
    p.ch.call("basic.consume", queue="~q", tag="a", exclusive=True, says=["~q"])


@sequence("single active consumer: priorities")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-single-active-consumer": True})
    ch.consume("~q", "low", {"x-priority": 1})
    ch.consume("~q", "high", {"x-priority": 10})
    fill(ch, "~q", 2)
    bodies(p, ch, 2, "a higher one comes")
    ch.consume("~q", "mid", {"x-priority": 5})
    ch.do("basic.cancel", tag="low")
    fill(ch, "~q", 1, 3)
    bodies(p, ch, 1, "the active one goes")
