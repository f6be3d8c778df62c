"""What a message's way through exchanges costs, and what 256 KB in one read may ask for."""
import itertools

from attacker import PERSISTENT, bind, declare, exchange, method, publish
from scene import attack


def flood(client, message, count=1_000, seconds=1.5):
    """So many at once: what one read brings is worked off in one go, unless there is a limit."""
    client.sends(message * count)
    client.read_for(seconds)
    client.sync()


def bound(scene, kind, bindings, **declared):
    """An exchange x with bindings to a queue q that keeps one message."""
    client = scene.client()
    client.sends(exchange("x", kind, **declared) + declare("q", arguments={"x-max-length": 1}))
    frames = [bind("q", "x", key, arguments=arguments) for key, arguments in bindings]
    client.sends(b"".join(frames))
    client.sync()
    return client


# name -> bindings, headers of the message.
HEADERS = {
    "50,000 that all match": (
        [("", {"x-match": "any", "a": 1, "b": number}) for number in range(50_000)], {"a": 1}),
    "100,000 values of a name": (
        [("", {"x-match": "all", "a": number}) for number in range(100_000)],
        {"a": 99_999}),
    "100,000 names": (
        [("", {"x-match": "any", f"name {number}": 1}) for number in range(100_000)],
        {f"name {number}": 1 for number in range(20)}),
    "100,000 of one value and another": (
        [("", {"x-match": "all", "a": 1, "b": number}) for number in range(100_000)],
        {"a": 1, "b": 1}),
    "20,000 of ten names": (
        [("", {"x-match": "all", "z": number, **{f"n{n}": 1 for n in range(9)}})
         for number in range(20_000)],
        {f"n{n}": 1 for n in range(100)}),
    "20,000 that only ask for presence": (
        [("", {"x-match": "all", "a": None, "b": number}) for number in range(20_000)],
        {"a": 5, "b": -1}),
}
for name, (bindings, headers) in HEADERS.items():
    def headers_exchange(scene, name=name, bindings=bindings, headers=headers):
        client = bound(scene, "headers", bindings)
        flood(client, publish("x", "", headers=headers), 50 if "all match" in name else 5_000)

    attack(f"routing: headers, {name}", bound_s=25)(headers_exchange)

TOPICS = {
    "{*,a}^13.#.z": (
        [".".join(words) + ".#.z" for words in itertools.product("*a", repeat=13)],
        ".".join("a" * 120)),
    "#.a.#.a": ([".".join(["#", "a"] * count) + f".{number}" for count in range(1, 40)
                 for number in range(50)], ".".join("a" * 120)),
    "#.*.#.*": ([".".join(["#", "*"] * count + [f"n{number}"]) for count in range(1, 30)
                 for number in range(30)], ".".join("a" * 120)),
    "{#,a}^12": ([".".join(words) + ".z" for words in itertools.product("#a", repeat=12)],
                 ".".join("a" * 120)),
    "100,000 of own words": ([f"a.*.{number}" for number in range(100_000)], "a.b.99999"),
}
for name, (patterns, key) in TOPICS.items():
    def topic(scene, patterns=patterns, key=key):
        client = bound(scene, "topic", [(pattern, None) for pattern in patterns])
        flood(client, publish("x", key))

    attack(f"routing: topic, {name}", bound_s=25, fast=name.startswith("{*"))(topic)


def fanout(count, reads, **properties):
    def run(scene):
        client = scene.client()
        client.sends(exchange("x", "fanout") + b"".join(
            declare(f"q{number}", arguments={"x-max-length": 3}, durable=bool(properties)) +
            bind(f"q{number}", "x") for number in range(count)))
        client.sync()
        frames = publish("x", "", b"x", **properties) * 300
        for _ in range(reads):
            client.sends(frames)
        client.read_for(1.5)
        client.sync()
    return run


attack("routing: fanout to 5,000", fast=True)(fanout(5_000, 1))
attack("routing: fanout to 10,000")(fanout(10_000, 2))
attack("routing: fanout to 10,000, durable", bound_s=40)(fanout(10_000, 1, **PERSISTENT))


@attack("routing: a transaction to 10,000 queues", fast=True)
def wide_transaction(scene):
    """It is refused, or its commit keeps nobody waiting."""
    client = scene.client()
    client.sends(exchange("x", "fanout") + b"".join(
        declare(f"q{number}") + bind(f"q{number}", "x") for number in range(10_000)))
    client.sync()
    client.sends(method("tx.select") + publish("x", "", b"x") * 300 + method("tx.commit"))
    client.read_for(2)


def long_transaction(count):
    def run(scene):
        """One of the most messages that may be; or of more, which is refused before the commit."""
        client = scene.client()
        client.sends(declare("q") + method("tx.select"))
        client.sync()
        client.pushes(publish("", "q", b"x") * count + method("tx.commit"), patience=5)
        client.read_for(2)
    return run


attack("routing: a transaction of 99,000 messages")(long_transaction(99_000))
attack("routing: a transaction of 2 million messages", bound_s=60)(long_transaction(2_000_000))


@attack("routing: 3,500 CC keys")
def carbon_copies(scene):
    client = scene.client()
    client.sends(b"".join(declare(f"queue {number}", durable=True) for number in range(3_500)))
    headers = {"CC": [f"queue {number}" for number in range(3_500)]}
    flood(client, publish("", "queue 0", b"x", headers=headers, **PERSISTENT), count=50)


@attack("routing: 300 exchanges, each to each", bound_s=25)
def graph(scene):
    client = scene.client()
    client.sends(b"".join(exchange(f"x{number}", "fanout") for number in range(300)))
    for of in range(300):
        client.sends(b"".join(method("exchange.bind", destination=f"x{to}", source=f"x{of}",
                                     no_wait=True) for to in range(300) if to != of))
    client.sends(declare("q", arguments={"x-max-length": 1}) + bind("q", "x299"))
    client.sync()
    flood(client, publish("x0", "", b"x"), count=200)


@attack("routing: a chain of 3,000 exchanges", bound_s=25)
def chain(scene):
    client = scene.client()
    client.sends(b"".join(exchange(f"x{number}", "fanout") for number in range(3_000)))
    client.sends(b"".join(method("exchange.bind", destination=f"x{n + 1}", source=f"x{n}",
                                 no_wait=True) for n in range(2_999)))
    client.sends(declare("q", arguments={"x-max-length": 1}) + bind("q", "x2999"))
    client.sync()
    flood(client, publish("x0", "", b"x"), count=200)


@attack("routing: alternate exchanges in a ring")
def alternates(scene):
    client = scene.client()
    client.sends(b"".join(exchange(f"x{number}", "direct", arguments={
        "alternate-exchange": f"x{(number + 1) % 2_000}"}) for number in range(2_000)))
    client.sync()
    flood(client, publish("x0", "k", b"x"), count=200)


def consumers(scene, prefetch_global, acks):
    """20,000 consumers on a channel, and acknowledgements that each let one of them go on."""
    client = scene.client()
    client.sends(declare("q") + method("basic.qos", prefetch_count=1_000,
                                       **{"global": prefetch_global}))
    client.sends(b"".join(method("basic.consume", queue="q", tag=f"c{number}", no_wait=True)
                          for number in range(20_000)))
    client.sync()
    client.sends(publish("", "q", b"x") * 5_000)
    client.sync()
    client.sends(b"".join(method("basic.ack", delivery_tag=tag) for tag in range(1, acks + 1)))
    client.read_for(2)
    client.sync()


@attack("routing: 20,000 consumers, global qos", bound_s=25)
def consumers_global(scene):
    consumers(scene, True, 1_000)


@attack("routing: 20,000 consumers, one queue each", bound_s=25)
def consumers_each(scene):
    """The channel's prefetch is used up; each acknowledgement may wake any of them."""
    client = scene.client()
    client.sends(method("basic.qos", prefetch_count=10, **{"global": True}))
    for number in range(20_000):
        client.sends(declare(f"q{number}") + method("basic.consume", queue=f"q{number}",
                                                    tag=f"c{number}", no_wait=True))
    client.sync()
    client.sends(b"".join(publish("", f"q{number % 20_000}", b"x") for number in range(20_000)))
    client.sync()
    for tag in range(1, 1_000, 10):
        client.sends(b"".join(method("basic.ack", delivery_tag=t) for t in range(tag, tag + 10)))
        client.read_for(0.01)
    client.sync()
