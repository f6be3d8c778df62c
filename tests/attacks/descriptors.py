"""File descriptors, of which there are few."""
import os
import resource
import socket
import time

from attacker import PERSISTENT, Failure, declare, publish
from scene import attack

LOCAL = [f"127.0.0.{n}" for n in range(2, 50)]


def prlimit(soft, hard):
    return lambda _: ["prlimit", f"--nofile={soft}:{hard}"]


def raise_own_limit(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def idle(port, count):
    """Sockets that say nothing; those that the broker has closed by now are among them."""
    raise_own_limit(count + 500)
    sockets = []
    for number in range(count):
        try:
            sockets.append(socket.create_connection(("127.0.0.1", port), 1,
                                                    (LOCAL[number % len(LOCAL)], 0)))
        except OSError:
            break
    return sockets


@attack("descriptors: all taken before login", "--log-size", "8MiB", "--queue-memory", "1MiB",
        wrapper=prlimit(256, 256), logins=False, fast=True)
def idle_sockets(scene):
    """And then somebody publishes so much that the log needs new files."""
    client = scene.client()
    client.sends(declare("q", durable=True))
    client.sync()
    sockets = idle(scene.port, 600)
    client.sends(publish("", "q", bytes(10_000), **PERSISTENT) * 3_000)
    client.sync()
    for one in sockets:
        one.close()
    time.sleep(0.5)
    scene.client().sync()


@attack("descriptors: all taken after login", "--log-size", "8MiB", "--queue-memory", "1MiB",
        wrapper=prlimit(256, 256), logins=False)
def logged_in(scene):
    client = scene.client()
    client.sends(declare("q", durable=True))
    client.sync()
    try:
        for _ in range(400):
            scene.client()
    except (Failure, OSError):
        pass
    client.sends(publish("", "q", bytes(10_000), **PERSISTENT) * 3_000)
    client.sync()
    for one in scene.clients[1:]:
        one.close()
    time.sleep(0.5)
    scene.client().sync()


@attack("descriptors: soft limit of 1,024", wrapper=prlimit(1024, 4096), bound_s=30)
def soft_limit(scene):
    """The hard one is what counts."""
    raise_own_limit(4_000)
    for _ in range(2_000):
        scene.client()


@attack("descriptors: many before login", wrapper=prlimit(8192, 8192), logins=False, bound_s=30)
def before_login(scene):
    """They are capped, turned away at once, and gone after their time."""
    sockets = idle(scene.port, 3_000)
    time.sleep(1)
    open_ones = len(os.listdir(f"/proc/{scene.pid}/fd"))
    scene.expect(open_ones < 1_024 + 200, f"{open_ones} descriptors are open")
    scene.expect(len(sockets) > 2_000, "connections are not even taken")
    time.sleep(10.5)
    open_ones = len(os.listdir(f"/proc/{scene.pid}/fd"))
    scene.expect(open_ones < 200, f"{open_ones} descriptors are open after 10 s")
    scene.client().sync()
    for one in sockets:
        one.close()
