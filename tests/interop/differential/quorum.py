"""Queues declared as quorum: delivery limit, x-delivery-count, and what they do like the others."""
from consuming import bodies, fill
from registry import each, sequence

QUORUM = {"x-queue-type": "quorum"}


def quorum(ch, name="~q", arguments=None):
    ch.queue(name, {**QUORUM, **(arguments or {})}, durable=True)
    ch.do("confirm.select")


def fill_surely(ch, queue, count, **properties):
    for number in range(1, count + 1):
        ch.publish("", queue, str(number), **properties)
    ch.confirms(count)


@sequence("quorum: publish, get, ack")
def _(p):
    ch = p.ch
    quorum(ch)
    fill_surely(ch, "~q", 2)
    ch.get("~q", no_ack=False)
    ch.settle("ack", 1)
    ch.sync()
    ch.get("~q")
    ch.get("~q")


@each("quorum: x-delivery-count counts up with {}", ["reject", "nack"])
def _(p, verdict):
    ch = p.ch
    quorum(ch)
    fill_surely(ch, "~q", 1, headers={"a": 1})
    ch.consume("~q")
    for number in range(1, 4):
        ch.take()
        ch.settle(verdict, number, requeue=True)
    ch.take()


@sequence("quorum: x-delivery-count by get, without headers of its own")
def _(p):
    ch = p.ch
    quorum(ch)
    fill_surely(ch, "~q", 1)
    for number in range(1, 4):
        ch.get("~q", no_ack=False)
        ch.settle("nack", number, requeue=True)
        p.until("~q", messages=1)
    ch.get("~q")


@sequence("quorum: x-delivery-count that the publisher made up")
def _(p):
    ch = p.ch
    quorum(ch)
    fill_surely(ch, "~q", 1, headers={"x-delivery-count": 77})
    ch.consume("~q")
    ch.take()
    ch.settle("nack", 1, requeue=True)
    ch.take()


@sequence("quorum: x-delivery-count after a lost connection, a channel and a recover")
def _(p):
    quorum(p.ch)
    fill_surely(p.ch, "~q", 1)
    ch = p.connect().channel()
    ch.consume("~q")
    ch.take(step="first")
    ch.connection.drop()
    p.until("~q", messages=1, consumers=0)
    ch = p.connect().channel()
    ch.consume("~q")
    ch.take(step="after the connection was lost")
    ch.do("channel.close")
    ch.closed = True
    p.until("~q", messages=1, consumers=0)
    ch = p.connect().channel()
    ch.consume("~q")
    ch.take(step="after the channel was closed")
    ch.send("basic.recover", requeue=True)
    for _ in range(2):
        item = ch.next()
        if item.name == "basic.deliver":
            p.note("after recover", p.describe(item))


@sequence("quorum: delivery limit, dead letter")
def _(p):
    ch = p.ch
    ch.queue("~dlq")
    quorum(ch, "~q", {"x-delivery-limit": 2, "x-dead-letter-exchange": "",
                      "x-dead-letter-routing-key": "~dlq"})
    fill_surely(ch, "~q", 1, headers={"a": 1})
    ch.consume("~q")
    for number in range(1, 4):
        ch.take()
        ch.settle("reject", number, requeue=True)
    p.until_get("~dlq")
    ch.rest("~q")


@sequence("quorum: delivery limit, no dead letter exchange")
def _(p):
    ch = p.ch
    quorum(ch, "~q", {"x-delivery-limit": 1})
    fill_surely(ch, "~q", 2)
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q")
    for number in range(1, 3):
        ch.take()
        ch.settle("nack", number, requeue=True)
    ch.take(step="the next message")


@sequence("quorum: delivery limit 0")
def _(p):
    ch = p.ch
    ch.queue("~dlq")
    quorum(ch, "~q", {"x-delivery-limit": 0, "x-dead-letter-exchange": "",
                      "x-dead-letter-routing-key": "~dlq"})
    fill_surely(ch, "~q", 1)
    ch.consume("~q")
    ch.take()
    ch.settle("reject", 1, requeue=True)
    p.until_get("~dlq")


@sequence("quorum: delivery limit reached by lost connections")
def _(p):
    p.ch.queue("~dlq")
    quorum(p.ch, "~q", {"x-delivery-limit": 1, "x-dead-letter-exchange": "",
                        "x-dead-letter-routing-key": "~dlq"})
    fill_surely(p.ch, "~q", 1)
    for number in range(2):
        ch = p.connect().channel()
        ch.consume("~q")
        ch.take()
        ch.connection.drop()
        if number == 0:
            p.until("~q", messages=1, consumers=0)
    p.until_get("~dlq")


@sequence("quorum: dead letters rejected, with all that x-death says")
def _(p):
    ch = p.ch
    ch.exchange("~dlx", "fanout")
    ch.queue("~dlq")
    ch.bind("~dlq", "~dlx")
    quorum(ch, "~q", {"x-dead-letter-exchange": "~dlx"})
    fill_surely(ch, "~q", 1, headers={"CC": ["~cc"], "BCC": ["~bcc"]}, expiration="60000")
    ch.consume("~q")
    ch.take()
    ch.settle("reject", 1)
    p.until_get("~dlq")


@sequence("quorum: dead letters rejected after a redelivery")
def _(p):
    ch = p.ch
    ch.queue("~dlq")
    quorum(ch, "~q", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "~dlq"})
    fill_surely(ch, "~q", 1)
    ch.consume("~q")
    ch.take()
    ch.settle("nack", 1, requeue=True)
    ch.take()
    ch.settle("nack", 2, requeue=False)
    p.until_get("~dlq")


@sequence("quorum: dead letters of maxlen and of time to live")
def _(p):
    ch = p.ch
    ch.queue("~dlq")
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "~dlq"}
    quorum(ch, "~long", {**dead, "x-max-length": 1})
    fill_surely(ch, "~long", 2)
    p.until_get("~dlq")
    ch.queue("~ttl", {**QUORUM, **dead, "x-message-ttl": 20}, durable=True)
    fill_surely(ch, "~ttl", 1)
    p.until_get("~dlq")
    ch.queue("~expiration", {**QUORUM, **dead}, durable=True)
    fill_surely(ch, "~expiration", 1, expiration="20")
    p.until_get("~dlq")


@sequence("quorum: a requeued message goes to its place or to the end")
def _(p):
    ch = p.ch
    quorum(ch)
    fill_surely(ch, "~q", 3)
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q")
    bodies(p, ch, 1, "first")
    ch.settle("reject", 1, requeue=True)
    bodies(p, ch, 1, "second")
    ch.settle("ack", 2)
    bodies(p, ch, 1, "third")


@sequence("quorum: exclusive consumer, single active consumer")
def _(p):
    ch = p.ch
    quorum(ch)
    ch.call("basic.consume", queue="~q", tag="a", exclusive=True)
    other = p.connect().channel()
    other.call("basic.consume", queue="~q", tag="b", says=["~q"])
    quorum(ch, "~s", {"x-single-active-consumer": True})
    ch.consume("~s", "1")
    ch.consume("~s", "2")
    fill_surely(ch, "~s", 2)
    bodies(p, ch, 2, "active")


@sequence("quorum: consumer with a global prefetch")
def _(p):
    ch = p.ch
    quorum(ch)
    ch.do("basic.qos", prefetch_count=1, **{"global": True})
    ch.call("basic.consume", queue="~q", tag="c")


@sequence("quorum: reject-publish")
def _(p):
    ch = p.ch
    quorum(ch, "~q", {"x-max-length": 1, "x-overflow": "reject-publish"})
    ch.publish("", "~q", "a")
    ch.confirms(1)
    p.until("~q", messages=1)


@sequence("quorum: reject-publish-dlx")
def _(p):
    p.ch.call("queue.declare", queue="~q", durable=True,
              arguments={**QUORUM, "x-overflow": "reject-publish-dlx"})


@sequence("quorum: purge and delete")
def _(p):
    ch = p.ch
    quorum(ch)
    fill_surely(ch, "~q", 2)
    ch.call("queue.purge", queue="~q")
    fill_surely(ch, "~q", 1)
    p.until("~q", messages=1)
    ch.call("queue.delete", queue="~q")


@each("quorum: delete with {}", ["if_empty", "if_unused"])
def _(p, condition):
    quorum(p.ch)
    p.ch.call("queue.delete", queue="~q", **{condition: True})


@sequence("quorum: transient message in a quorum queue")
def _(p):
    ch = p.ch
    quorum(ch)
    fill_surely(ch, "~q", 1, delivery_mode=1)
    ch.get("~q")


@sequence("quorum: tx on a channel with one")
def _(p):
    ch = p.ch
    ch.queue("~q", QUORUM, durable=True)
    ch.do("tx.select")
    ch.publish("", "~q", "a")
    ch.call("tx.commit")
    p.until("~q", messages=1)


@sequence("classic: no x-delivery-count")
def _(p):
    ch = p.ch
    ch.queue("~q")
    fill(ch, "~q", 1)
    ch.consume("~q")
    for number in range(1, 3):
        ch.take()
        ch.settle("nack", number, requeue=True)
    ch.take()
