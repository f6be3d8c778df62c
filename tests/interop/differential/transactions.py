"""tx: publishes and settlements wait for commit; rollback forgets them."""
from consuming import fill
from registry import each, sequence


@each("tx.{} without select", ["commit", "rollback"])
def _(p, verb):
    p.ch.call(f"tx.{verb}")


@sequence("tx.select: twice")
def _(p):
    p.ch.call("tx.select")
    p.ch.call("tx.select")


@sequence("tx: select on a channel with confirms")
def _(p):
    p.ch.do("confirm.select")
    p.ch.call("tx.select")


@sequence("tx: confirm on a channel with tx")
def _(p):
    p.ch.do("tx.select")
    p.ch.call("confirm.select")


@sequence("tx: commit and rollback of nothing")
def _(p):
    p.ch.do("tx.select")
    p.ch.call("tx.commit")
    p.ch.call("tx.rollback")
    p.ch.call("tx.commit")


@sequence("tx: publishes are there after commit")
def _(p):
    ch = p.ch
    ch.queue("~q", durable=True)
    ch.do("tx.select")
    ch.publish("", "~q", "a", delivery_mode=2)
    ch.publish("", "~q", "b")
    ch.rest("~q")
    p.aux.get("~q", step="before")
    ch.call("tx.commit")
    p.aux.drain("~q", step="after")


@sequence("tx: publishes are gone after rollback")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("tx.select")
    ch.publish("", "~q", "a")
    ch.call("tx.rollback")
    ch.publish("", "~q", "b")
    ch.call("tx.commit")
    p.aux.drain("~q")


@sequence("tx: acks take effect with commit")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 2)
    ch.do("tx.select")
    ch.do_get("~q", no_ack=False)
    ch.do_get("~q", no_ack=False)
    ch.settle("ack", 1)
    ch.do("tx.commit")
    ch.settle("ack", 2)
    ch.sync()
    ch.do("channel.close")
    ch.closed = True
    p.aux.drain("~q")


@sequence("tx: acks rolled back can be given again")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 2)
    ch.do("tx.select")
    ch.do_get("~q", no_ack=False)
    ch.do_get("~q", no_ack=False)
    ch.settle("ack", 2, multiple=True)
    ch.call("tx.rollback")
    ch.settle("ack", 1)
    ch.call("tx.commit")
    ch.do("channel.close")
    ch.closed = True
    p.aux.drain("~q")


@sequence("tx: rollback does not redeliver")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.consume("~q")
    fill(ch, "~q", 1)
    ch.take()
    ch.do("tx.select")
    ch.settle("ack", 1)
    ch.do("tx.rollback")
    ch.rest("~q")


@each("tx: {} with requeue {}", [
    ("nack", True), ("reject", True), ("nack", False), ("reject", False)])
def _(p, verdict, requeue):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.do("tx.select")
    ch.do_get("~q", no_ack=False)
    ch.settle(verdict, 1, requeue=requeue)
    ch.sync()
    p.aux.get("~q", step="before commit")
    ch.do("tx.commit")
    p.aux.drain("~q", step="after commit")


@sequence("tx: requeue is seen only after commit")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.do("tx.select")
    ch.do_get("~q", no_ack=False)
    ch.settle("reject", 1, requeue=True)
    ch.sync()
    p.aux.get("~q", step="before commit")


@sequence("tx: unknown tag is told at once")
def _(p):
    p.ch.do("tx.select")
    p.ch.settle("ack", 5)
    p.ch.take(says=["5"])


@sequence("tx: the same tag twice in one transaction")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.do("tx.select")
    ch.do_get("~q", no_ack=False)
    ch.settle("ack", 1)
    ch.settle("ack", 1)
    ch.take(says=["1"])


@sequence("tx: missing exchange is told at once")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("tx.select")
    ch.publish("", "~q", "lost with the channel")
    ch.publish("~missing", "k", "m")
    ch.take(says=["~missing"])
    p.aux.get("~q")


@sequence("tx: mandatory returns come with commit, before commit-ok")
def _(p):
    ch = p.ch
    ch.do("tx.select")
    ch.publish("", "~missing", "a", mandatory=True)
    ch.rest()
    ch.send("tx.commit")
    ch.take(2, step="commit")


@sequence("tx: mandatory and rolled back")
def _(p):
    ch = p.ch
    ch.do("tx.select")
    ch.publish("", "~missing", "a", mandatory=True)
    ch.call("tx.rollback")
    ch.rest()


@sequence("tx: routed when it is published, not when it is committed")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    ch.queue("~before")
    ch.queue("~after")
    ch.bind("~before", "~x")
    ch.do("tx.select")
    ch.publish("~x", "", "m")
    ch.sync()
    p.aux.bind("~after", "~x")
    p.aux.do("queue.unbind", queue="~before", exchange="~x")
    ch.do("tx.commit")
    p.aux.drain("~before", step="before")
    p.aux.drain("~after", step="after")


@sequence("tx: queue or exchange deleted before commit")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    ch.queue("~q")
    ch.bind("~q", "~x")
    ch.do("tx.select")
    ch.publish("~x", "", "m")
    ch.sync()
    p.aux.do("exchange.delete", exchange="~x")
    ch.call("tx.commit")
    ch.do("tx.rollback")
    ch.publish("", "~q", "m")
    ch.sync()
    p.aux.drain("~q", step="exchange deleted")
    p.aux.do("queue.delete", queue="~q")
    ch.call("tx.commit")


@sequence("tx: uncommitted goes with the channel, unacked comes back")
def _(p):
    c = p.connect()
    ch = c.channel()
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.do("tx.select")
    ch.do_get("~q", no_ack=False)
    ch.settle("ack", 1)
    ch.publish("", "~q", "never")
    ch.do("channel.close")
    ch.closed = True
    p.aux.drain("~q")


@sequence("tx: full queue that rejects")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 1, "x-overflow": "reject-publish"})
    ch.do("tx.select")
    ch.publish("", "~q", "a")
    ch.publish("", "~q", "b")
    ch.call("tx.commit")
    p.aux.drain("~q")


@sequence("tx: consumer gets what is committed")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("tx.select")
    ch.consume("~q")
    ch.publish("", "~q", "a")
    ch.rest("~q")
    ch.do("tx.commit")
    ch.take()


@sequence("tx: no-ack get is not part of it")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.do("tx.select")
    ch.get("~q")
    ch.do("tx.rollback")
    ch.get("~q")


@sequence("tx: qos credit comes back with commit")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.do("basic.qos", prefetch_count=1)
    fill(ch, "~q", 2)
    ch.do("tx.select")
    ch.consume("~q")
    ch.take()
    ch.settle("ack", 1)
    ch.rest("~q")
    ch.do("tx.commit")
    ch.take()


@sequence("tx: recover of what is acked in it")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 2)
    ch.do("tx.select")
    ch.do_get("~q", no_ack=False)
    ch.do_get("~q", no_ack=False)
    ch.settle("ack", 1)
    ch.call("basic.recover", requeue=True)
    ch.call("tx.commit")
    p.aux.drain("~q")


@each("tx: bad {}", [("expiration", dict(expiration="x")), ("user_id", dict(user_id="x"))])
def _(p, name, properties):
    p.ch.queue("~q")
    p.ch.do("tx.select")
    p.ch.publish("", "~q", "m", **properties)
    p.ch.take()
