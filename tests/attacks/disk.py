"""What goes to the disk, how much of it, and when."""
import os
import re
import signal
import subprocess
import time

from attacker import PERSISTENT, Failure, bind, declare, exchange, method, publish
from harness import wait_for
from scene import BIN, attack

MB = 1_000_000
WINDOW = 1_000


def written(pid):
    """Bytes that the process has written to files; what it sends to sockets does not count."""
    with open(f"/proc/{pid}/io") as file:
        return int(re.search(r"wchar: (\d+)", file.read())[1])


def many_durable(scene, count):
    client = scene.client()
    client.sends(exchange("x", "direct", durable=True) + b"".join(
        declare(f"queue {number}", durable=True) + bind(f"queue {number}", "x", f"{number}")
        for number in range(count)))
    client.sync()
    client.call("queue.declare", queue="barrier", durable=True)
    return client


def stream(client, count):
    """100-byte messages, WINDOW on their way, consumed and acknowledged."""
    client.sends(declare("stream", durable=True) + method("confirm.select", no_wait=True) +
                 method("basic.consume", queue="stream", tag="c", no_ack=True, no_wait=True))
    frames = publish("", "stream", bytes(100), **PERSISTENT) * (WINDOW // 2)
    for _ in range(count // (WINDOW // 2)):
        client.sends(frames)
        client.sync()
    client.call("queue.declare", queue="barrier", durable=True)


@attack("disk: 100,000 durable bound queues", "--log-size", "8MiB", bound_s=90)
def durable_queues(scene):
    """What others write, with them and without, and the start after a kill."""
    rates = {}
    for name in ("without", "with"):
        client = many_durable(scene, 100_000) if name == "with" else scene.client()
        time.sleep(1.5 if name == "with" else 0)
        before, began = written(scene.pid), time.monotonic()
        stream(client, 300_000)
        rates[name] = written(scene.pid) - before, time.monotonic() - began
        client.close()
    ratio = rates["with"][0] / rates["without"][0]
    scene.note(f"{rates['without'][0] / MB:.0f} MB written without, {rates['with'][0] / MB:.0f} MB "
               f"with the queues: {ratio:.2f}; {rates['without'][1]:.1f} s and "
               f"{rates['with'][1]:.1f} s")
    scene.end_probe()
    scene.kill()
    began = time.monotonic()
    scene.start("--log-level", "info")
    ready_s = time.monotonic() - began
    wait_for(lambda: any("recovered" in line for line in scene.broker.program.errors), "its report")
    longest = max(len(line) for line in scene.broker.program.errors)
    scene.note(f"ready after {ready_s:.2f} s; the longest line of the log has {longest} characters")
    scene.expect(ratio <= 2, f"{ratio:.1f} times the bytes are written")
    scene.expect(ready_s <= 1.5, f"ready only after {ready_s:.1f} s")
    scene.expect(longest < 16_384, "the log's line is too long")


@attack("disk: polling a queue with x-expires", fast=True)
def polling(scene):
    """Each basic.get is a use, which puts the deadline off."""
    client = scene.client()
    client.sends(declare("q", durable=True, arguments={"x-expires": 3_600_000}))
    client.sync()
    before = written(scene.pid)
    frames = method("basic.get", queue="q", no_ack=True) * 5_000
    end = time.monotonic() + 2
    while time.monotonic() < end:
        client.sends(frames)
    client.sync()
    bytes_written = written(scene.pid) - before
    scene.note(f"{bytes_written / MB:.1f} MB written in 2 s")
    scene.expect(bytes_written < 5 * MB, f"{bytes_written / MB:.0f} MB written for nothing")


@attack("disk: declaring one queue again and again")
def declaring(scene):
    client = scene.client()
    client.sends(declare("q", durable=True, arguments={"x-expires": 3_600_000}))
    client.sync()
    before = written(scene.pid)
    client.sends(method("queue.declare", queue="q", durable=True,
                        arguments={"x-expires": 3_600_000}) * 50_000)
    client.sync()
    bytes_written = written(scene.pid) - before
    scene.note(f"{bytes_written / MB:.1f} MB written")
    scene.expect(bytes_written < 5 * MB, f"{bytes_written / MB:.0f} MB written for nothing")


def limited_file(size):
    return lambda _: ["prlimit", f"--fsize={size}"]


@attack("disk: no file may be larger than 4 MB", probe=False, fast=True)
def tiny_files(scene):
    """A write error like others: one line, exit code 1."""
    done = subprocess.run(["prlimit", "--fsize=4000000", f"{BIN}/haypiled", "--data-dir",
                           scene.data, "--port", "0", "--log-level", "warning"],
                          capture_output=True, text=True, timeout=20)
    scene.expect(done.returncode == 1, f"it ends with {done.returncode}")
    scene.expect("annot" in done.stderr, f"it says {done.stderr!r}")


@attack("disk: no file may be larger than 30 MB", "--log-size", "8MiB", "--queue-memory", "64MiB",
        probe=False, wrapper=limited_file(30_000_000))
def small_files(scene):
    """A pile would be: it is an error like a full disk, or ends the daemon by an error's way."""
    scene.start()
    client = scene.client()
    client.sends(exchange("x", "fanout", durable=True) + b"".join(
        declare(f"q{n}", durable=True) + bind(f"q{n}", "x") for n in range(5)))
    client.sync()
    try:
        for _ in range(12):
            client.sends(publish("x", "", bytes(10 * MB), **PERSISTENT), patience=2)
            client.sync(patience=2)
    except Failure:
        pass
    time.sleep(0.5)
    code = scene.broker.program.process.poll()
    scene.expect(code in (None, 1), f"it ends with {code}")
    if code == 1:
        scene.expect(any("annot" in line for line in scene.broker.program.errors),
                     f"it says {scene.broker.program.errors[-1:]}")
    scene.broker.kill()
    code, said, errors = scene.haypiled("--check", scene.data)
    scene.expect(code == 0, f"--check ends with {code}: {said + errors}")


@attack("disk: SIGHUP, and a log reader that has gone", probe=False, fast=True)
def signals(scene):
    scene.start()
    scene.broker.program.signal(signal.SIGHUP)
    time.sleep(0.3)
    scene.expect(scene.is_alive(), f"SIGHUP ends it: {scene.broker.program.process.poll()}")
    scene.client().sync()
    scene.broker.kill()
    read_end, write_end = os.pipe()
    process = subprocess.Popen([f"{BIN}/haypiled", "--data-dir", scene.data, "--port", "0"],
                               stdout=subprocess.PIPE, stderr=write_end, text=True)
    try:
        os.close(write_end)
        process.stdout.readline()
        os.close(read_end)
        process.terminate()
        code = process.wait(20)
    finally:
        process.kill()
        process.wait()
    scene.expect(code == 0, f"stopping ends with {code} when nobody reads the log any more")
    report = scene.haypiled("--check", scene.data)
    scene.expect("not closed" not in report[1], "it did not stop in good order")


def false_time(scene):
    """The machine's wall clock is what a file says."""
    set_clock(scene, -8)
    return ["env", f"LD_PRELOAD={faketime()}", f"FAKETIME_TIMESTAMP_FILE={scene.directory}/clock",
            "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]


def set_clock(scene, hours):
    with open(f"{scene.directory}/clock", "w") as file:
        file.write(f"{hours:+}h")


def faketime():
    import glob
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        raise Failure("faketime is not installed")
    return found[0]


@attack("disk: the clock is set right by 8 hours", probe=False, wrapper=false_time)
def clock(scene):
    """The daemon starts before the machine knows the time; then it is restarted."""
    hour_ms = 3_600_000
    scene.start()
    client = scene.client()
    client.sends(declare("q", durable=True, arguments={"x-message-ttl": 4 * hour_ms}) +
                 publish("", "q", b"before", **PERSISTENT))
    client.call("queue.declare", queue="barrier", durable=True)
    set_clock(scene, 0)
    client.sends(publish("", "q", b"after", **PERSISTENT))
    client.call("queue.declare", queue="barrier 2", durable=True)
    time.sleep(1.5)
    client.sends(publish("", "q", b"later", **PERSISTENT))
    client.call("queue.declare", queue="barrier 3", durable=True)
    for how in ("stopped", "killed"):
        wrapper, scene.attack.wrapper = scene.attack.wrapper, None
        scene.stop() if how == "stopped" else scene.kill()
        scene.start()
        scene.attack.wrapper = wrapper
        there = scene.client().call("queue.declare", queue="q", passive=True, durable=True,
                                    arguments={"x-message-ttl": 4 * hour_ms})["messages"]
        scene.expect(there == 3, f"{there} of 3 messages are left when it was {how}")
