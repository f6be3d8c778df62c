"""Damaged data directories: what a start, --check and --salvage make of them."""
import glob
import json
import os
import random
import shutil
import subprocess
import time

from attacker import PERSISTENT, Attacker, Failure, declare, method, publish
from harness import BIN, Broker
from scene import attack

SMALL = ("--log-size", "8MiB", "--queue-memory", "64KiB")
FLIPS = 20


def filled(scene, count=600, priority=False, stop=False, taken=0):
    """A queue in piles and in the log."""
    scene.start()
    client = scene.client()
    arguments = {"x-max-priority": 4} if priority else {}
    client.sends(declare("q", durable=True, arguments=arguments))
    for number in range(count):
        body = b"body %06d " % number + b"." * 5_000
        client.sends(publish("", "q", body, priority=number % 5, **PERSISTENT) if priority else
                     publish("", "q", body, **PERSISTENT))
        if number % 100 == 99:
            client.call("queue.declare", queue=f"barrier {number}", durable=True)
    time.sleep(0.3)
    take_some(client, taken)
    client.close()
    scene.stop() if stop else scene.kill()


def take_some(client, count):
    """Every other one of the first leaves, so that the log says of piles what has left them."""
    if count == 0:
        return
    client.sends(method("basic.qos", prefetch_count=count) +
                 method("basic.consume", queue="q", tag="c", no_wait=True))
    client.sync()
    client.sends(b"".join(method("basic.ack", delivery_tag=tag) for tag in range(1, count, 2)))
    client.call("queue.declare", queue="barrier of acks", durable=True)


def log_path(scene, name=""):
    return os.path.join(scene.data, "vhosts", "%2F", name)


def newest(scene, ending):
    return sorted(glob.glob(log_path(scene, f"*{ending}")))[-1]


def oldest(scene, ending):
    return sorted(glob.glob(log_path(scene, f"*{ending}")))[0]


class Copy:
    """Of the data directory, to be damaged."""

    def __init__(self, scene):
        self.scene, self.data = scene, os.path.join(scene.directory, "copy")

    def __enter__(self):
        self.original, self.scene.copy = self.scene.data, self
        # They have no contents, and are made anew.
        shutil.copytree(self.original, self.data,
                        ignore=shutil.ignore_patterns("spare-*", "reserve"))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.data)

    def path(self, name):
        return os.path.join(self.data, os.path.relpath(name, self.original))


def flip(path, at=None, dice=random):
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        at = dice.randrange(size) if at is None else at
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << dice.randrange(8))]))
    return at


def commands(scene, copy, what):
    """None of them crashes, and a start that succeeds after a salvage has no damage."""
    code, said, errors = scene.haypiled("--check", copy.data, "--json")
    scene.expect(code in (0, 1, 2), f"{what}: --check ends with {code}: {errors}")
    salvage, _, errors = scene.haypiled("--salvage", copy.data, "--yes")
    scene.expect(salvage in (0, 1, 2), f"{what}: --salvage ends with {salvage}: {errors}")
    if salvage == 0:
        again, said, errors = scene.haypiled("--check", copy.data)
        scene.expect(again == 0, f"{what}: damage is left after a salvage: {said + errors}"[:300])
    return code


def try_start(data):
    """(whether it got ready, how it ended, what it said)."""
    done = subprocess.Popen([f"{BIN}/haypiled", "--data-dir", data, "--port", "0", "--log-level",
                             "warning"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ready = "ready on" in done.stdout.readline()
    if ready:
        done.kill()
    _, errors = done.communicate(timeout=20)
    return ready, done.returncode, errors


def refused(scene, copy, what, names):
    """The start says what is wrong with which file."""
    ready, code, said = try_start(copy.data)
    scene.expect(not ready, f"{what}: the start succeeds")
    scene.expect(code == 1, f"{what}: the start ends with {code}: {said[-200:]}")
    scene.expect(names in said, f"{what}: the start does not name '{names}': {said[-200:]}")
    code, said, errors = scene.haypiled("--check", copy.data)
    scene.expect(code in (1, 2), f"{what}: --check finds no damage")


@attack("damage: bits of the checkpoint", probe=False, bound_s=60, fast=False)
def checkpoint_bits(scene):
    filled_small(scene, taken=100)
    dice = random.Random(1)
    size = os.path.getsize(log_path(scene, "checkpoint"))
    for at in sorted(dice.sample(range(size), min(size, FLIPS))):
        with Copy(scene) as copy:
            flip(copy.path(log_path(scene, "checkpoint")), at, dice)
            code = commands(scene, copy, f"byte {at} of the checkpoint")
            scene.expect(code != 0, f"byte {at} of the checkpoint: --check finds no damage")


def filled_small(scene, **how):
    scene.attack.options[:] = SMALL
    filled(scene, **how)


@attack("damage: the checkpoint cut or gone", probe=False, bound_s=60, fast=True)
def checkpoint_cut(scene):
    filled_small(scene, taken=100)
    size = os.path.getsize(log_path(scene, "checkpoint"))
    for length in (0, 1, 47, 48, 56, size // 2, size - 1):
        with Copy(scene) as copy:
            os.truncate(copy.path(log_path(scene, "checkpoint")), length)
            commands(scene, copy, f"a checkpoint of {length} bytes")
    with Copy(scene) as copy:
        with open(copy.path(log_path(scene, "checkpoint")), "wb") as file:
            file.write(bytes(size))
        commands(scene, copy, "a checkpoint of zeros")
    with Copy(scene) as copy:
        os.remove(copy.path(log_path(scene, "checkpoint")))
        refused(scene, copy, "no checkpoint", "vhosts")
        commands(scene, copy, "no checkpoint")


@attack("damage: bits of all other files", probe=False, bound_s=60)
def other_bits(scene):
    filled_small(scene, taken=100)
    dice = random.Random(2)
    for path in (newest(scene, ".seg"), oldest(scene, ".seg"), newest(scene, ".pile"),
                 oldest(scene, ".pile"), os.path.join(scene.data, "id")):
        for turn in range(8):
            with Copy(scene) as copy:
                at = flip(copy.path(path), min(turn * 9, 40) if turn % 2 else None, dice)
                commands(scene, copy, f"byte {at} of {os.path.basename(path)}")


@attack("damage: last batch, two seconds later", probe=False, fast=True)
def last_batch(scene):
    """An idle log says on disk how far it is durable."""
    scene.start()
    client = scene.client()
    client.sends(declare("q", durable=True) + method("confirm.select", no_wait=True) +
                 publish("", "q", b"a confirmed message", **PERSISTENT))
    client.wait_for(bytes.fromhex("003c0050"))
    time.sleep(2)
    scene.kill()
    path = newest(scene, ".seg")
    with open(path, "rb") as file:
        at = file.read().rindex(b"a confirmed message")
    with Copy(scene) as copy:
        flip(copy.path(path), at)
        refused(scene, copy, "a flipped bit in what was confirmed", os.path.basename(path))


@attack("damage: newest segment gone", probe=False, bound_s=30, fast=True)
def no_segment(scene):
    """Nothing but the newest segment itself would say that there was one."""
    for stop in (False, True):
        scene.attack.options[:] = ["--log-size", "8MiB"]
        filled(scene, stop=stop)
        path = newest(scene, ".seg")
        with Copy(scene) as copy:
            os.remove(copy.path(path))
            refused(scene, copy, f"no newest segment, {'stopped' if stop else 'killed'}",
                    os.path.basename(path)[:10])
            commands(scene, copy, "no newest segment")
        shutil.rmtree(scene.data)


@attack("damage: all segments gone", probe=False)
def no_segments(scene):
    filled_small(scene)
    with Copy(scene) as copy:
        for path in glob.glob(log_path(scene, "*.seg")):
            os.remove(copy.path(path))
        refused(scene, copy, "no segments", ".seg")


@attack("damage: vhosts gone", probe=False, fast=True)
def no_vhosts(scene):
    filled_small(scene)
    for name in ("vhosts", "vhosts/%2F"):
        with Copy(scene) as copy:
            shutil.rmtree(os.path.join(copy.data, name))
            refused(scene, copy, f"no {name}", "vhosts")


@attack("damage: bits of id", probe=False, bound_s=40, fast=True)
def id_bits(scene):
    """A salvage believes the files that agree with each other, and drops nothing."""
    filled_small(scene, count=200)
    with open(os.path.join(scene.data, "id"), "rb") as file:
        text = file.read()
    # The lowest bit of a digit makes another digit of it, mostly.
    places = [at for at in range(len(text) - 33, len(text) - 1)
              if chr(text[at] ^ 1) in "0123456789abcdef"]
    for at in [0, 13] + places[:6]:
        with Copy(scene) as copy:
            with open(os.path.join(copy.data, "id"), "wb") as file:
                file.write(text[:at] + bytes([text[at] ^ 1]) + text[at + 1:])
            ready, code, said = try_start(copy.data)
            scene.expect(not ready and code == 1, f"byte {at} of id: the start ends with {code}")
            code, said, errors = scene.haypiled("--salvage", copy.data, "--yes")
            left = messages_in(scene, copy.data) if code == 0 else 200
            scene.expect(left == 200, f"byte {at} of id: a salvage keeps {left} of 200 messages")
            scene.expect(code == 0 or "id" in said + errors, f"byte {at} of id: {said + errors}")


def messages_in(scene, data, queue="q"):
    code, said, errors = scene.haypiled("--check", data, "--json")
    if not said:
        raise Failure(f"--check says nothing: {errors}")
    vhosts = json.loads(said)["vhosts"]
    vhosts = vhosts if isinstance(vhosts, list) else list(vhosts.values())
    counts = vhosts[0]["queues"].get(queue, {}) if vhosts else {}
    return sum(value for value in counts.values() if isinstance(value, int))


@attack("damage: a pile with gaps", probe=False, bound_s=40)
def gaps(scene):
    """What --check says is lost is what is lost."""
    filled_small(scene)
    scene.start()
    client = scene.client()
    client.sends(method("basic.qos", prefetch_count=300) +
                 method("basic.consume", queue="q", tag="c", no_wait=True))
    client.read_for(1)
    client.sends(b"".join(method("basic.ack", delivery_tag=tag) for tag in range(1, 280)
                          if tag % 7))
    client.sync()
    # Traffic enough that little used piles are thinned.
    client.sends(declare("other", durable=True, arguments={"x-max-length": 1}))
    client.sends(publish("", "other", bytes(100_000), **PERSISTENT) * 300)
    client.sync()
    client.call("queue.declare", queue="barrier", durable=True)
    time.sleep(0.5)
    client.close()
    scene.kill()
    before = messages_in(scene, scene.data)
    scene.note(f"{before} messages before")
    dice, tried = random.Random(3), 0
    for path in sorted(glob.glob(log_path(scene, "*.pile"))):
        size = os.path.getsize(path)
        for at in (size // 3, size // 2):
            with Copy(scene) as copy:
                flip(copy.path(path), at, dice)
                _, said, _ = scene.haypiled("--check", copy.data, "--json")
                vhost = json.loads(said)["vhosts"][0]
                lost = sum(one.get("messages", 0) for one in vhost["damages"])
                scene.haypiled("--salvage", copy.data, "--yes")
                left = messages_in(scene, copy.data) + messages_in(scene, copy.data, "other")
                whole = before + messages_in(scene, scene.data, "other")
                scene.expect(whole - left == lost, f"{os.path.basename(path)} at {at}: {lost} are "
                             f"said to be lost, {whole - left} are")
                tried += 1
    scene.note(f"{tried} damaged piles")


@attack("damage: first block of a priority queue", probe=False, fast=True)
def priority_block(scene):
    for limits in ({"x-message-ttl": 10**8}, {"x-max-length": 10**6}, {}):
        shutil.rmtree(scene.data, ignore_errors=True)
        scene.attack.options[:] = SMALL
        scene.start()
        client = scene.client()
        client.sends(declare("q", durable=True, arguments={"x-max-priority": 4, **limits}))
        for number in range(400):
            client.sends(publish("", "q", b"body %06d " % number + b"." * 5_000, priority=3,
                                 **PERSISTENT))
        client.call("queue.declare", queue="barrier", durable=True)
        time.sleep(0.3)
        client.close()
        scene.kill()
        path = oldest(scene, ".pile")
        with Copy(scene) as copy:
            flip(copy.path(path), 1_000)
            ready, code, said = try_start(copy.data)
            if ready:  # it is found when it is read
                broker = Broker(copy.data, "--log-level", "warning")
                try:
                    with Attacker(broker.port) as reader:
                        reader.sends(method("basic.consume", queue="q", tag="c", no_wait=True))
                        reader.read_for(1)
                except Failure:
                    pass
                time.sleep(0.2)
                code = broker.program.process.poll()
                broker.kill()
                said = "\n".join(broker.program.errors)
            scene.expect(code == 1, f"it ends with {code}: {said[-200:]}")
            scene.expect(os.path.basename(path) in said, f"no name of the file: {said[-200:]}")
            commands(scene, copy, "first block of a pile")
