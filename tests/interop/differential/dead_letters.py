"""Dead lettering: why, where to, and what the headers say afterwards."""
from registry import each, sequence
from wire import As


def setup(p, arguments=None, **flags):
    """A queue q whose dead letters go to dlq by way of the fanout exchange dlx."""
    ch = p.ch
    ch.exchange("~dlx", "fanout")
    ch.queue("~dlq")
    ch.bind("~dlq", "~dlx")
    ch.queue("~q", {"x-dead-letter-exchange": "~dlx", **(arguments or {})}, **flags)
    return ch


def reject(ch, queue="~q"):
    ch.settle("reject", ch.do_get(queue, no_ack=False).values["delivery_tag"])


@sequence("dead letters: rejected")
def _(p):
    ch = setup(p)
    ch.publish("", "~q", "m", headers={"a": 1}, message_id="i", delivery_mode=2)
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: nacked, several at once, in order")
def _(p):
    ch = setup(p)
    for body in "abc":
        ch.publish("", "~q", body)
    for _ in range(3):
        ch.do_get("~q", no_ack=False)
    ch.settle("nack", 3, multiple=True)
    p.until("~dlq", messages=3)
    ch.drain("~dlq")


@sequence("dead letters: not for what is acked, purged, deleted or requeued")
def _(p):
    ch = setup(p)
    for body in "abcd":
        ch.publish("", "~q", body)
    ch.do_get("~q", no_ack=False)
    ch.settle("ack", 1)
    ch.do_get("~q", no_ack=False)
    ch.settle("nack", 2, requeue=True)
    ch.sync()
    ch.do("queue.purge", queue="~q")
    ch.publish("", "~q", "e")
    ch.do("queue.delete", queue="~q")
    ch.rest("~dlq")
    ch.drain("~dlq")


@sequence("dead letters: expired by x-message-ttl")
def _(p):
    ch = setup(p, {"x-message-ttl": 20})
    ch.publish("", "~q", "m", headers={"a": 1})
    p.until_get("~dlq")


@sequence("dead letters: expired by expiration")
def _(p):
    ch = setup(p)
    ch.publish("", "~q", "m", expiration="20")
    p.until_get("~dlq")


@sequence("dead letters: expired by both, expiration is taken off either way")
def _(p):
    ch = setup(p, {"x-message-ttl": 20})
    ch.publish("", "~q", "m", expiration="60000")
    p.until_get("~dlq")


@sequence("dead letters: rejected, with an expiration")
def _(p):
    ch = setup(p)
    ch.publish("", "~q", "m", expiration="60000")
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: x-message-ttl 0, nobody waits")
def _(p):
    ch = setup(p, {"x-message-ttl": 0})
    ch.publish("", "~q", "m")
    p.until_get("~dlq")
    ch.get("~q")


@sequence("dead letters: maxlen")
def _(p):
    ch = setup(p, {"x-max-length": 1})
    for body in "abc":
        ch.publish("", "~q", body)
    p.until("~dlq", messages=2)
    ch.drain("~dlq")
    ch.drain("~q")


@sequence("dead letters: maxlen by bytes")
def _(p):
    ch = setup(p, {"x-max-length-bytes": 5})
    for body in ("aaa", "bbb", "c"):
        ch.publish("", "~q", body)
    p.until_get("~dlq")
    ch.drain("~q")


@sequence("dead letters: x-max-length 0")
def _(p):
    ch = setup(p, {"x-max-length": 0})
    ch.publish("", "~q", "m")
    p.until_get("~dlq")


@sequence("dead letters: reject-publish does not dead-letter")
def _(p):
    ch = setup(p, {"x-max-length": 1, "x-overflow": "reject-publish"})
    ch.do("confirm.select")
    for body in "ab":
        ch.publish("", "~q", body)
        ch.confirms(1)
    ch.rest("~dlq")
    ch.drain("~dlq")
    ch.drain("~q")


@sequence("dead letters: reject-publish-dlx does")
def _(p):
    ch = setup(p, {"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
    ch.do("confirm.select")
    for body in "ab":
        ch.publish("", "~q", body, headers={"a": 1})
        ch.confirms(1)
    p.until_get("~dlq")
    ch.drain("~q")


@sequence("dead letters: routing key of the queue")
def _(p):
    ch = setup(p, {"x-dead-letter-routing-key": "dead"})
    ch.publish("", "~q", "m", headers={"CC": ["~cc"], "BCC": ["~bcc"]})
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: CC and BCC without a routing key of the queue")
def _(p):
    ch = setup(p)
    ch.publish("", "~q", "m", headers={"CC": ["~cc"], "BCC": ["~bcc"]})
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: CC routes the dead letter too")
def _(p):
    ch = p.ch
    ch.exchange("~dlx", "direct")
    ch.queue("~1")
    ch.queue("~2")
    ch.queue("~3")
    ch.bind("~1", "~dlx", "~q")
    ch.bind("~2", "~dlx", "cc")
    ch.bind("~3", "~dlx", "bcc")
    ch.queue("~q", {"x-dead-letter-exchange": "~dlx"})
    ch.publish("", "~q", "m", headers={"CC": ["cc"], "BCC": ["bcc"]})
    reject(ch)
    p.until_get("~1")
    p.until_get("~2")
    ch.get("~3")


@sequence("dead letters: with a routing key CC does not route, and is taken off")
def _(p):
    ch = p.ch
    ch.exchange("~dlx", "direct")
    ch.queue("~1")
    ch.queue("~2")
    ch.bind("~1", "~dlx", "dead")
    ch.bind("~2", "~dlx", "cc")
    ch.queue("~q", {"x-dead-letter-exchange": "~dlx", "x-dead-letter-routing-key": "dead"})
    ch.publish("", "~q", "m", headers={"CC": ["cc"]})
    reject(ch)
    p.until_get("~1")
    ch.rest("~2")
    ch.get("~2")


@sequence("dead letters: empty routing key of the queue")
def _(p):
    ch = setup(p, {"x-dead-letter-routing-key": ""})
    ch.publish("", "~q", "m")
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: default exchange")
def _(p):
    ch = p.ch
    ch.queue("~dlq")
    ch.queue("~q", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "~dlq"})
    ch.publish("", "~q", "m")
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: missing exchange, which may come later")
def _(p):
    ch = p.ch
    ch.queue("~dlq")
    ch.queue("~q", {"x-dead-letter-exchange": "~late"})
    ch.publish("", "~q", "dropped")
    reject(ch)
    ch.rest("~q")
    ch.exchange("~late", "fanout")
    ch.bind("~dlq", "~late")
    ch.publish("", "~q", "kept")
    reject(ch)
    p.until_get("~dlq")
    ch.get("~dlq")


@sequence("dead letters: nowhere to go")
def _(p):
    ch = p.ch
    ch.exchange("~dlx", "direct")
    ch.queue("~q", {"x-dead-letter-exchange": "~dlx"})
    ch.publish("", "~q", "m", mandatory=True)
    reject(ch)
    ch.rest("~q")
    ch.get("~q")


@sequence("dead letters: internal exchange")
def _(p):
    ch = p.ch
    ch.exchange("~dlx", "fanout", internal=True)
    ch.queue("~dlq")
    ch.bind("~dlq", "~dlx")
    ch.queue("~q", {"x-dead-letter-exchange": "~dlx"})
    ch.publish("", "~q", "m")
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: alternate exchange of the exchange")
def _(p):
    ch = p.ch
    ch.exchange("~alt", "fanout")
    ch.exchange("~dlx", "direct", {"alternate-exchange": "~alt"})
    ch.queue("~dlq")
    ch.bind("~dlq", "~alt")
    ch.queue("~q", {"x-dead-letter-exchange": "~dlx"})
    ch.publish("", "~q", "m")
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: to several queues")
def _(p):
    ch = setup(p)
    ch.queue("~other")
    ch.bind("~other", "~dlx")
    ch.publish("", "~q", "m")
    reject(ch)
    p.until_get("~dlq")
    p.until_get("~other")


@sequence("dead letters: published to an exchange")
def _(p):
    ch = setup(p)
    ch.exchange("~x", "topic")
    ch.bind("~q", "~x", "a.*")
    ch.publish("~x", "a.b", "m", headers={"CC": ["a.c"]})
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: twice from the same queue and for the same reason")
def _(p):
    ch = setup(p)
    ch.bind("~q", "~dlx")
    ch.do("queue.unbind", queue="~dlq", exchange="~dlx")
    ch.publish("", "~q", "m")
    for _ in range(3):
        # By rejection it may go round as often as it likes.
        p.until("~q", messages=1)
        reject(ch)
    p.until_get("~q")


@sequence("dead letters: through two queues, newest first")
def _(p):
    ch = p.ch
    ch.queue("~3")
    ch.queue("~2", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "~3"})
    ch.queue("~1", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "~2"})
    ch.publish("", "~1", "m", headers={"CC": ["~nowhere"]})
    reject(ch, "~1")
    p.until("~2", messages=1)
    reject(ch, "~2")
    p.until_get("~3")


@sequence("dead letters: two reasons in one queue are two entries")
def _(p):
    ch = setup(p)
    ch.bind("~q", "~dlx")
    ch.do("queue.unbind", queue="~dlq", exchange="~dlx")
    ch.publish("", "~q", "m", expiration="60000")
    reject(ch)
    p.until("~q", messages=1)
    got = ch.do_get("~q")
    ch.do("queue.delete", queue="~q")
    ch.queue("~q", {"x-dead-letter-exchange": "~dlx", "x-message-ttl": 10})
    ch.bind("~dlq", "~dlx")
    ch.publish("", "~q", "m", headers=got.properties["headers"])
    p.until_get("~dlq")


@sequence("dead letters: retries by way of a waiting queue")
def _(p):
    ch = p.ch
    ch.queue("~wait", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "~work",
                       "x-message-ttl": 10})
    ch.queue("~work", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "~wait"})
    ch.consume("~work")
    ch.publish("", "~work", "m")
    for number in range(1, 4):
        ch.take()
        ch.settle("reject", number)
    ch.take()


@sequence("dead letters: a circle of expiry only is broken")
def _(p):
    ch = p.ch
    for queue, other in (("~a", "~b"), ("~b", "~a")):
        ch.queue(queue, {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": other,
                         "x-message-ttl": 10})
    ch.publish("", "~a", "m")
    p.pass_time(200)
    ch.count("~a")
    ch.count("~b")


@sequence("dead letters: to its own queue by expiry is dropped")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-dead-letter-exchange": "", "x-message-ttl": 10})
    ch.publish("", "~q", "m")
    p.pass_time(100)
    ch.get("~q")


@sequence("dead letters: to its own queue by rejection is not")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-dead-letter-exchange": ""})
    ch.publish("", "~q", "m")
    reject(ch)
    p.until_get("~q")


@sequence("dead letters: to its own queue by maxlen is dropped")
def _(p):
    ch = p.ch
    ch.queue("~q", {"x-dead-letter-exchange": "", "x-max-length": 1})
    for body in "abc":
        ch.publish("", "~q", body)
    ch.rest("~q")
    ch.drain("~q")


@sequence("dead letters: x-death that the publisher made up")
def _(p):
    ch = setup(p)
    for value in ("nonsense", [], [{"queue": "x"}], {"count": 1}, None):
        ch.publish("", "~q", "m", headers={"x-death": value})
        reject(ch)
        p.until_get("~dlq")


@sequence("dead letters: x-death that the publisher passes on")
def _(p):
    ch = setup(p)
    entry = {"count": As("l", 5), "reason": "rejected", "queue": "~q", "time": As("T", 1000000000),
             "exchange": "", "routing-keys": ["old"]}
    first = {f"x-first-death-{what}": "old" for what in ("queue", "reason", "exchange")}
    ch.publish("", "~q", "m", headers={"x-death": [entry], **first})
    reject(ch)
    p.until_get("~dlq")
    ch.publish("", "~q", "m", headers={"x-death": [{**entry, "queue": "~other"}]})
    reject(ch)
    p.until_get("~dlq")


@sequence("dead letters: confirmed to the publisher before they are")
def _(p):
    ch = setup(p, {"x-message-ttl": 0})
    ch.do("confirm.select")
    ch.publish("", "~q", "m")
    ch.confirms(1)
    p.until_get("~dlq")


@sequence("dead letters: unacked ones expire only when they are back")
def _(p):
    ch = setup(p, {"x-message-ttl": 200})
    ch.publish("", "~q", "m")
    ch.do_get("~q", no_ack=False)
    p.pass_time(300)
    ch.get("~dlq")
    ch.settle("nack", 1, requeue=True)
    p.until_get("~dlq")


@sequence("dead letters: of a consumer that rejects as they come")
def _(p):
    ch = setup(p)
    ch.consume("~q")
    for body in "abc":
        ch.publish("", "~q", body)
    for number in range(1, 4):
        ch.next()
        ch.settle("reject", number)
    p.until("~dlq", messages=3)
    ch.drain("~dlq")


@each("dead letters: {} keeps the properties", ["priority", "user_id", "reply_to", "timestamp"])
def _(p, name):
    value = {"priority": 3, "user_id": "guest", "reply_to": "~r", "timestamp": 5}[name]
    ch = setup(p)
    ch.publish("", "~q", "m", **{name: value})
    reject(ch)
    p.until_get("~dlq")
