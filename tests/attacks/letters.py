"""Messages that are dead-lettered, and dead-lettered again."""
import itertools

from attacker import FRAME_MAX, bind, declare, exchange, method, publish
from scene import attack

# What makes a queue give up each of its messages at once.
ENDS = {"maxlen 0": {"x-max-length": 0}, "TTL 0": {"x-message-ttl": 0},
        "bytes 0": {"x-max-length-bytes": 0},
        "refuses": {"x-max-length": 0, "x-overflow": "reject-publish-dlx"}}


def dead(name, exchange_name, end, **more):
    return declare(name, arguments={**ENDS[end], "x-dead-letter-exchange": exchange_name, **more})


def clique(end, count):
    """All queues of one fanout, which is the dead-letter exchange of each."""
    frames = exchange("x", "fanout")
    for number in range(count):
        frames += dead(f"q{number}", "x", end) + bind(f"q{number}", "x")
    return frames, publish("x", "")


def graph(end, count):
    """Each queue has an exchange that leads to all others."""
    frames = b"".join(exchange(f"x{number}", "fanout") for number in range(count))
    frames += b"".join(dead(f"q{number}", f"x{number}", end) for number in range(count))
    frames += b"".join(bind(f"q{to}", f"x{of}")
                       for of, to in itertools.permutations(range(count), 2))
    return frames, publish("x0", "")


def layers(end, count):
    """Each layer's two queues lead to both of the next: copies double."""
    frames = b"".join(exchange(f"x{number}", "fanout") for number in range(count + 1))
    for number, side in itertools.product(range(count), "ab"):
        frames += dead(f"q{number}{side}", f"x{number + 1}", end)
        frames += bind(f"q{number}{side}", f"x{number}")
    return frames, publish("x0", "")


def chain(end, count):
    """Each queue leads to the next one; then all of it at once."""
    frames = b"".join(dead(f"q{number}", "", end, **{"x-dead-letter-routing-key": f"q{number + 1}"})
                      for number in range(count))
    return frames, publish("", "q0") * 2_000


for shape, end, count, fast in ((clique, "maxlen 0", 20, True), (clique, "TTL 0", 20, False),
                                (clique, "bytes 0", 12, False), (clique, "refuses", 20, False),
                                (graph, "maxlen 0", 16, False), (layers, "maxlen 0", 30, False),
                                (layers, "TTL 0", 30, False), (chain, "maxlen 0", 1_000, False)):
    def storm(scene, shape=shape, end=end, count=count):
        frames, message = shape(end, count)
        client = scene.client()
        client.sends(frames)
        client.sync()
        client.sends(message)
        client.read_for(1.5)
        client.sends(message)
        client.sync()

    attack(f"letters: {shape.__name__} of {count}, {end}", fast=fast)(storm)


@attack("letters: clique of 20, rejected")
def rejected(scene):
    """A consumer of each queue rejects all that it gets."""
    client = scene.client()
    frames = exchange("x", "fanout")
    for number in range(20):
        frames += declare(f"q{number}", arguments={"x-dead-letter-exchange": "x"})
        frames += bind(f"q{number}", "x")
        frames += method("basic.consume", queue=f"q{number}", tag=f"q{number}", no_wait=True)
    client.sends(frames + publish("x", ""))
    client.sync()
    for tag in range(1, 10_001, 20):
        client.sends(b"".join(method("basic.reject", delivery_tag=t) for t in range(tag, tag + 20)))
        client.read_for(0.004)


@attack("letters: fanout of 10,000 is whole")
def whole_fanout(scene):
    """A large tree that is no storm is not cut."""
    count = 10_000
    client = scene.client()
    client.sends(exchange("x", "fanout") + b"".join(
        declare(f"q{number}") + bind(f"q{number}", "x") for number in range(count)))
    client.sends(declare("first", arguments={"x-message-ttl": 1, "x-dead-letter-exchange": "x"}))
    client.sync()
    client.sends(publish("", "first", b"letter"))
    client.read_for(1)
    for name in ("q0", "q4999", f"q{count - 1}"):
        there = client.call("queue.declare", queue=name, passive=True)["messages"]
        scene.expect(there == 1, f"{name} has {there} letters")


def expire_at_once(client, message, count):
    """They wait, overdue, behind one that has no deadline, until it is taken."""
    client.sends(publish("", "first", b"head") + message * count)
    client.sync()
    client.read_for(0.2)
    client.sends(method("basic.get", queue="first", no_ack=True))
    client.read_for(3)
    client.sync()


@attack("letters: 1,000 to a fanout of 2,000")
def expiries(scene):
    """All of a queue expires at once, and goes to many."""
    client = scene.client()
    client.sends(exchange("x", "fanout") + b"".join(
        declare(f"q{number}", arguments={"x-max-length": 1}) + bind(f"q{number}", "x")
        for number in range(2_000)))
    client.sends(declare("first", arguments={"x-dead-letter-exchange": "x"}))
    client.sync()
    expire_at_once(client, publish("", "first", b"letter", expiration="1"), 1_000)


@attack("letters: 1,000 with 119 KB of headers")
def large_headers(scene):
    headers = {f"header {number:04}": "v" * 100 for number in range(119_000 // 117)}
    client = scene.client()
    client.sends(declare("dead", arguments={"x-max-length": 5}))
    client.sends(declare("first", arguments={"x-dead-letter-exchange": "",
                                             "x-dead-letter-routing-key": "dead"}))
    message = publish("", "first", b"letter", headers=headers, expiration="1")
    assert len(message) < FRAME_MAX
    expire_at_once(client, message, 1_000)
