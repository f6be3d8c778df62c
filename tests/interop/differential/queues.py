"""Queues: declaring, deleting, purging, names, exclusive and auto-delete ones."""
from registry import each, sequence
from wire import As


@sequence("queue.declare: new, again, passive")
def _(p):
    ch = p.ch
    ch.call("queue.declare", queue="~q")
    ch.call("queue.declare", queue="~q", step="again")
    ch.publish("", "~q", "a")
    ch.count("~q", messages=1)
    ch.call("queue.declare", queue="~q", step="again with a message")
    ch.call("queue.declare", queue="~q", passive=True, step="passive")
    ch.call("queue.declare", queue="~q", passive=True, durable=True, auto_delete=True,
            arguments={"x-expires": 5}, step="passive, other everything")


@sequence("queue.declare: passive, missing")
def _(p):
    p.ch.call("queue.declare", queue="~q", passive=True, says=["~q"])


@each("queue.declare: other {}", [
    ("durable", dict(durable=True)), ("auto_delete", dict(auto_delete=True)),
    ("exclusive", dict(exclusive=True)),
])
def _(p, flag, flags):
    p.ch.queue("~q")
    p.ch.call("queue.declare", queue="~q", **flags, says=["~q", flag])
    p.aux.count("~q")


@sequence("queue.declare: durable one as transient")
def _(p):
    p.ch.queue("~q", durable=True)
    p.ch.call("queue.declare", queue="~q", says=["~q", "durable"])


@sequence("queue.declare: exclusive one as not exclusive")
def _(p):
    p.ch.queue("~q", exclusive=True)
    p.ch.call("queue.declare", queue="~q", says=["~q"])


@sequence("queue.declare: auto-delete one as staying")
def _(p):
    p.ch.queue("~q", auto_delete=True)
    p.ch.call("queue.declare", queue="~q", says=["~q", "auto_delete"])


@each("queue.declare: name {!r}", ["amq.mine", "amq.", "amq.gen-mine", "amq.rabbitmq.mine"])
def _(p, name):
    p.ch.call("queue.declare", queue=name, says=["amq."])
    p.aux.call("queue.declare", queue=name, passive=True, step="passive", says=["amq."])


@sequence("queue.declare: names with odd characters")
def _(p):
    for name in ("~ with blanks", "~/slash", "~\tübung", "~" + "q" * 200):
        p.ch.call("queue.declare", queue=name)


@sequence("queue.declare: name of 255 bytes")
def _(p):
    name = "~" + "q" * (255 - len(p.prefix))
    answer = p.ch.do("queue.declare", queue=name)
    p.note("length", str(len(answer.values["queue"])))


@sequence("queue.declare: server-named")
def _(p):
    ch = p.ch
    ch.call("queue.declare", queue="", exclusive=True)
    ch.call("queue.declare", queue="", exclusive=True, step="another")
    third = ch.call("queue.declare", queue="", exclusive=True, step="third")
    ch.publish("", third.values["queue"], "m")
    ch.call("basic.get", queue="", step="get from the last one")


@sequence("queue.declare: server-named, used by its name in another method")
def _(p):
    name = p.ch.do("queue.declare", queue="", exclusive=True).values["queue"]
    p.ch.call("queue.declare", queue=name, passive=True, step="passive")
    p.ch.call("queue.declare", queue=name, exclusive=True, step="again")


@sequence("queue: the empty name is what was declared last")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    ch.queue("~1")
    ch.queue("~2")
    ch.call("queue.bind", queue="", exchange="~x")
    ch.publish("~x", "", "for 2")
    ch.call("basic.get", queue="", no_ack=True)
    ch.call("queue.declare", queue="~1", passive=True)
    ch.call("queue.purge", queue="", step="purge after a passive declare of 1")
    ch.publish("~x", "", "for 2 again")
    ch.call("queue.purge", queue="", step="purge: 1 or 2?")
    ch.call("queue.unbind", queue="", exchange="~x")
    ch.call("basic.consume", queue="", tag="c")
    ch.call("queue.delete", queue="")
    ch.call("queue.delete", queue="", step="again")


@each("queue: no queue declared, {}", [
    "queue.bind", "queue.unbind", "queue.purge", "queue.delete", "basic.get", "basic.consume"])
def _(p, method):
    names = dict(exchange="amq.direct") if method.endswith("bind") else {}
    p.ch.call(method, queue="", **names)


@sequence("queue: no queue declared, passive with the empty name")
def _(p):
    p.ch.call("queue.declare", queue="", passive=True)


@sequence("queue.bind: empty queue and key are the declared queue twice")
def _(p):
    ch = p.ch
    ch.exchange("~x", "direct")
    ch.queue("~q")
    ch.do("queue.bind", queue="", exchange="~x", routing_key="")
    ch.publish("~x", "~q", "by its name", mandatory=True)
    ch.publish("~x", "", "by nothing", mandatory=True)
    ch.rest("~q")
    ch.drain("~q")


@sequence("queue.bind: empty key with the queue named")
def _(p):
    ch = p.ch
    ch.exchange("~x", "direct")
    ch.queue("~q")
    ch.do("queue.bind", queue="~q", exchange="~x", routing_key="")
    ch.publish("~x", "~q", "by its name", mandatory=True)
    ch.publish("~x", "", "by nothing", mandatory=True)
    ch.rest("~q")
    ch.drain("~q")


@sequence("queue.declare: the last name is the channel's own")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.queue("~q")
    two.call("queue.purge", queue="")


@sequence("queue.declare: no_wait")
def _(p):
    p.ch.send("queue.declare", queue="~q", no_wait=True)
    p.ch.count("~q")


@sequence("queue.delete: missing, used, filled")
def _(p):
    ch = p.ch
    ch.call("queue.delete", queue="~missing")
    ch.call("queue.delete", queue="~missing", if_unused=True, if_empty=True, step="missing, if")
    ch.queue("~q")
    ch.publish("", "~q", "a")
    ch.publish("", "~q", "b")
    ch.count("~q", messages=2)
    ch.call("queue.delete", queue="~q", if_empty=True, step="if_empty", says=["~q"])
    ch = p.aux
    ch.call("queue.delete", queue="~q", if_unused=True, step="if_unused, not used")
    ch.queue("~q")
    ch.consume("~q")
    ch.publish("", "~q", "a")
    ch.take()
    other = p.connect().channel()
    other.call("queue.delete", queue="~q", if_unused=True, step="if_unused, used", says=["~q"])
    other = p.connect().channel()
    other.call("queue.delete", queue="~q", if_empty=True, step="if_empty, one unacked")
    ch.take(step="cancelled")


@sequence("queue.delete: if_unused and if_empty, both fail")
def _(p):
    p.ch.queue("~q")
    p.ch.publish("", "~q", "a")
    p.ch.consume("~q")
    p.ch.take()
    p.ch.publish("", "~q", "b")
    p.ch.take()
    p.aux.call("queue.delete", queue="~q", if_unused=True, if_empty=True)


@sequence("queue.delete: no_wait")
def _(p):
    p.ch.queue("~q")
    p.ch.send("queue.delete", queue="~q", no_wait=True)
    p.ch.call("queue.declare", queue="~q", passive=True)


@sequence("queue.delete: ready and unacked messages counted")
def _(p):
    ch = p.ch
    ch.queue("~q")
    for body in "abc":
        ch.publish("", "~q", body)
    ch.call("basic.get", queue="~q")
    ch.call("queue.delete", queue="~q")
    ch.settle("ack", 1)
    ch.rest(step="an ack of a message whose queue is gone")


@sequence("queue.delete: bindings go with it")
def _(p):
    ch = p.ch
    ch.exchange("~x", "fanout")
    ch.queue("~q")
    ch.bind("~q", "~x")
    ch.do("queue.delete", queue="~q")
    ch.queue("~q")
    ch.publish("~x", "", "m", mandatory=True)
    ch.take()


@sequence("queue.purge: ready ones only")
def _(p):
    ch = p.ch
    ch.queue("~q")
    for body in "abcd":
        ch.publish("", "~q", body)
    ch.do_get("~q", no_ack=False)
    ch.call("queue.purge", queue="~q")
    ch.settle("reject", 1, requeue=True)
    ch.sync()
    ch.drain("~q")
    ch.call("queue.purge", queue="~q", step="empty")
    ch.call("queue.purge", queue="~missing", step="missing", says=["~missing"])


@sequence("queue.purge: no_wait")
def _(p):
    p.ch.queue("~q")
    p.ch.publish("", "~q", "a")
    p.ch.send("queue.purge", queue="~q", no_wait=True)
    p.ch.get("~q")


@sequence("exclusive: everything from another connection")
def _(p):
    p.ch.queue("~q", exclusive=True)
    p.ch.publish("", "~q", "a")
    p.ch.sync()
    for step, method, fields in (
        ("declare", "queue.declare", dict(exclusive=True)),
        ("declare, not exclusive", "queue.declare", {}),
        ("passive", "queue.declare", dict(passive=True)),
        ("get", "basic.get", {}), ("consume", "basic.consume", {}), ("purge", "queue.purge", {}),
        ("delete", "queue.delete", {}),
        ("bind", "queue.bind", dict(exchange="amq.fanout")),
        ("unbind", "queue.unbind", dict(exchange="amq.fanout")),
    ):
        p.aux.call(method, queue="~q", step=step, says=["~q"], **fields)
    p.aux.publish("", "~q", "publishing is allowed")
    p.aux.sync()
    p.ch.drain("~q")


@sequence("exclusive: from another channel of its connection")
def _(p):
    c = p.connect()
    c.channel().queue("~q", exclusive=True)
    c.channel().call("queue.declare", queue="~q", exclusive=True)
    c.channel().call("basic.consume", queue="~q", tag="c")


@sequence("exclusive: goes with its connection")
def _(p):
    c = p.connect()
    c.channel().queue("~q", exclusive=True)
    c.close()
    p.gone("queue", "~q")
    p.ch.call("queue.declare", queue="~q")


@sequence("exclusive: goes when its connection is lost")
def _(p):
    c = p.connect()
    c.channel().queue("~q", exclusive=True, durable=True)
    c.drop()
    p.gone("queue", "~q")


@sequence("exclusive: gone before close-ok")
def _(p):
    c = p.connect()
    c.channel().queue("~q", exclusive=True)
    p.ch.sync()
    c.close()
    p.ch.call("queue.declare", queue="~q", passive=True)


@sequence("exclusive: stays when its channel goes")
def _(p):
    c = p.connect()
    ch = c.channel()
    ch.queue("~q", exclusive=True)
    ch.do("channel.close")
    ch.closed = True
    c.channel().count("~q")


@sequence("exclusive: durable declared again either way")
def _(p):
    p.ch.queue("~q", exclusive=True, durable=True)
    p.ch.call("queue.declare", queue="~q", exclusive=True, durable=True)
    p.ch.call("queue.declare", queue="~q", exclusive=True)


@sequence("auto-delete: goes with its last consumer")
def _(p):
    ch = p.ch
    ch.queue("~q", auto_delete=True)
    ch.get("~q")
    ch.count("~q")
    ch.consume("~q", "1")
    ch.consume("~q", "2")
    ch.do("basic.cancel", tag="1")
    ch.count("~q", step="one left")
    ch.do("basic.cancel", tag="2")
    p.gone("queue", "~q")


@sequence("auto-delete: goes when the consumer's channel or connection goes")
def _(p):
    for how in ("channel", "connection", "lost connection"):
        c = p.connect()
        ch = c.channel()
        ch.queue("~q", auto_delete=True)
        ch.consume("~q")
        if how == "channel":
            ch.do("channel.close")
            ch.closed = True
        elif how == "connection":
            c.close()
        else:
            c.drop()
        p.gone("queue", "~q")


@sequence("auto-delete: stays if nobody ever consumed")
def _(p):
    c = p.connect()
    c.channel().queue("~q", auto_delete=True)
    c.close()
    p.ch.count("~q")


@sequence("auto-delete: with messages left")
def _(p):
    ch = p.ch
    ch.queue("~q", auto_delete=True)
    ch.publish("", "~q", "a")
    ch.consume("~q")
    ch.take()
    ch.do("basic.cancel", tag="c")
    p.gone("queue", "~q")
    ch.settle("ack", 1)
    ch.rest()


@sequence("queue: declared again after it was deleted, another kind")
def _(p):
    p.ch.queue("~q")
    p.ch.do("queue.delete", queue="~q")
    p.ch.call("queue.declare", queue="~q", durable=True, arguments={"x-max-length": As("b", 5)})
