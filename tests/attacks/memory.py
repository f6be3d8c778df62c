"""What one client can make the daemon keep in memory, with --memory-limit set."""
import time

from attacker import (PERSISTENT, Failure, bind, declare, exchange, method, publish, unfinished)
from scene import attack

MB = 1_000_000
LARGEST = 16 << 20


def until_steady(scene, at_most_s=12):
    """Until memory has not grown for a second in which the daemon had little to do."""
    end, most, last = time.monotonic() + at_most_s, 0, time.monotonic()
    used = scene.processor_s()
    while time.monotonic() < min(end, last + 1):
        now = scene.look_at_memory()
        if now > most + 4 or scene.processor_s() > used + 0.3:
            most, last, used = max(most, now), time.monotonic(), scene.processor_s()
        time.sleep(0.05)


def fanout(queues, priority=0, **properties):
    def run(scene):
        """Small messages that each go to many queues."""
        client = scene.client()
        arguments = {"x-max-priority": priority} if priority else {}
        client.sends(exchange("x", "fanout") + b"".join(
            declare(f"q{number}", arguments=arguments, durable=bool(properties)) +
            bind(f"q{number}", "x") for number in range(queues)))
        client.sync()
        frames = publish("x", "", b"x", **properties)
        client.pushes(frames * (588_000 // len(frames)), patience=3, at_most=True)
        until_steady(scene)
    return run


LIMITED = dict(memory_limit=64, latency=False, bound_s=40)
attack("memory: fanout of 5,000", fast=True, **LIMITED)(fanout(5_000))
attack("memory: fanout of 5,000, priorities", **LIMITED)(fanout(5_000, priority=5))
attack("memory: fanout of 5,000, durable", **LIMITED)(fanout(5_000, **PERSISTENT))


def partial(connections, channels):
    def run(scene):
        """Messages of which all but the last byte has come."""
        clients = [scene.client(channels=channels) for _ in range(connections)]
        for channel in range(1, channels + 1):
            one = unfinished("q", LARGEST, LARGEST - 1, channel)
            for client in clients:
                if scene.look_at_memory() > 2_000:
                    raise Failure("memory goes on to grow")
                # Of what is not taken there need not be more.
                client.pushes(b"" if client.unsent else one, patience=0.05, at_most=True)
        time.sleep(0.5)
    return run


PARTIAL = dict(memory_limit=256, latency=False, bound_s=60)
attack("memory: 200 unfinished bodies", **PARTIAL)(partial(1, 200))
attack("memory: 50 x 4 unfinished bodies", **PARTIAL)(partial(50, 4))


@attack("memory: an unfinished body can be finished", memory_limit=64, latency=False)
def finished(scene):
    """Many have begun; each that has begun can go on, and others can begin after it."""
    clients = [scene.client() for _ in range(12)]
    for client in clients:
        client.sends(declare("q") + method("confirm.select", no_wait=True))
    whole = publish("", "q", bytes(LARGEST - 1))
    for client in clients:
        client.pushes(whole[:len(whole) // 2], patience=0.2, at_most=True)
    reader = scene.client()
    reader.sends(method("basic.consume", queue="q", tag="c", no_ack=True, no_wait=True))
    for client in clients:
        client.close()
    reader.read_for(1)
    scene.expect(not scene.is_blocked(), "publishers are blocked, and nothing is there any more")


def unread(connections, channels):
    def run(scene):
        """One message for many consumers that do not read."""
        client = scene.client()
        client.sends(exchange("x", "fanout"))
        readers = [scene.client(channels=channels, receive_buffer=65536)
                   for _ in range(connections)]
        for number, reader in enumerate(readers):
            for channel in range(1, channels + 1):
                name = f"q{number}-{channel}"
                reader.sends(declare(name, channel) + bind(name, "x", "", channel) +
                             method("basic.consume", channel, queue=name, tag="c", no_wait=True))
            reader.sync(channels)
        client.sends(publish("x", "", bytes(LARGEST)))
        until_steady(scene)
    return run


UNREAD = dict(memory_limit=256, latency=True, bound_s=40)
attack("memory: 200 channels do not read", **UNREAD)(unread(1, 200))
attack("memory: 200 connections do not read", **UNREAD)(unread(200, 1))


def held(name, frames, count, **setup):
    """Output that waits for the disk: declarations that hold back what comes after them."""
    def run(scene):
        client = scene.client(channels=2_000, receive_buffer=65536)
        client.sends(declare("q") + publish("", "q", bytes(MB)))
        client.sync()
        client.pushes(b"".join(frames(number, 1 + number % 2_000) for number in range(count)),
                      patience=3, at_most=True)
        until_steady(scene)
    attack(name, memory_limit=256, latency=False, bound_s=40, **setup)(run)


def declare_get_nack(number, channel):
    return method("exchange.declare", channel, exchange=f"x{number}", type="direct", durable=True) \
        + method("basic.get", channel, queue="q") \
        + method("basic.nack", channel, delivery_tag=number // 2_000 + 1, requeue=True)


def declare_get(number, channel):
    return method("queue.declare", channel, queue=f"d{number}", durable=True) \
        + method("basic.get", channel, queue="q") \
        + method("basic.recover", channel, requeue=True)


def slow_disk(scene):
    """Each fdatasync takes half a second longer."""
    return ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null",
            "-e", "trace=fdatasync",
            "-e", "inject=fdatasync:delay_exit=500000"]


held("memory: 2,000 x declare, get, nack", declare_get_nack, 2_000)
held("memory: 2,000 x declare, get, recover", declare_get, 2_000)
held("memory: declare, get, nack on a slow disk", declare_get_nack, 2_000, wrapper=slow_disk)


@attack("memory: declarations on a slow disk", memory_limit=256, latency=False, bound_s=60,
        wrapper=slow_disk, restart=False, logins=False)
def declarations(scene):
    """Durable queues with large arguments come and go faster than the disk takes it down."""
    client = scene.client()
    arguments = {f"a{number}": "v" * 1_000 for number in range(100)}
    frames = b"".join(declare(f"q{n}", durable=True, arguments=arguments) +
                      method("queue.delete", queue=f"q{n}", no_wait=True) for n in range(20))
    end = time.monotonic() + 12
    while time.monotonic() < end and scene.look_at_memory() < 1_500:
        client.pushes(frames, patience=0.5, at_most=True)


def unacked(give_back, **properties):
    def run(scene):
        """A consumer that acknowledges nothing, and then is gone."""
        publisher = scene.client()
        publisher.sends(declare("q", durable=bool(properties)))
        consumer = scene.client()
        consumer.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
        frames = publish("", "q", bytes(100), **properties) * 2_000
        for _ in range(700):
            if not publisher.pushes(frames, patience=0.3, at_most=True):
                break
            consumer.read_for(0.001)
        consumer.read_for(0.5)
        if give_back:
            consumer.close()
        time.sleep(2)
        if properties and give_back:
            scene.expect(not scene.is_blocked(), "publishers are blocked by what was returned")
    return run


UNACKED = dict(memory_limit=128, latency=False, bound_s=60)
attack("memory: 1.4 million unacked, durable", **UNACKED)(unacked(True, **PERSISTENT))
attack("memory: unacked and kept, durable", **UNACKED)(unacked(False, **PERSISTENT))
attack("memory: unacked, transient", **UNACKED)(unacked(True))


@attack("memory: 3 million unacked, from the disk", memory_limit=16, latency=False, bound_s=80)
def unacked_from_disk(scene):
    """They are on disk before, so that nobody has to wait with publishing; each takes its entry."""
    publisher = scene.client()
    publisher.sends(declare("q", durable=True))
    frames = publish("", "q", b"x", **PERSISTENT) * 5_000
    for _ in range(600):
        publisher.pushes(frames, patience=20)
    publisher.sync()
    consumer = scene.client(channels=20)
    for channel in range(1, 21):
        consumer.sends(method("basic.consume", channel, queue="q", tag="c", no_wait=True))
    end = time.monotonic() + 15
    while time.monotonic() < end and scene.look_at_memory() < 500:
        before = consumer.received
        consumer.read_for(0.5)
        if consumer.received == before:
            break


def given_back(scene, before, patience_s=3):
    """What is left of it after a while."""
    end = time.monotonic() + patience_s
    while scene.look_at_memory() > before + 64 and time.monotonic() < end:
        time.sleep(0.1)
    left = scene.look_at_memory() - before
    scene.expect(left <= 64, f"{left:.0f} MiB are not given back")


@attack("memory: 30 that got 16 MB once", bound_s=40)
def got_once(scene):
    client = scene.client()
    client.sends(exchange("x", "fanout"))
    before = scene.look_at_memory()
    readers = [scene.client() for _ in range(30)]
    for number, reader in enumerate(readers):
        reader.sends(declare(f"q{number}") + bind(f"q{number}", "x") +
                     method("basic.consume", queue=f"q{number}", tag="c", no_ack=True,
                            no_wait=True))
        reader.sync()
    client.sends(publish("x", "", bytes(LARGEST)))
    for reader in readers:
        reader.sync()
    given_back(scene, before)


@attack("memory: 30 channels that published 16 MB", bound_s=40)
def published_once(scene):
    client = scene.client(channels=30)
    client.sends(declare("q", arguments={"x-max-length": 0}))
    client.sync()
    before = scene.look_at_memory()
    for channel in range(1, 31):
        client.sends(publish("", "q", bytes(LARGEST), channel))
        client.sync(channel)
    given_back(scene, before)


@attack("memory: a burst, then nothing", bound_s=40)
def burst(scene):
    client = scene.client()
    client.sends(declare("q"))
    client.sync()
    before = scene.look_at_memory()
    for _ in range(40):
        client.sends(publish("", "q", bytes(10_000)) * 500)
    client.sync()
    client.call("queue.purge", queue="q")
    given_back(scene, before)


def three_gib(scene):
    return ["prlimit", f"--as={3 << 30}"]


@attack("memory: 16 MiB to 300 durable queues", wrapper=three_gib, bound_s=60, latency=False,
        memory_mib=700)
def copies(scene):
    """With 3 GiB of address space in all; the next start has them all."""
    client = scene.client()
    client.sends(exchange("x", "fanout", durable=True) + b"".join(
        declare(f"q{number}", durable=True) + bind(f"q{number}", "x") for number in range(300)))
    client.sync()
    client.sends(publish("x", "", bytes(LARGEST), **PERSISTENT))
    # Enough that the ring comes round, and what stays moves.
    client.sends(declare("filler", durable=True, arguments={"x-max-length": 1}))
    for _ in range(10):
        client.sends(publish("", "filler", bytes(LARGEST), **PERSISTENT))
    client.sync()
    client.call("queue.declare", queue="barrier", durable=True)
    client.close()
    scene.end_probe()
    scene.kill()
    scene.start()
    again = scene.client()
    for number in (0, 150, 299):
        there = again.call("queue.declare", queue=f"q{number}", passive=True,
                           durable=True)["messages"]
        scene.expect(there == 1, f"q{number} has {there} messages")


@attack("memory: definitions", memory_limit=64, latency=False, bound_s=40)
def definitions(scene):
    """Queues, exchanges and bindings with long names and arguments."""
    client = scene.client()
    arguments = {f"a{number}": "v" * 1_000 for number in range(100)}
    for number in range(1_500):
        frames = declare(f"q{number}", arguments=arguments) + \
            exchange(f"x{number}", "headers", arguments=arguments) + \
            bind(f"q{number}", f"x{number}", arguments=arguments)
        if not client.pushes(frames, patience=0.5, at_most=True):
            break
    until_steady(scene)


@attack("memory: channels and consumers", memory_limit=64, latency=False, bound_s=40)
def channels(scene):
    """Connections with as many channels as there may be, and a consumer on each."""
    for number in range(40):
        client = scene.client()
        frames = declare(f"q{number}") + b"".join(
            method("channel.open", n) + method("basic.consume", n, queue=f"q{number}",
                                               tag="t" * 200 + str(n), no_wait=True)
            for n in range(2, 1_000))
        client.pushes(frames, patience=0.5, at_most=True)
    time.sleep(1)
