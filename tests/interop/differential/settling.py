"""ack, nack, reject and recover: tags, multiple, requeueing, redelivery."""
from consuming import bodies, fill
from registry import each, sequence


@each("settle: basic.{} of an unknown tag", ["ack", "nack", "reject"])
def _(p, verdict):
    p.ch.settle(verdict, 5)
    p.ch.take(says=["5"])


@each("settle: basic.{} twice", ["ack", "nack", "reject"])
def _(p, verdict):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 2)
    ch.do_get("~q", no_ack=False)
    ch.do_get("~q", no_ack=False)
    ch.settle(verdict, 1)
    ch.rest()
    ch.settle(verdict, 1)
    ch.take(says=["1"])


@each("settle: basic.{} of tag 0", ["ack", "nack", "reject"])
def _(p, verdict):
    p.ch.settle(verdict, 0)
    p.ch.send("channel.flow", active=True)
    p.ch.take(says=["0"])


@each("settle: basic.{} of tag 0 and multiple, none unacked", ["ack", "nack"])
def _(p, verdict):
    p.ch.settle(verdict, 0, multiple=True)
    p.ch.rest()


@each("settle: basic.{} of an unknown tag and multiple", ["ack", "nack"])
def _(p, verdict):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 2)
    ch.do_get("~q", no_ack=False)
    ch.settle(verdict, 9, multiple=True)
    ch.take(says=["9"])


@each("settle: basic.{} and multiple of a tag that is settled, others below it not", [
    "ack", "nack"])
def _(p, verdict):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 3)
    for _ in range(3):
        ch.do_get("~q", no_ack=False)
    ch.settle("ack", 2)
    ch.settle(verdict, 2, multiple=True)
    ch.send("channel.flow", active=True)
    ch.take()


@sequence("settle: ack of the last tag again and multiple")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.do_get("~q", no_ack=False)
    ch.settle("ack", 1, multiple=True)
    ch.settle("ack", 1, multiple=True)
    ch.send("channel.flow", active=True)
    ch.take()


@sequence("settle: ack of tag 0 and multiple is all")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 4)
    for _ in range(3):
        ch.do_get("~q", no_ack=False)
    ch.settle("ack", 0, multiple=True)
    ch.sync()
    ch.do("channel.close")
    ch.closed = True
    p.aux.drain("~q")


@sequence("settle: ack of some and multiple")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 4)
    for _ in range(4):
        ch.do_get("~q", no_ack=False)
    ch.settle("ack", 2, multiple=True)
    ch.sync()
    ch.do("channel.close")
    ch.closed = True
    p.aux.drain("~q")


@sequence("settle: tags belong to their channel")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.queue("~q")
    fill(one, "~q", 1)
    one.do_get("~q", no_ack=False)
    two.settle("ack", 1)
    two.take(says=["1"])
    one.settle("ack", 1)
    one.rest()


@sequence("settle: ack of what no_ack delivered")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.get("~q")
    ch.settle("ack", 1)
    ch.take(says=["1"])


@sequence("requeue: each goes back to its place")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 5)
    for _ in range(4):
        ch.do_get("~q", no_ack=False)
    ch.settle("reject", 3, requeue=True)
    ch.settle("reject", 1, requeue=True)
    ch.settle("nack", 4, requeue=True)
    ch.sync()
    ch.drain("~q")


@sequence("requeue: nack of all")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 4)
    for _ in range(3):
        ch.do_get("~q", no_ack=False)
    ch.settle("nack", 0, multiple=True, requeue=True)
    ch.sync()
    ch.drain("~q")


@sequence("requeue: to a consumer that is there")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q")
    fill(ch, "~q", 2)
    bodies(p, ch, 1, "first")
    ch.settle("reject", 1, requeue=True)
    bodies(p, ch, 1, "again")
    ch.settle("ack", 2)
    bodies(p, ch, 1, "second")


@sequence("requeue: to another consumer")
def _(p):
    one, two = p.connect().channel(), p.connect().channel()
    one.queue("~q")
    one.do("basic.qos", prefetch_count=1)
    one.consume("~q", "one")
    fill(p.ch, "~q", 1)
    bodies(p, one, 1, "one")
    two.consume("~q", "two")
    one.do("basic.cancel", tag="one")
    one.settle("nack", 1, requeue=True)
    bodies(p, two, 1, "two")


@sequence("requeue: redelivered also by get, and after a get")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.get("~q", no_ack=False)
    ch.settle("reject", 1, requeue=True)
    ch.sync()
    ch.get("~q", no_ack=False)
    ch.settle("reject", 2, requeue=True)
    ch.sync()
    ch.consume("~q")
    ch.take()


@each("settle: {} without requeue drops", ["nack", "reject"])
def _(p, verdict):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 2)
    ch.do_get("~q", no_ack=False)
    ch.settle(verdict, 1, requeue=False)
    ch.sync()
    ch.drain("~q")


@sequence("redelivery: a lost connection's messages, in their order")
def _(p):
    ch = p.connect().channel()
    ch.queue("~q")
    fill(ch, "~q", 4)
    ch.consume("~q")
    bodies(p, ch, 4, "first")
    ch.settle("ack", 2)
    ch.sync()
    ch.connection.drop()
    p.until("~q", messages=3, consumers=0)
    p.ch.consume("~q", "d")
    bodies(p, p.ch, 3, "again")


@sequence("redelivery: two consumers' messages come back in queue order")
def _(p):
    one, two = p.connect().channel(), p.connect().channel()
    p.ch.queue("~q")
    one.consume("~q", "1")
    two.consume("~q", "2")
    fill(p.ch, "~q", 6)
    bodies(p, one, 3, "one")
    bodies(p, two, 3, "two")
    two.connection.close()
    bodies(p, one, 3, "one gets two's")
    one.connection.close()
    p.until("~q", messages=6, consumers=0)
    p.ch.drain("~q")


@sequence("recover: requeue")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 3)
    for _ in range(2):
        ch.do_get("~q", no_ack=False)
    ch.call("basic.recover", requeue=True)
    ch.drain("~q")


@sequence("recover: to the same consumer")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.consume("~q")
    fill(ch, "~q", 2)
    bodies(p, ch, 2, "first")
    ch.call("basic.recover", requeue=True)
    bodies(p, ch, 2, "again")


@sequence("recover: nothing to recover")
def _(p):
    p.ch.call("basic.recover", requeue=True)


@sequence("recover: without requeue")
def _(p):
    p.ch.call("basic.recover", requeue=False)


@sequence("recover-async: requeue")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.do_get("~q", no_ack=False)
    ch.send("basic.recover-async", requeue=True)
    ch.rest("~q")
    ch.drain("~q")


@sequence("recover-async: without requeue")
def _(p):
    p.ch.send("basic.recover-async", requeue=False)
    p.ch.send("channel.flow", active=True)
    p.ch.take(step="recover-async")


@sequence("recover: does not touch other channels")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.queue("~q")
    fill(one, "~q", 2)
    one.do_get("~q", no_ack=False)
    two.do_get("~q", no_ack=False)
    two.call("basic.recover", requeue=True)
    one.drain("~q")
