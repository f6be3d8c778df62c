"""Time to live, expiring queues, length limits and priorities."""
from consuming import bodies, fill
from registry import each, sequence


@sequence("ttl: messages go when their time is over, later ones stay")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "short", expiration="20")
    ch.publish("", "~q", "long", expiration="60000")
    ch.publish("", "~q", "none")
    p.pass_time(100)
    ch.drain("~q")


@sequence("ttl: a short one behind a long one stays until it is at the head")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "long", expiration="60000")
    ch.publish("", "~q", "short", expiration="10")
    p.pass_time(100)
    ch.count("~q")
    ch.drain("~q")


@sequence("ttl: of the queue")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-message-ttl": 20})
    for body in "abc":
        ch.publish("", "~q", body)
    p.pass_time(100)
    ch.count("~q")
    ch.get("~q")


@sequence("ttl: the lower of queue and message counts")
def _(p):
    ch = p.ch
    ch.queue("~slow", {"x-message-ttl": 60000})
    ch.queue("~fast", {"x-message-ttl": 20})
    ch.publish("", "~slow", "a", expiration="20")
    ch.publish("", "~fast", "b", expiration="60000")
    p.pass_time(100)
    ch.count("~slow")
    ch.count("~fast")


@sequence("ttl: 0 of the queue, with a consumer and without")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-message-ttl": 0})
    ch.publish("", "~q", "nobody")
    ch.get("~q")
    ch.consume("~q")
    ch.publish("", "~q", "somebody", mandatory=True)
    ch.take()
    ch.settle("nack", 1, requeue=True)
    ch.rest("~q")


@sequence("ttl: 0 of the message, with a consumer and without")
def _(p):
    ch = p.ch
    ch.queue("~q")
    ch.publish("", "~q", "nobody", expiration="0")
    ch.get("~q")
    ch.consume("~q")
    ch.publish("", "~q", "somebody", expiration="0")
    ch.take()


@sequence("ttl: 0 and a consumer without credit")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-message-ttl": 0})
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q")
    fill(ch, "~q", 2)
    ch.take()
    ch.rest("~q")
    ch.settle("ack", 1)
    ch.rest("~q")


@sequence("ttl: an unacked message does not expire")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-message-ttl": 20})
    ch.publish("", "~q", "m")
    ch.do_get("~q", no_ack=False)
    p.pass_time(100)
    ch.settle("ack", 1)
    ch.rest()


@sequence("ttl: a requeued one expires when its first time is over")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-message-ttl": 20})
    ch.publish("", "~q", "m")
    ch.do_get("~q", no_ack=False)
    p.pass_time(100)
    ch.settle("reject", 1, requeue=True)
    ch.rest("~q")
    ch.get("~q")


@sequence("ttl: expiration is kept as it was sent")
def _(p):
    p.ch.queue("~q", {"x-message-ttl": 50000})
    p.ch.publish("", "~q", "m", expiration="60000")
    p.ch.get("~q")


@sequence("x-expires: a queue nobody uses goes, with its messages")
def _(p):
    p.ch.queue("~q", {"x-expires": 30})
    p.ch.publish("", "~q", "m")
    p.pass_time(300)
    p.ch.call("queue.declare", queue="~q", passive=True)


@sequence("x-expires: one with a consumer stays, until it is cancelled")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-expires": 50})
    ch.consume("~q")
    p.pass_time(300)
    ch.count("~q")
    ch.do("basic.cancel", tag="c")
    p.pass_time(301)
    ch.call("queue.declare", queue="~q", passive=True)


@each("x-expires: {} puts it off", ["queue.declare", "passive queue.declare", "basic.get"])
def _(p, what):
    ch = p.ch
    ch.queue("~q", {"x-expires": 600})
    for number in range(4):
        p.pass_time(250 + number)
        if what == "basic.get":
            ch.get("~q")
        elif what == "queue.declare":
            ch.queue("~q", {"x-expires": 600})
        else:
            ch.count("~q")
    ch.call("queue.declare", queue="~q", passive=True, step="after all that time")


@sequence("x-expires: publishes do not put it off")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-expires": 200})
    for number in range(4):
        ch.publish("", "~q", "m")
        p.pass_time(100 + number)
    ch.call("queue.declare", queue="~q", passive=True)


@sequence("x-expires: no dead letters")
def _(p):
    ch = p.ch
    ch.queue("~dlq")
    ch.queue("~q", {"x-expires": 30, "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": "~dlq"})
    ch.publish("", "~q", "m")
    p.pass_time(300)
    ch.get("~dlq")


@sequence("x-max-length: drops the head")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 2})
    ch.do("confirm.select")
    fill(ch, "~q", 4)
    ch.confirms(4)
    ch.drain("~q")


@sequence("x-max-length: unacked ones do not count")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 1})
    fill(ch, "~q", 1)
    ch.do_get("~q", no_ack=False)
    fill(ch, "~q", 1, 2)
    ch.sync()
    ch.settle("reject", 1, requeue=True)
    ch.rest("~q")
    ch.drain("~q")


@sequence("x-max-length: a consumer takes before it is full")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 1})
    ch.consume("~q")
    fill(ch, "~q", 3)
    bodies(p, ch, 3, "all")


@sequence("x-max-length: 0 drops all, but not with a consumer")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 0})
    ch.publish("", "~q", "dropped", mandatory=True)
    ch.get("~q")
    ch.consume("~q")
    ch.publish("", "~q", "taken")
    ch.take()


@sequence("x-max-length-bytes: drops the head")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length-bytes": 10})
    for body in ("aaaa", "bbbb", "cc", "d", "e" * 11):
        ch.publish("", "~q", body)
        ch.rest("~q")
    ch.drain("~q")
    for body in ("aaaa", "bbbb", "cc", "d"):
        ch.publish("", "~q", body)
    ch.drain("~q")


@sequence("x-max-length-bytes: headers do not count")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length-bytes": 2})
    for body in "ab":
        ch.publish("", "~q", body, headers={"a": "x" * 100})
    ch.drain("~q")


@sequence("x-max-length and x-max-length-bytes: whichever is reached")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length-bytes": 4, "x-max-length": 2})
    for body in ("a", "b", "c", "dddd", "e"):
        ch.publish("", "~q", body)
    ch.drain("~q")


@each("x-overflow {}: with confirms", ["drop-head", "reject-publish", "reject-publish-dlx"])
def _(p, overflow):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 2, "x-overflow": overflow})
    ch.do("confirm.select")
    for number in range(4):
        ch.publish("", "~q", str(number))
        ch.confirms(1)
    ch.drain("~q")
    ch.publish("", "~q", "room again")
    ch.confirms(1)


@sequence("x-overflow reject-publish: without confirms, and mandatory")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 1, "x-overflow": "reject-publish"})
    for body in "ab":
        ch.publish("", "~q", body, mandatory=True)
        ch.rest("~q")
    ch.drain("~q")


@sequence("x-overflow reject-publish: x-max-length 0")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 0, "x-overflow": "reject-publish"})
    ch.do("confirm.select")
    ch.publish("", "~q", "a")
    ch.confirms(1)
    ch.consume("~q")
    ch.publish("", "~q", "b")
    ch.confirms(1)
    ch.rest("~q")


@sequence("x-overflow reject-publish: a waiting consumer")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 1, "x-overflow": "reject-publish"})
    ch.do("confirm.select")
    ch.consume("~q")
    for body in "abc":
        ch.publish("", "~q", body)
        ch.next(lambda item: item.name == "basic.deliver")
        ch.confirms(1)


@sequence("x-overflow reject-publish: by bytes")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length-bytes": 5, "x-overflow": "reject-publish"})
    ch.do("confirm.select")
    for body in ("aaa", "bbb", "c", "d", ""):
        ch.publish("", "~q", body)
        ch.confirms(1, f"publish {body}")
    ch.drain("~q")


@sequence("x-overflow reject-publish: requeued ones may exceed it")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-length": 1, "x-overflow": "reject-publish"})
    fill(ch, "~q", 1)
    ch.do_get("~q", no_ack=False)
    fill(ch, "~q", 1, 2)
    ch.sync()
    ch.settle("reject", 1, requeue=True)
    ch.rest("~q")
    ch.drain("~q")


@sequence("x-max-priority: higher first, equal ones in order")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-priority": 5})
    for body, priority in (("1a", 1), ("5a", 5), ("none", None), ("1b", 1), ("9", 9), ("5b", 5),
                           ("0", 0)):
        ch.publish("", "~q", body, **({} if priority is None else {"priority": priority}))
    ch.drain("~q")


@sequence("x-max-priority: a requeued one goes back to its priority's head")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-priority": 5})
    for body, priority in (("1a", 1), ("1b", 1), ("3a", 3), ("3b", 3)):
        ch.publish("", "~q", body, priority=priority)
    for _ in range(3):
        ch.do_get("~q", no_ack=False)
    ch.settle("nack", 3, multiple=True, requeue=True)
    ch.sync()
    ch.drain("~q")


@sequence("x-max-priority: with a length limit, which one goes")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-priority": 5, "x-max-length": 2})
    for body, priority in (("5", 5), ("1", 1), ("3", 3)):
        ch.publish("", "~q", body, priority=priority)
    ch.drain("~q")


@sequence("x-max-priority: 0 and 1")
def _(p):
    ch = p.ch
    for limit in (0, 1):
        ch.queue(f"~{limit}", {"x-max-priority": limit})
        for body, priority in (("0", 0), ("1", 1), ("2", 2)):
            ch.publish("", f"~{limit}", body, priority=priority)
        ch.drain(f"~{limit}")


@sequence("x-max-priority: expiry of a low one under a high one")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-priority": 5})
    ch.publish("", "~q", "high", priority=5)
    ch.publish("", "~q", "low", priority=1, expiration="20")
    p.pass_time(100)
    ch.count("~q")
    ch.drain("~q")


@sequence("x-max-priority: to a consumer, what comes later may come first")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-max-priority": 5})
    ch.do("basic.qos", prefetch_count=1)
    ch.consume("~q")
    for body, priority in (("1", 1), ("2", 2), ("4", 4)):
        ch.publish("", "~q", body, priority=priority)
        ch.rest("~q")
    for number in (1, 2):
        ch.settle("ack", number)
        ch.take()
