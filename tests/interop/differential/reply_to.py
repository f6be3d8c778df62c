"""Direct reply-to: amq.rabbitmq.reply-to."""
from registry import each, sequence

REPLY_TO = "amq.rabbitmq.reply-to"


def serve(p, channel, queue="~rpc"):
    """Takes a request; where its answer has to go."""
    request = channel.do("basic.get", queue=queue, no_ack=True)
    p.note("request", p.describe(request))
    return request.properties["reply_to"]


@sequence("reply-to: question and answer")
def _(p):
    ch, server = p.ch, p.connect().channel()
    server.queue("~rpc")
    ch.call("basic.consume", queue=REPLY_TO, tag="", no_ack=True)
    ch.publish("", "~rpc", "question", reply_to=REPLY_TO, correlation_id="1")
    ch.sync()
    address = serve(p, server)
    server.publish("", address, "answer", correlation_id="1")
    ch.take()
    server.publish("", address, "another answer")
    ch.take()


@sequence("reply-to: mandatory, confirms, properties")
def _(p):
    ch, server = p.ch, p.connect().channel()
    server.queue("~rpc")
    ch.consume(REPLY_TO, no_ack=True)
    ch.publish("", "~rpc", "question", reply_to=REPLY_TO)
    ch.sync()
    address = serve(p, server)
    server.do("confirm.select")
    server.publish("", address, "answer", mandatory=True, headers={"a": 1}, priority=5)
    server.confirms(1)
    ch.take()
    ch.do("basic.cancel", tag="c")
    server.publish("", address, "nobody listens", mandatory=True)
    server.take(2)


@sequence("reply-to: the asker is gone")
def _(p):
    c, server = p.connect(), p.connect().channel()
    ch = c.channel()
    server.queue("~rpc")
    ch.consume(REPLY_TO, no_ack=True)
    ch.publish("", "~rpc", "question", reply_to=REPLY_TO)
    ch.sync()
    address = serve(p, server)
    server.call("queue.declare", queue=address, passive=True, step="while it is there")
    c.close()
    server.publish("", address, "answer", mandatory=True)
    server.take()
    server.call("queue.declare", queue=address, passive=True, step="when it is gone")


@sequence("reply-to: declared passively, by its plain name too")
def _(p):
    p.aux.call("queue.declare", queue=REPLY_TO, passive=True, step="not consuming")
    p.ch.consume(REPLY_TO, no_ack=True)
    p.ch.call("queue.declare", queue=REPLY_TO, passive=True, step="consuming")
    p.aux.call("queue.declare", queue=REPLY_TO, step="not passive")


@sequence("reply-to: an address that was never given")
def _(p):
    address = REPLY_TO + ".g1h2AA5yZXBseUA.nonsense=="
    p.aux.call("queue.declare", queue=address, passive=True)
    p.ch.publish("", address, "answer", mandatory=True)
    p.ch.take()


@sequence("reply-to: consume with acknowledgements")
def _(p):
    p.ch.call("basic.consume", queue=REPLY_TO, tag="c", no_ack=False)


@sequence("reply-to: consume twice on a channel")
def _(p):
    p.ch.consume(REPLY_TO, no_ack=True)
    p.ch.call("basic.consume", queue=REPLY_TO, tag="d", no_ack=True)


@sequence("reply-to: consume again after cancel")
def _(p):
    p.ch.consume(REPLY_TO, no_ack=True)
    p.ch.call("basic.cancel", tag="c")
    p.ch.call("basic.consume", queue=REPLY_TO, tag="d", no_ack=True)


@sequence("reply-to: tag in use")
def _(p):
    p.ch.queue("~q")
    p.ch.consume("~q", "c")
    p.ch.call("basic.consume", queue=REPLY_TO, tag="c", no_ack=True)


@sequence("reply-to: exclusive, no_local, no_wait and arguments")
def _(p):
    p.aux.call("basic.consume", queue=REPLY_TO, tag="c", no_ack=True, exclusive=True, no_local=True,
               arguments={"x-priority": 1})
    p.ch.send("basic.consume", queue=REPLY_TO, tag="c", no_ack=True, no_wait=True)
    p.ch.queue("~rpc")
    p.ch.publish("", "~rpc", "question", reply_to=REPLY_TO)
    address = serve(p, p.ch)
    p.ch.publish("", address, "to itself")
    p.ch.take()


@sequence("reply-to: publish without consuming")
def _(p):
    p.ch.queue("~rpc")
    p.ch.publish("", "~rpc", "question", reply_to=REPLY_TO)
    p.ch.send("basic.get", queue="~rpc", no_ack=True)
    p.ch.take()


@sequence("reply-to: publish on another channel than it consumes on")
def _(p):
    c = p.connect()
    one, two = c.channel(), c.channel()
    one.consume(REPLY_TO, no_ack=True)
    two.queue("~rpc")
    two.publish("", "~rpc", "question", reply_to=REPLY_TO)
    two.send("basic.get", queue="~rpc", no_ack=True)
    two.take()


@sequence("reply-to: two channels have addresses of their own")
def _(p):
    c, server = p.connect(), p.connect().channel()
    server.queue("~rpc")
    channels = [c.channel(), c.channel()]
    for number, channel in enumerate(channels):
        channel.consume(REPLY_TO, no_ack=True)
        channel.publish("", "~rpc", f"question {number}", reply_to=REPLY_TO)
        channel.sync()
    for number in range(2):
        server.publish("", serve(p, server), f"answer {number}")
    for channel in channels:
        channel.take()


@sequence("reply-to: an address stays the same on its channel")
def _(p):
    ch = p.ch
    ch.queue("~rpc")
    ch.consume(REPLY_TO, no_ack=True)
    for number in range(2):
        ch.publish("", "~rpc", f"question {number}", reply_to=REPLY_TO)
        serve(p, ch)


@each("reply-to: {} of it", ["basic.get", "queue.purge", "queue.delete", "queue.bind"])
def _(p, method):
    p.ch.consume(REPLY_TO, no_ack=True)
    more = {"exchange": "amq.fanout"} if method == "queue.bind" else {}
    p.ch.call(method, queue=REPLY_TO, **more)


@sequence("reply-to: other reply_to values are left alone")
def _(p):
    p.ch.queue("~rpc")
    for value in ("~answers", "amq.rabbitmq.reply", "AMQ.RABBITMQ.REPLY-TO", ""):
        p.ch.publish("", "~rpc", "question", reply_to=value)
        p.ch.get("~rpc")


@sequence("reply-to: through another exchange than the default one")
def _(p):
    ch = p.ch
    ch.queue("~rpc")
    ch.consume(REPLY_TO, no_ack=True)
    ch.publish("", "~rpc", "question", reply_to=REPLY_TO)
    address = serve(p, ch)
    ch.publish("amq.direct", address, "answer", mandatory=True)
    ch.take()


@sequence("reply-to: answered in a transaction")
def _(p):
    ch, server = p.ch, p.connect().channel()
    server.queue("~rpc")
    ch.consume(REPLY_TO, no_ack=True)
    ch.publish("", "~rpc", "question", reply_to=REPLY_TO)
    ch.sync()
    address = serve(p, server)
    server.do("tx.select")
    server.publish("", address, "answer")
    server.sync()
    ch.rest(step="before commit")
    server.do("tx.commit")
    ch.rest(step="after commit")


@sequence("reply-to: with CC")
def _(p):
    ch = p.ch
    ch.queue("~rpc")
    ch.queue("~copy")
    ch.consume(REPLY_TO, no_ack=True)
    ch.publish("", "~rpc", "question", reply_to=REPLY_TO)
    address = serve(p, ch)
    ch.publish("", address, "answer", headers={"CC": ["~copy"]})
    ch.take()
    ch.get("~copy")
