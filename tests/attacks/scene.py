"""What an attack has around it: a daemon, a probe beside it, and what they are judged by.

An attack is a function that is given a Scene and sends what it likes; `@attack` says under which
name, with which options of the daemon, and what is judged. It raises Failure if what it came for
does not hold; the rest (latency, memory, life, damage) is judged here."""
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

from attacker import PERSISTENT, Attacker, Failure, declare, method, publish  # noqa: E402
from harness import BIN, SANITIZED, Broker  # noqa: E402

LATENCY_MS = 250
LOGIN_MS = 1000  # four round trips, and the kernel's accept
START_S = 30
MEMORY_BEYOND_LIMIT_MIB = 96
SLOWER = 20 if SANITIZED else 1
KEPT = "kept"  # a queue with messages that nobody takes
KEPT_COUNT = 50

ATTACKS = []


def slow_down(factor):
    """All bounds of time become longer."""
    global SLOWER
    SLOWER *= factor


@dataclasses.dataclass
class Attack:
    name: str
    run: object
    options: list
    bound_s: float = 20  # of the whole
    fast: bool = False  # robust, and over within seconds: part of every test run
    probe: bool = True
    latency: bool = True  # whether the probe's latencies are judged
    while_blocked: bool = False  # publishers may be blocked by an alarm meanwhile
    logins: bool = True  # whether logins of others are judged
    memory_mib: float = None  # of the daemon, at most
    restart: bool = True  # killed in the end, checked, and started again
    wrapper: object = None  # (scene) -> the beginning of the command that starts the daemon


def attack(name, *options, **more):
    """`memory_limit` in MiB sets --memory-limit, and what the daemon may have at most."""
    def register(function):
        arguments = list(options)
        limit = more.pop("memory_limit", None)
        if limit:
            arguments += ["--memory-limit", f"{limit}MiB"]
            more.setdefault("memory_mib", limit + MEMORY_BEYOND_LIMIT_MIB)
            more.setdefault("while_blocked", True)
        ATTACKS.append(Attack(name, function, arguments, **more))
        return function
    return register


def memory_of(pid):
    """Resident size in MiB: the most there ever was, and now."""
    with open(f"/proc/{pid}/status") as file:
        text = file.read()
    return [int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024 for name in ("VmHWM", "VmRSS")]


class Probe:
    """The process beside the attack."""

    def __init__(self, port):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "probe.py"), str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise Failure("the probe cannot begin")

    def finish(self):
        try:
            out, _ = self.process.communicate("", timeout=60)
            return json.loads(out)
        except (subprocess.TimeoutExpired, ValueError):
            self.kill()
            return {"lost": "the probe did not end"}

    def kill(self):
        self.process.kill()
        self.process.wait()


class Scene:
    def __init__(self, attack_, directory=None):
        self.attack = attack_
        parent = directory or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.directory = tempfile.mkdtemp(prefix="haypile-attack-", dir=parent)
        self.broker, self.probe_process, self.clients = None, None, []
        self.peak_mib, self.report, self.notes = 0, None, []
        self.kept = []

    # For attacks.

    @property
    def port(self):
        return self.broker.port

    @property
    def pid(self):
        return self.broker.pid

    @property
    def data(self):
        return os.path.join(self.directory, "data")

    def start(self, *options, **popen):
        """Options are added to the attack's own."""
        options = [*self.attack.options, *options]
        if "--log-level" not in options:
            options += ["--log-level", "warning"]
        if self.attack.wrapper:
            popen["command"] = [*self.attack.wrapper(self), f"{BIN}/haypiled"]
        self.broker = Broker(self.data, *options, **popen)
        return self.broker

    def client(self, **how):
        client = Attacker(self.port, **how)
        self.clients.append(client)
        return client

    def begin_probe(self):
        if self.probe_process is None:
            self.probe_process = Probe(self.port)

    def end_probe(self):
        if self.probe_process is not None:
            self.report = self.merge(self.probe_process.finish())
            self.probe_process = None

    def merge(self, report):
        """Of several probes the worst."""
        if self.report is None:
            return report
        for name in ("confirm", "delivery", "round_trip", "login"):
            both = [one.get(name, {}).get("max_ms") or 0 for one in (self.report, report)]
            if both[0] > both[1]:
                report[name] = self.report[name]
        for name in ("lost", "refused"):
            report[name] = self.report.get(name) or report.get(name)
        return report

    def kill(self):
        self.look_at_memory()
        self.broker.kill()

    def stop(self):
        self.look_at_memory()
        return self.broker.stop()

    def look_at_memory(self):
        if self.broker is not None and self.is_alive():
            most, now = memory_of(self.pid)
            self.peak_mib = max(self.peak_mib, most)
            return now
        return 0

    def processor_s(self):
        """What the daemon has used of the processor."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_alive(self):
        return self.broker.program.process.poll() is None

    def is_blocked(self):
        """Whether a publisher has to wait for a second."""
        with Attacker(self.port) as client:
            client.call("confirm.select")
            client.pushes(publish("", "nowhere", b"x"))  # the first one may pass
            time.sleep(0.2)
            client.read_for(0.05)
            client.tail = b""
            client.pushes(publish("", "nowhere", b"x"))
            try:
                client.wait_for(bytes.fromhex("003c0050"), patience=1)
                return False
            except Failure:
                return True

    def expect(self, condition, what):
        if not condition:
            raise Failure(what)

    def note(self, text):
        self.notes.append(text)

    def haypiled(self, *arguments, timeout=60):
        """The daemon's commands; what they say, and how they end."""
        done = subprocess.run([f"{BIN}/haypiled", *arguments], capture_output=True, text=True,
                              timeout=timeout, errors="replace")
        if done.returncode < 0:
            raise Failure(f"haypiled {' '.join(arguments)} is ended by signal {-done.returncode}")
        return done.returncode, done.stdout, done.stderr

    # Around attacks.

    def put_kept(self):
        """Messages that have to be there whatever happens; they are confirmed."""
        with Attacker(self.port) as client:
            self.kept = [f"kept {number} {'-' * 100}" for number in range(KEPT_COUNT)]
            client.sends(declare(KEPT, no_wait=True, durable=True) + b"".join(
                publish("", KEPT, body.encode(), **PERSISTENT) for body in self.kept))
            # The answer about something durable comes when all before it is on disk.
            client.call("queue.declare", queue=f"{KEPT} as well", durable=True)

    def check_kept(self):
        with Attacker(self.port) as client:
            for body in self.kept:
                client.sends(method("basic.get", queue=KEPT, no_ack=True))
                try:
                    client.wait_for(body.encode(), patience=10)
                except Failure as error:
                    raise Failure(f"a confirmed message is gone: '{body[:10]}'") from error

    def check_probes(self, numbers):
        """What was confirmed to the probe and had not come in the end is in its queue."""
        if not numbers:
            return
        with Attacker(self.port) as client:
            client.sends(method("basic.consume", queue="probe", tag="t", no_ack=True))
            for number in numbers:
                try:
                    client.wait_for(b"%08d." % number, patience=10)
                except Failure as error:
                    raise Failure(f"the probe's message {number} is gone") from error

    def clean_up(self):
        for client in self.clients:
            client.close()
        if self.probe_process is not None:
            self.probe_process.kill()
        if self.broker is not None:
            self.broker.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
