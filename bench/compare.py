"""Brokers side by side: compare.py BIN OUT [--rounds N] [--seconds S] [--only NAME...] [--works NAME...]

In each round every server is started anew, in turns, does all works, and is stopped; of the rounds
the median counts. Writes OUT/compare.json, and OUT/compare.md with the table. BIN has the programs.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PERSISTENT = "persistent, confirmed, one ack a message"

# name, what it is, arguments of haypile-perf, what of its report counts.
WORKS = [
    ("1-1", f"{PERSISTENT}, 1 → 1", [], "consumed_per_second"),
    ("4-4", "the same, 4 → 4, prefetch 100", ["--publishers=4", "--consumers=4", "--prefetch=100"],
     "consumed_per_second"),
    ("16-16", "the same, 16 → 16, prefetch 100",
     ["--publishers=16", "--consumers=16", "--prefetch=100"], "consumed_per_second"),
    ("100-queues", "100 queues, 100 → 100, prefetch 100",
     ["--publishers=100", "--consumers=100", "--queues=100", "--prefetch=100",
      "--confirm-window=100"], "consumed_per_second"),
    ("transient", "transient, no confirms, automatic acks",
     ["--transient", "--confirm-window=0", "--ack-every=0"], "consumed_per_second"),
    ("1KB", f"{PERSISTENT}, bodies of 1 KB", ["--size=1000"], "consumed_per_second"),
    ("10KB", "bodies of 10 KB", ["--size=10000", "--confirm-window=200", "--prefetch=200"],
     "consumed_per_second"),
    ("1MB", "bodies of 1 MB", ["--size=1000000", "--confirm-window=10", "--prefetch=10"],
     "consumed_per_second"),
    ("one-in-flight", "one message in flight", ["--confirm-window=1", "--prefetch=1"],
     "consumed_per_second"),
    ("50k", "50,000 a second", ["--rate=50000"], "latencies"),
    ("fill", "fill, then drain", ["--fill=3000000", "--confirm-window=10000"], "fill"),
]
# These would take minutes; the rate is the same with fewer.
SLOW = {"fill": ["--fill=200000", "--confirm-window=10000"]}


class Server:
    """A server of its own, with its data in `directory`."""

    def __init__(self, binaries, directory):
        self.binaries = binaries
        self.directory = directory
        self.arguments = []
        self.slow = False

    def wait_until_ready(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "ready on" in line:
                self.port = line.split(", data in")[0].rsplit(":", 1)[1]
                self.pid = self.process.pid
                return
        raise SystemExit(f"{command[0]} did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Haypile(Server):
    name = "Haypile"

    def start(self):
        self.wait_until_ready([f"{self.binaries}/haypiled", "--data-dir", self.directory,
                               "--port", "0", "--log-level", "warning"])


class BareLoop(Server):
    name = "bare loop"

    def start(self):
        self.wait_until_ready([f"{self.binaries}/bare_loop", "--data-dir", self.directory])


class RabbitMQ(Server):
    name = "RabbitMQ classic"
    queue_type = "classic"

    def start(self):
        self.slow = True
        self.arguments = [f"--queue-type={self.queue_type}"]
        self.port = "25672"
        script = os.path.join(HERE, "..", "tests", "interop", "rabbitmq.sh")
        self.script = script
        self.pid = int(subprocess.run(["bash", script, "start", self.port, self.directory],
                                      check=True, capture_output=True, text=True).stdout)

    def stop(self):
        subprocess.run(["bash", self.script, "stop", self.directory], check=True)


class RabbitMQQuorum(RabbitMQ):
    name = "RabbitMQ quorum"
    queue_type = "quorum"


SERVERS = [BareLoop, Haypile, RabbitMQ, RabbitMQQuorum]


def measure(server, work, seconds):
    name, _, arguments, _ = work
    if server.slow:
        arguments = SLOW.get(name, arguments)
    command = [f"{server.binaries}/haypile-perf", "--port", server.port, "--broker-pid",
               str(server.pid), f"--seconds={seconds}", *server.arguments, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    return json.loads(done.stdout)


def one_round(options, servers, works, results):
    for kind in servers:
        directory = os.path.join(options.out, "data")
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        server = kind(options.bin, directory)
        server.start()
        try:
            time.sleep(1)
            for work in works:
                report = measure(server, work, options.seconds)
                results.setdefault(work[0], {}).setdefault(kind.name, []).append(report)
                print(f"{kind.name}: {work[0]}: {text_of(work, [report])}", flush=True)
        finally:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def median(reports, *path):
    values = []
    for report in reports:
        for key in path:
            report = report.get(key, {}) if isinstance(report, dict) else {}
        if isinstance(report, (int, float)):
            values.append(report)
    return statistics.median(values) if values else None


def rate(value):
    if value is None:
        return "–"
    if value >= 100_000:
        return f"{value / 1000:,.0f} k"
    return f"{value:,.0f}"


def text_of(work, reports):
    if work[3] == "latencies":
        def pair(kind):
            found = [median(reports, kind, share) for share in ("p50", "p99")]
            return " / ".join("–" if value is None else f"{value:.2f}" for value in found)
        return f"end to end {pair('end_to_end_ms')}, confirm {pair('confirm_ms')} ms"
    if work[3] == "fill":
        return f"{rate(median(reports, 'filled_per_second'))}, " \
               f"{rate(median(reports, 'drained_per_second'))}"
    return rate(median(reports, work[3]))


def table(works, servers, results):
    names = [kind.name for kind in servers]
    lines = [f"| work | {' | '.join(names)} | Haypile : bare loop |",
             "| --- |" + " --- |" * (len(names) + 1)]
    for work in works:
        cells = [text_of(work, results[work[0]].get(name, [])) for name in names]
        ours, bare = (median(results[work[0]].get(name, []), work[3])
                      for name in ("Haypile", "bare loop"))
        share = f"{ours / bare:.2f}" if ours and bare else ""
        lines.append(f"| {work[1]} | {' | '.join(cells)} | {share} |")
    cpu = [median(results.get("1-1", {}).get(name, []), "broker_cpu_us_per_message")
           for name in names]
    lines.append("| broker's CPU a message in the first row (µs) | "
                 + " | ".join("–" if value is None else f"{value:.2f}" for value in cpu) + " | |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", nargs="*", help="these servers")
    parser.add_argument("--works", nargs="*", help="these works")
    options = parser.parse_args()
    servers = [kind for kind in SERVERS if not options.only or kind.name in options.only]
    works = [work for work in WORKS if not options.works or work[0] in options.works]
    os.makedirs(options.out, exist_ok=True)
    results = {}
    for number in range(options.rounds):
        turn = number % len(servers)
        one_round(options, servers[turn:] + servers[:turn], works, results)
    with open(os.path.join(options.out, "compare.json"), "w") as file:
        json.dump(results, file, indent=1)
    text = table(works, servers, results)
    with open(os.path.join(options.out, "compare.md"), "w") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
