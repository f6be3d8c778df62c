"""basic.consume, cancel and qos; who gets what, and in which order."""
from registry import each, sequence


def bodies(p, channel, count, step):
    """Who gets the next messages, as tag:body, flagged with ! when redelivered."""
    got = []
    for _ in range(count):
        item = channel.next(lambda item: item.name == "basic.deliver")
        got.append(item)
        if item.name != "basic.deliver":
            p.note(step, p.describe(item))
            return got
    p.note(step, " ".join(f"{i.values['tag']}:{i.body.decode()}{'!' * i.values['redelivered']}"
                          for i in got))
    return got


def fill(channel, queue, count, first=1):
    for number in range(first, first + count):
        channel.publish("", queue, str(number))


@sequence("consume: tags given and made up")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.call("basic.consume", queue="~q", tag="mine")
    ch.call("basic.consume", queue="~q", tag="")
    ch.call("basic.consume", queue="~q", tag="t" * 255)
    ch.call("basic.cancel", tag="mine")
    ch.call("basic.cancel", tag="unknown")
    ch.call("basic.cancel", tag="")


@sequence("consume: missing queue")
def _(p):
    p.ch.call("basic.consume", queue="~missing", tag="c", says=["~missing"])


@sequence("consume: tag in use")
def _(p):
    p.ch.queue("~q")
    p.ch.queue("~r")
    p.ch.consume("~q", "c")
    p.ch.call("basic.consume", queue="~r", tag="c", says=["c"])


@sequence("consume: the same tag on another channel, and again after cancel")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.queue("~q")
    one.call("basic.consume", queue="~q", tag="c")
    two.call("basic.consume", queue="~q", tag="c")
    one.call("basic.cancel", tag="c")
    one.call("basic.consume", queue="~q", tag="c")


@sequence("consume: no_wait")
def _(p):
    p.ch.queue("~q")
    p.ch.send("basic.consume", queue="~q", tag="c", no_wait=True)
    p.ch.publish("", "~q", "a")
    p.ch.take()
    p.ch.send("basic.cancel", tag="c", no_wait=True)
    p.ch.sync()
    p.ch.publish("", "~q", "b")
    p.ch.rest("~q")


@sequence("consume: exclusive")
def _(p):
    p.ch.queue("~q")
    p.ch.call("basic.consume", queue="~q", tag="c", exclusive=True)
    other = p.connect().channel()
    other.call("basic.consume", queue="~q", tag="d", says=["~q"])
    other = p.connect().channel()
    other.call("basic.consume", queue="~q", tag="d", exclusive=True, says=["~q"])
    p.aux.call("basic.get", queue="~q", step="get is no consumer")
    p.ch.do("basic.cancel", tag="c")
    other = p.connect().channel()
    other.call("basic.consume", queue="~q", tag="d", exclusive=True)


@sequence("consume: exclusive when there is another")
def _(p):
    p.ch.queue("~q")
    p.ch.consume("~q")
    p.ch.call("basic.consume", queue="~q", tag="d", exclusive=True, says=["~q"])


@sequence("consume: no_local has no meaning")
def _(p):
    p.ch.queue("~q")
    p.ch.call("basic.consume", queue="~q", tag="c", no_local=True)
    p.ch.publish("", "~q", "from here")
    p.ch.take()


@sequence("consume: delivery tags count through all consumers and gets of a channel")
def _(p):
    ch = p.ch
    ch.queue("~1")
    ch.queue("~2")
    ch.consume("~1", "a")
    ch.publish("", "~1", "x")
    ch.take()
    ch.publish("", "~2", "y")
    ch.get("~2", no_ack=False)
    ch.consume("~2", "b", no_ack=True)
    ch.publish("", "~2", "z")
    ch.take()
    ch.publish("", "~2", "z2")
    ch.take()


@sequence("consume: turns of two, no prefetch")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.consume("~q", "a")
    ch.consume("~q", "b")
    fill(ch, "~q", 6)
    bodies(p, ch, 6, "turns")


@sequence("consume: turns of three workers on their connections")
def _(p):
    workers = [p.connect().channel() for _ in range(3)]
    p.ch.queue("~q")
    for number, worker in enumerate(workers):
        worker.do("basic.qos", prefetch_count=5)
        worker.consume("~q", f"w{number}")
    fill(p.ch, "~q", 9)
    for worker in workers:
        bodies(p, worker, 3, "worker")


@sequence("consume: what waits goes to the first consumer, in order")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 4)
    ch.sync()
    ch.consume("~q", "a")
    bodies(p, ch, 4, "all")


@sequence("consume: no_ack")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q", no_ack=True)
    fill(ch, "~q", 3)
    bodies(p, ch, 3, "prefetch does not matter")
    ch.count("~q", messages=0)
    ch.settle("ack", 1)
    ch.take(says=["1"])


@sequence("cancel: nothing after cancel-ok, unacked stays unacked")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.consume("~q")
    ch.publish("", "~q", "a")
    ch.take()
    ch.do("basic.cancel", tag="c")
    ch.publish("", "~q", "b")
    ch.rest("~q")
    ch.count("~q", messages=1)
    ch.settle("ack", 1)
    ch.sync()
    ch.do("channel.close")
    ch.closed = True
    p.aux.drain("~q")


@sequence("cancel: prefetched messages come back with the channel only")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 3)
    ch.consume("~q")
    bodies(p, ch, 3, "delivered")
    ch.do("basic.cancel", tag="c")
    ch.count("~q")
    ch.settle("nack", 3, multiple=True, requeue=True)
    ch.sync()
    p.aux.drain("~q")


@sequence("cancel: by the broker when the queue is deleted")
def _(p):
    p.ch.queue("~q")
    p.ch.consume("~q", "c")
    p.ch.consume("~q", "d")
    p.aux.do("queue.delete", queue="~q")
    got = sorted(p.ch.next().values["tag"] for _ in range(2))
    p.note("cancelled", " ".join(got))
    p.ch.call("basic.cancel", tag="c", step="cancel afterwards")
    p.ch.queue("~r")
    p.ch.call("basic.consume", queue="~r", tag="c", step="the tag is free")


@sequence("cancel: not told to a client without the capability")
def _(p):
    ch = p.connect(capabilities={}).channel()
    ch.queue("~q")
    ch.consume("~q")
    p.ch.do("queue.delete", queue="~q")
    ch.rest()


@sequence("cancel: cancel-ok sent by the client is ignored or not")
def _(p):
    p.ch.queue("~q")
    p.ch.consume("~q")
    p.aux.do("queue.delete", queue="~q")
    p.ch.take()
    p.ch.send("basic.cancel-ok", tag="c")
    p.ch.send("channel.flow", active=True)
    p.ch.take(step="cancel-ok")


@sequence("qos: prefetch_size")
def _(p):
    p.ch.call("basic.qos", prefetch_size=1)


@sequence("qos: prefetch of one")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    fill(ch, "~q", 3)
    ch.consume("~q")
    bodies(p, ch, 1, "one")
    ch.rest("~q")
    ch.settle("ack", 1)
    bodies(p, ch, 1, "after the ack")
    ch.settle("nack", 2, requeue=True)
    bodies(p, ch, 1, "after the nack")
    ch.rest("~q")


@sequence("qos: for consumers started later")
def _(p):
    ch = p.ch
    ch.queue("~1")
    ch.queue("~2")
    ch.consume("~1", "a")
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~2", "b")
    fill(ch, "~1", 3)
    bodies(p, ch, 3, "a without a limit")
    fill(ch, "~2", 3)
    bodies(p, ch, 1, "b with one")
    ch.do("basic.qos", prefetch_count=5)
    ch.rest("~1", "~2")


@sequence("qos: each consumer has its own")
def _(p):
    ch = p.ch
    ch.queue("~1")
    ch.queue("~2")
    ch.do("basic.qos", prefetch_count=2)
    ch.consume("~1", "a")
    ch.consume("~2", "b")
    fill(ch, "~1", 3)
    bodies(p, ch, 2, "a")
    fill(ch, "~2", 3)
    bodies(p, ch, 2, "b")
    ch.rest("~1", "~2")


@sequence("qos: global, consumers share it")
def _(p):
    ch = p.ch
    ch.queue("~1")
    ch.queue("~2")
    ch.do("basic.qos", prefetch_count=2, **{"global": True})
    ch.consume("~1", "a")
    ch.consume("~2", "b")
    fill(ch, "~1", 3)
    bodies(p, ch, 2, "a takes both")
    fill(ch, "~2", 2)
    ch.rest("~1", "~2")
    ch.settle("ack", 2, multiple=True)
    for _ in range(2):
        ch.next()
    p.note("ack of both", "two more, of whichever queue")
    ch.rest("~1", "~2")


@sequence("qos: global takes effect on consumers that run")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.consume("~q", "a")
    ch.do("basic.qos", prefetch_count=1, **{"global": True})
    fill(ch, "~q", 3)
    bodies(p, ch, 1, "one")
    ch.rest("~q")
    ch.do("basic.qos", prefetch_count=2, **{"global": True})
    bodies(p, ch, 1, "another")
    ch.rest("~q")
    ch.do("basic.qos", prefetch_count=0, **{"global": True})
    bodies(p, ch, 1, "no limit")


@sequence("qos: global=false lifts the limit of the channel")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=2, **{"global": True})
    ch.do("basic.qos", prefetch_count=3)
    ch.consume("~q", "a")
    fill(ch, "~q", 5)
    bodies(p, ch, 3, "a")
    ch.consume("~q", "b")
    bodies(p, ch, 2, "b")


@sequence("qos: both limits, the lower one counts")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=2)
    ch.do("basic.qos", prefetch_count=3, **{"global": True})
    ch.consume("~q", "a")
    fill(ch, "~q", 6)
    bodies(p, ch, 2, "a: its own limit")
    ch.consume("~q", "b")
    bodies(p, ch, 1, "b: the channel's")
    ch.rest("~q")


@sequence("qos: get is outside of it")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    fill(ch, "~q", 4)
    ch.consume("~q")
    bodies(p, ch, 1, "consumer")
    ch.get("~q", no_ack=False)
    ch.settle("ack", 1)
    bodies(p, ch, 1, "the consumer again")
    ch.get("~q", no_ack=False)


@sequence("qos: the one without credit loses its turn, and rejoins at the end")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    for tag in "abc":
        ch.consume("~q", tag)
    fill(ch, "~q", 3)
    bodies(p, ch, 3, "one each")
    ch.settle("ack", 2)
    ch.sync()
    ch.settle("ack", 1)
    ch.sync()
    fill(ch, "~q", 2, 4)
    bodies(p, ch, 2, "b was free before a")
    ch.settle("ack", 3)
    ch.sync()
    fill(ch, "~q", 1, 6)
    bodies(p, ch, 1, "c")


@sequence("qos: all are out of credit, the first that is not is served")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    for tag in "abc":
        ch.consume("~q", tag)
    fill(ch, "~q", 6)
    bodies(p, ch, 3, "one each")
    for number in (2, 3, 1):
        ch.settle("ack", number)
        bodies(p, ch, 1, f"ack of {number}")


@sequence("consume: arguments without a meaning")
def _(p):
    p.ch.queue("~q")
    p.ch.call("basic.consume", queue="~q", tag="c", arguments={"x-nonsense": {"a": 1}, "b": None})


@each("consume: {}", [("x-stream-offset on a classic queue", {"x-stream-offset": "first"}),
                      ("x-cancel-on-ha-failover", {"x-cancel-on-ha-failover": True}),
                      ("x-credit", {"x-credit": {"credit": 1, "drain": False}})])
def _(p, name, arguments):
    p.ch.queue("~q")
    p.ch.call("basic.consume", queue="~q", tag="c", arguments=arguments)


@sequence("get: missing, empty, filled")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.get("~q")
    fill(ch, "~q", 3)
    ch.get("~q", no_ack=False)
    ch.get("~q")
    ch.get("~q")
    ch.get("~q")
    ch.call("basic.get", queue="~missing", says=["~missing"])
