"""Millions of messages, queues or bindings, and what one call does to them."""
import time

from attacker import PERSISTENT, Failure, bind, declare, exchange, method, publish
from scene import attack

PATIENCE_S = 40


def drop(client):
    """Its connection is gone, without a word."""
    client.close()


def settle(scene, seconds=2.0):
    """What was begun goes on for a while, and others are watched meanwhile."""
    time.sleep(seconds)
    scene.client().sync(patience=PATIENCE_S)


def unacked(scene, count, how, **properties):
    """A consumer that has it all in hand, and gives it back in one go."""
    publisher = scene.client()
    publisher.sends(declare("q", durable=bool(properties)))
    consumer = scene.client()
    consumer.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
    frames = publish("", "q", b"x", **properties) * 5_000
    for _ in range(count // 5_000):
        publisher.sends(frames)
        consumer.read_for(0.001)
    publisher.sync(patience=PATIENCE_S)
    consumer.read_for(0.5)
    how(consumer)
    settle(scene)
    there, end = None, time.monotonic() + 8
    while there != count and time.monotonic() < end:  # they come back in portions
        there = scene.client().call("queue.declare", patience=PATIENCE_S, queue="q", passive=True,
                                    durable=bool(properties))["messages"]
        time.sleep(0.2)
    scene.expect(there == count, f"{there} of {count} are back")


def nack_all(client):
    client.sends(method("basic.nack", delivery_tag=0, multiple=True, requeue=True))
    client.sends(method("basic.cancel", tag="c", no_wait=True))


def close_channel(client):
    client.sends(method("channel.close"))


@attack("backlog: 2 million unacked, disconnect", bound_s=60)
def requeue_at_disconnect(scene):
    unacked(scene, 2_000_000, drop)


@attack("backlog: 1 million unacked, channel closed", bound_s=60)
def requeue_at_close(scene):
    unacked(scene, 1_000_000, close_channel, **PERSISTENT)


@attack("backlog: 1 million acked at once", bound_s=60)
def ack_all(scene):
    def ack(client):
        client.sends(method("basic.ack", delivery_tag=0, multiple=True))
    try:
        unacked(scene, 1_000_000, ack, **PERSISTENT)
    except Failure as error:
        if not str(error).startswith("0 of"):
            raise


@attack("backlog: 1 million rejected, dead letters", bound_s=60)
def reject_all(scene):
    publisher = scene.client()
    publisher.sends(declare("dead"))
    publisher.sends(declare("q", arguments={"x-dead-letter-exchange": "",
                                            "x-dead-letter-routing-key": "dead"}))
    consumer = scene.client()
    consumer.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
    for _ in range(100):
        publisher.sends(publish("", "q", b"x") * 5_000)
        consumer.read_for(0.001)
    publisher.sync(patience=PATIENCE_S)
    consumer.read_for(0.5)
    consumer.sends(method("basic.nack", delivery_tag=0, multiple=True))
    settle(scene, 3)


def many_queues(scene, queues, messages, **flags):
    """Each has so many."""
    client = scene.client()
    client.sends(exchange("x", "fanout") + b"".join(
        declare(f"q{number}", **flags) + bind(f"q{number}", "x") for number in range(queues)))
    client.sync(patience=PATIENCE_S)
    for _ in range(messages // 50):
        client.sends(publish("x", "", b"x") * 50)
        client.sync(patience=PATIENCE_S)
    return client


@attack("backlog: 5,000 full queues deleted", bound_s=60)
def deletes(scene):
    client = many_queues(scene, 5_000, 2_000)
    client.sends(b"".join(method("queue.delete", queue=f"q{n}", no_wait=True)
                          for n in range(5_000)))
    client.sync(patience=PATIENCE_S)
    settle(scene, 1)


@attack("backlog: 2,000 full queues go, exclusive", bound_s=60)
def exclusive_full(scene):
    client = many_queues(scene, 2_000, 4_000, exclusive=True)
    drop(client)
    settle(scene)


@attack("backlog: a queue of 5 million deleted", bound_s=60)
def delete_large(scene):
    client = scene.client()
    client.sends(declare("q"))
    for _ in range(1_000):
        client.sends(publish("", "q", b"x") * 5_000)
    client.sync(patience=PATIENCE_S)
    client.call("queue.delete", queue="q", patience=PATIENCE_S)
    settle(scene, 1)


@attack("backlog: a queue of 3 million purged", bound_s=60)
def purge_large(scene):
    client = scene.client()
    client.sends(declare("q", durable=True))
    for _ in range(600):
        client.sends(publish("", "q", b"x", **PERSISTENT) * 5_000)
    client.sync(patience=PATIENCE_S)
    client.call("queue.purge", queue="q", patience=PATIENCE_S)
    settle(scene, 1)


@attack("backlog: 100,000 exclusive queues go", bound_s=60)
def exclusive_queues(scene):
    client = scene.client()
    client.sends(b"".join(declare(f"q{number}", exclusive=True) for number in range(100_000)))
    client.sync(patience=PATIENCE_S)
    drop(client)
    settle(scene)


@attack("backlog: 100,000 queues declared", bound_s=60)
def declares(scene):
    client = scene.client()
    client.sends(b"".join(declare(f"q{number}") for number in range(100_000)))
    client.sync(patience=PATIENCE_S)
    settle(scene, 0.5)


@attack("backlog: 100,000 durable queues declared", bound_s=60)
def durable_declares(scene):
    client = scene.client()
    client.sends(b"".join(declare(f"q{number}", durable=True) for number in range(100_000)))
    client.sync(patience=PATIENCE_S)
    settle(scene, 0.5)


@attack("backlog: a queue with 200,000 bindings goes", bound_s=60)
def bindings(scene):
    client = scene.client()
    client.sends(exchange("x", "topic") + exchange("y", "direct") + declare("q"))
    for number in range(100_000):
        client.sends(bind("q", "x", f"a.{number}") + bind("q", "y", f"b.{number}"))
    client.sync(patience=PATIENCE_S)
    client.call("queue.delete", queue="q", patience=PATIENCE_S)
    settle(scene, 0.5)


@attack("backlog: an exchange with 100,000 bindings goes", bound_s=60)
def exchange_bindings(scene):
    client = scene.client()
    client.sends(exchange("x", "topic") + b"".join(declare(f"q{n}") for n in range(100)))
    client.sends(b"".join(bind(f"q{n % 100}", "x", f"a.{n}") for n in range(100_000)))
    client.sync(patience=PATIENCE_S)
    client.call("exchange.delete", exchange="x", patience=PATIENCE_S)
    settle(scene, 0.5)


def fan(client, count, **flags):
    """An exchange with `count` bindings, half of them to it, from an exchange of that name."""
    client.sends(exchange("from", "topic") + exchange("x", "direct", **flags) + declare("q"))
    for number in range(count // 2):
        client.sends(method("exchange.bind", destination="x", source="from",
                            routing_key=f"a.{number}", no_wait=True) +
                     bind("q", "x", f"b.{number}"))
    client.sync(patience=PATIENCE_S)


@attack("backlog: an exchange with 200,000 bindings, both ways, goes", bound_s=60)
def exchange_bindings_both_ways(scene):
    client = scene.client()
    fan(client, 200_000)
    client.call("exchange.delete", exchange="x", patience=PATIENCE_S)
    settle(scene, 0.5)


@attack("backlog: an exchange that deletes itself goes with 200,000 bindings", bound_s=60)
def exchange_deletes_itself(scene):
    client = scene.client()
    fan(client, 200_000, auto_delete=True)
    client.call("queue.delete", queue="q", patience=PATIENCE_S)
    settle(scene, 0.5)


@attack("backlog: a durable queue with 200,000 bindings goes", bound_s=60)
def durable_bindings(scene):
    client = scene.client()
    client.sends(exchange("x", "direct", durable=True) + declare("q", durable=True))
    for number in range(200_000):
        client.sends(bind("q", "x", f"b.{number}"))
    client.sync(patience=PATIENCE_S)
    client.call("queue.delete", queue="q", patience=PATIENCE_S)
    settle(scene, 0.5)


def take_a_few(client):
    """So that no pile is whole any more."""
    client.sends(method("basic.qos", prefetch_count=50) +
                 method("basic.consume", queue="q", tag="c", no_wait=True))
    client.sync()
    client.sends(b"".join(method("basic.ack", delivery_tag=tag) for tag in range(2, 50)))
    client.call("queue.declare", queue="another barrier", durable=True)


def restarted(scene, count, wait_s, arguments):
    """`count` messages in piles; the daemon is stopped and started again with a probe beside it."""
    scene.start()
    client = scene.client()
    client.sends(declare("q", durable=True, arguments=arguments) + declare("dead", durable=True))
    client.sync()
    began = time.monotonic()
    frames = publish("", "q", b"x" * 200, **PERSISTENT) * 5_000
    for _ in range(count // 5_000):
        client.sends(frames)
    client.sync(patience=PATIENCE_S)
    client.call("queue.declare", queue="barrier", durable=True, patience=PATIENCE_S)
    taken_s = time.monotonic() - began
    take_a_few(client)
    scene.note(f"{count:,} messages in {taken_s:.1f} s")
    client.close()
    scene.kill()
    time.sleep(max(0, wait_s - (time.monotonic() - began)) if wait_s else 0)
    began = time.monotonic()
    scene.start()
    scene.note(f"ready after {(time.monotonic() - began) * 1000:.0f} ms")
    scene.begin_probe()
    return scene.client()


USES = {
    "x-max-length-bytes": {"x-max-length-bytes": 10**12},
    "x-message-ttl": {"x-message-ttl": 3_600_000},
    "x-max-length": {"x-max-length": 10**9},
}
for name, arguments in USES.items():
    def first_use(scene, arguments=arguments):
        client = restarted(scene, 3_000_000, 0, arguments)
        client.sends(method("basic.qos", prefetch_count=10) +
                     method("basic.consume", queue="q", tag="c", no_wait=True))
        client.sends(publish("", "q", b"x"))
        client.sync(patience=PATIENCE_S)
        time.sleep(0.5)
        scene.end_probe()

    attack(f"backlog: 3 million, {name}, first use", bound_s=60, probe=False)(first_use)


@attack("backlog: get of 2 million expired", bound_s=60, probe=False)
def get_expired(scene):
    ttl_s = 12
    client = restarted(scene, 2_000_000, ttl_s + 1, {
        "x-message-ttl": ttl_s * 1000, "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead"})
    client.sends(method("basic.get", queue="q"))
    client.sync(patience=PATIENCE_S)
    time.sleep(3)
    scene.end_probe()
    memory = scene.look_at_memory()
    scene.expect(scene.peak_mib < 400, f"{scene.peak_mib:.0f} MiB resident, now {memory:.0f}")


@attack("backlog: moves to disk beside", "--queue-memory", "1MiB", "--log-size", "8MiB", bound_s=60)
def moves(scene):
    """Many queues with much that waits, moved over and over."""
    client = scene.client()
    client.sends(exchange("x", "direct") + b"".join(
        declare(f"q{number}", durable=True) + bind(f"q{number}", "x", f"{number % 50}")
        for number in range(1_000)))
    client.sync(patience=PATIENCE_S)
    for turn in range(60):
        client.sends(b"".join(publish("x", f"{number}", bytes(2_000), **PERSISTENT)
                              for number in range(50)) * 4)
    client.sync(patience=PATIENCE_S)
    settle(scene, 1)
