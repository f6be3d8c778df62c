"""Connections that read late, slowly or not at all, and what must go on in spite of it."""
import os
import time

from attacker import Attacker, declare, method, publish
from logins import refused_login
from scene import attack

MB = 1_000_000
HEARTBEAT = bytes.fromhex("08000000000000ce")


def filled(scene, queue, count, size):
    client = scene.client()
    client.sends(declare(queue))
    for _ in range(count):
        client.sends(publish("", queue, bytes(size)))
    client.sync()
    return client


def beats(client, seconds, bytes_per_second=None, step_s=0.4):
    """Sends heartbeats, and reads slowly or not at all."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.pushes(HEARTBEAT)
        if bytes_per_second:
            client.read_for(step_s, bytes_per_second)
        else:
            time.sleep(step_s)


@attack("liveness: heartbeats, slow reader", bound_s=20)
def slow_reader(scene):
    """A peer that sends heartbeats is alive, however slowly it takes a message."""
    filled(scene, "q", 1, 16 * MB)
    client = scene.client(heartbeat=1, receive_buffer=65536)
    client.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
    beats(client, 7, bytes_per_second=2 * MB)
    client.read_for(1)
    client.sync()
    scene.expect(client.received > 16 * MB, "the message did not come")


@attack("liveness: heartbeats, a pause", bound_s=20)
def pause(scene):
    """A worker that has much in hand works for 5 s without reading."""
    filled(scene, "q", 20, 2 * MB)
    client = scene.client(heartbeat=1, receive_buffer=65536)
    client.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
    beats(client, 5)
    client.sync()
    end = time.monotonic() + 5
    while client.received < 39 * MB and time.monotonic() < end:
        client.read_for(0.1)
    scene.expect(client.received > 39 * MB, f"only {client.received} bytes came")


@attack("liveness: heartbeats in an alarm", memory_limit=64, bound_s=20, latency=False)
def alarm(scene):
    """A publisher that is held back, and a consumer that holds what the alarm is about, are
    alive."""
    client = scene.client(heartbeat=1)
    client.sends(declare("q"))
    holder = scene.client(heartbeat=1)
    holder.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
    client.pushes(publish("", "q", bytes(MB)) * 90, patience=0.5, at_most=True)
    for _ in range(8):
        holder.sends(HEARTBEAT)
        holder.read_for(0.5)
        client.pushes(HEARTBEAT, patience=0.1, at_most=True)
    holder.sends(method("basic.ack", delivery_tag=0, multiple=True))
    holder.sync()
    scene.expect(holder.is_open(), "the consumer has been closed")


def worker(size, prefetch, jobs, **properties):
    def run(scene):
        """Publishes its result before it reads on, as many client libraries do."""
        filled(scene, "work", jobs, size)
        client = scene.client(receive_buffer=65536)
        client.sends(declare("results") + method("basic.qos", prefetch_count=prefetch) +
                     method("basic.consume", queue="work", tag="c", no_wait=True))
        result = publish("", "results", bytes(size), **properties)
        for tag in range(1, jobs + 1):
            client.wait_for(method("basic.deliver", tag="c", delivery_tag=tag,
                                   routing_key="work")[7:-1], patience=5)
            client.pushes(result, patience=5)
            client.pushes(method("basic.ack", delivery_tag=tag), patience=5)
        client.sync()
        there = client.call("queue.declare", queue="results", passive=True)["messages"]
        scene.expect(there == jobs, f"{there} results of {jobs}")
    return run


attack("liveness: worker, 8 x 2 MB", fast=True)(worker(2 * MB, 8, 20))
attack("liveness: worker, 2 x 16 MB")(worker(16 * MB, 2, 5))
attack("liveness: worker, 100 x 100 KB")(worker(MB // 10, 100, 300))


def replies(count, frames, reply_size):
    def run(scene):
        """All are taken while no reply is read, and then all replies come."""
        filled(scene, "q", 1, MB)
        client = scene.client(receive_buffer=65536)
        client.pushes(frames * count, patience=5)
        before = client.received
        client.sync()
        came = client.received - before
        scene.expect(came >= count * reply_size, f"{came} bytes of replies")
    return run


UNROUTABLE = publish("", "nowhere", bytes(1_000), mandatory=True)
attack("liveness: 30,000 returns not read", fast=True)(replies(30_000, UNROUTABLE, 1_000))
attack("liveness: 200,000 -oks not read")(
    replies(200_000, method("queue.declare", queue="q", passive=True), 20))
attack("liveness: get-oks not read")(
    replies(25, method("basic.get", queue="q") + method("basic.recover", requeue=True), MB))


@attack("liveness: 300 that do not read", bound_s=30)
def many_that_do_not_read(scene):
    """Consumers that do not read get what goes, and then are dropped at once."""
    client = scene.client()
    client.sends(declare("q"))
    stuck = [scene.client(receive_buffer=4096) for _ in range(300)]
    for one in stuck:
        one.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
    for _ in range(200):
        client.sends(publish("", "q", b"x") * 5_000)
    client.sync()
    for one in stuck:
        one.close()
    there, end = 0, time.monotonic() + 8
    while there != 1_000_000 and time.monotonic() < end:  # they come back in portions
        client.read_for(0.2)
        there = client.call("queue.declare", queue="q", passive=True)["messages"]
    scene.expect(there == 1_000_000, f"{there} of 1,000,000 messages are back")


@attack("liveness: six transactions", memory_limit=256, bound_s=20, while_blocked=False)
def transactions(scene):
    """Of one client; nobody else has to wait for it."""
    client = scene.client(channels=6)
    client.sends(declare("q"))
    for channel in range(1, 7):
        client.sends(method("tx.select", channel))
    for channel in range(1, 7):
        frames = publish("", "q", bytes(MB), channel) * 10
        for _ in range(5):
            if not client.pushes(frames, patience=0.7, at_most=True) and not client.is_open():
                scene.note(f"closed: {client.last_words()}")
                return
    time.sleep(1)
    scene.expect(not scene.is_blocked(), "publishers are blocked, and by one client alone")


@attack("liveness: transactions end in an alarm", memory_limit=128, bound_s=20, latency=False)
def transactors(scene):
    """Each holds some, somebody else fills the rest; they can commit, or roll back."""
    clients = [scene.client() for _ in range(8)]
    for client in clients:
        client.sends(declare("q") + method("tx.select") + publish("", "q", bytes(MB)) * 5)
        client.sync()
    filler = scene.client()
    filler.sends(declare("rest"))
    filler.pushes(publish("", "rest", bytes(MB)) * 110, patience=0.5, at_most=True)
    scene.expect(scene.is_blocked(), "nobody is blocked: the attack does not reach its aim")
    for number, client in enumerate(clients):
        client.call("tx.commit" if number < 4 else "tx.rollback", patience=5)
    reader = scene.client()
    for queue in ("q", "rest"):
        reader.sends(method("basic.consume", queue=queue, tag=queue, no_ack=True, no_wait=True))
    reader.read_for(2)
    scene.expect(not scene.is_blocked(),
                 "publishers are still blocked when all has been given back")


@attack("liveness: who holds can give back", memory_limit=128, bound_s=20, latency=False)
def holders(scene):
    """Workers hold nearly all that the limit allows; each publishes a result for a job, and
    acknowledges it."""
    publisher = scene.client()
    publisher.sends(declare("work") + declare("results"))
    workers = [scene.client() for _ in range(4)]
    for one in workers:
        one.sends(method("basic.qos", prefetch_count=30) +
                  method("basic.consume", queue="work", tag="c", no_wait=True))
        one.sync()
    publisher.pushes(publish("", "work", bytes(MB)) * 170, patience=0.5, at_most=True)
    publisher.close()
    for one in workers:
        one.read_for(0.3)
    result = publish("", "results", bytes(500_000))
    for one in workers:
        for tag in range(1, 20):
            one.sends(result + method("basic.ack", delivery_tag=tag), patience=5)
        one.sync(patience=5)


def unread_pipe(scene):
    """Standard error is a pipe that nobody reads."""
    path = os.path.join(scene.directory, "pipe")
    if not os.path.exists(path):
        os.mkfifo(path)
    return ["sh", "-c", f'exec "$0" "$@" 2<>{path}']


@attack("liveness: nobody reads its log", "--log-level", "info", fast=True, wrapper=unread_pipe)
def unread_log(scene):
    """Failed logins with long names would fill the pipe, and so would logins that succeed."""
    for _ in range(6):
        refused_login(scene.port, "n" * 16_000)
    for number in range(300):
        Attacker(scene.port).close()
    scene.client().sync()
