"""The daemon under load, killed again and again: at random moments, at points that have names,
while it recovers; stopped in good order now and then. After each end a ledger says what must be
there.

  crash_loop.py [--cycles N] [--seed S]

A failure names the seed and the cycle. The moments of kills depend on the machine, so that the
same seed gives the same plan and not the same run."""
import argparse
import collections
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time

import daemon
from daemon import Daemon, Times
from ledger import Ledger, Violation
from link import PATIENCE_S, Link, LinkClosed
from load import QUEUES, Load, declare

DRAIN_INTERVAL = 10  # cycles
LOAD_S_MAX = 1.0


class CrashLoop:
    def __init__(self, directory, cycles, seed, canary):
        self.directory, self.cycles = directory, cycles
        self.dice = random.Random(seed)
        self.canary = canary
        self.ledger = Ledger(QUEUES)
        self.load = Load(self.ledger, self.dice)
        self.times, self.tally = Times(), collections.Counter()
        self.points = collections.Counter()  # that were reached
        self.paused = set()  # queues that nobody consumes from for now

    def run(self):
        first = self.start(None)
        declare(first.port)
        first.stop()
        for self.cycle in range(1, self.cycles + 1):
            self.tally["cycles"] += 1
            if self.cycle % DRAIN_INTERVAL == 0 or self.cycle == self.cycles:
                self.drain()
            else:
                self.pause_and_resume()
                self.crash()

    def start(self, faults):
        """A daemon that is ready, after any number of starts that were cut short."""
        self.stopping = False
        while self.dice.random() < 0.25:
            if self.dice.random() < 0.5:
                fault = daemon.random_fault(self.dice, daemon.RECOVERY_FAULTS)
                fallen = Daemon(self.directory, self.times, fault)
                if fallen.ready:
                    fallen.kill()
                    kind = "kills, random"
                else:
                    kind = "kills in recovery, named"
            else:
                in_time = daemon.kill_in_recovery(self.directory, self.times, self.dice)
                kind = "kills in recovery, random" if in_time else "kills, random"
            self.tally[kind] += 1
            self.ledger.ended("recovery")
        started = Daemon(self.directory, self.times, faults)
        if started.ready:
            return started
        self.tally["kills in recovery, named"] += 1
        self.ledger.ended("recovery")
        return self.start(None)

    def pause_and_resume(self):
        """Backlogs grow for some cycles in one or two queues, and are worked off."""
        for queue in ("long", "right", "dead", "plain"):
            if queue in self.paused:
                if self.dice.random() < 0.2:
                    self.paused.remove(queue)
            elif self.dice.random() < {"long": 0.5, "right": 0.2, "dead": 0.1}.get(queue, 0.05):
                self.paused.add(queue)

    # One cycle.

    def crash(self):
        named = self.dice.random() < 0.45
        fault = daemon.random_fault(self.dice, daemon.FAULTS) if named else None
        if self.canary:
            fault = f"skip:write:.seg:{self.dice.randint(5, 15)}"
        running = self.start(fault)
        consumed = set(QUEUES) - self.paused
        try:
            self.look(running.port, all_of_it=self.dice.random() < 0.25)
            self.load.connect(running.port, consumed)
            self.work()
            self.end(running, consumed)
        except LinkClosed:
            self.fell(running)

    def work(self):
        """Until so much has been done, and a moment longer."""
        ledger = self.ledger
        goal = ledger.sent_count + ledger.confirmed_count + ledger.acked_count
        goal += self.dice.randint(0, 20_000)
        until = time.monotonic() + LOAD_S_MAX

        def done():
            now = ledger.sent_count + ledger.confirmed_count + ledger.acked_count
            return now >= goal or time.monotonic() > until

        self.load.run(done)
        time.sleep(self.dice.uniform(0, 0.01))

    def end(self, running, consumed):
        """Returns when the broker has gone."""
        how = self.dice.choices(["kill", "quiet", "stop"], [8, 1, 1])[0]
        if how == "kill":
            running.kill()
            self.load.take_last_words()
            self.tally["kills, random"] += 1
        elif how == "quiet":
            self.load.take_leave()
            self.stop(running)
            if running.program.wait() != 0:
                raise LinkClosed  # by a fault, if there was one
            self.tally["clean stops"] += 1
        else:
            self.stop(running)
            self.load.take_last_words()
            if running.program.wait() != 0:
                raise LinkClosed  # by a fault, if there was one
            self.tally["clean stops"] += 1
        self.ledger.ended(how, consumed)

    def stop(self, running):
        running.program.signal(15)
        self.stopping = True

    # What there is.

    def look(self, port, all_of_it):
        """How much is in each queue; or all of it, which then goes back."""
        link = Link(port)
        found = {queue: [] for queue in QUEUES}
        link.on_deliver = lambda queue, _, redelivered, body: found[queue].append(
            (redelivered, body))  # fmt: skip
        counts = {}
        for queue in QUEUES:
            counts[queue] = self.count(link, queue)
            low, high = self.ledger.bounds(queue)
            if not low <= counts[queue] <= high:
                raise Violation(f"'{queue}' has {counts[queue]} messages, not {low} to {high}")
        self.tally["longest queue"] = max(self.tally["longest queue"], *counts.values())
        if all_of_it:
            for queue in QUEUES:
                link.call("basic.consume", queue=queue, tag=queue)
            link.wait(lambda: sum(map(len, found.values())) >= sum(counts.values()))
            self.ledger.audit(found)
            self.ledger.returned()
            self.tally["audits"] += 1
        link.close()

    @staticmethod
    def count(link, queue):
        return link.call("queue.declare", queue=queue, passive=True)["messages"]

    def drain(self):
        """Everything is consumed; afterwards nothing is left, before a restart and behind it. Up to
        two times killed in the middle of it."""
        for fault in self.faults_of_a_drain():
            running = self.start(fault)
            try:
                self.consume_all(running)
                running.kill()
                self.tally["kills, random"] += 1
            except LinkClosed:
                self.fell(running)
                continue
            self.load.take_last_words()
            self.ledger.ended("kill")
        if not self.load.drained():
            raise Violation("not drained")
        running = self.start(None)
        self.look(running.port, all_of_it=True)
        running.stop()
        self.tally["clean stops"] += 1
        self.tally["drains"] += 1
        self.ledger.ended("quiet")
        self.paused.clear()

    def faults_of_a_drain(self):
        faults = [daemon.random_fault(self.dice, daemon.RECYCLING_FAULTS) for _ in range(2)]
        return [*faults, None]

    def consume_all(self, running):
        self.look(running.port, all_of_it=True)
        self.load.connect(running.port, QUEUES, publish=False, only_acks=True)
        until = time.monotonic() + PATIENCE_S

        def done():
            if time.monotonic() > until:
                left = {queue: len(copies) for queue, copies in self.ledger.copies.items()}
                raise Violation(f"confirmed, and not delivered: {left}")
            return self.load.drained()

        self.load.run(done)
        self.look(running.port, all_of_it=True)

    def fell(self, running):
        """A connection ended: it has to be the broker, by its fault."""
        if not running.fell():
            raise Violation(f"the broker has ended: {running.program.errors}") from None
        self.load.take_last_words()
        self.tally["kills, named"] += 1
        self.points[running.faults.rsplit(":", 1)[0]] += 1
        # Its mark of a clean stop may have been the last it wrote, or not.
        self.ledger.ended("recovery" if self.stopping else "kill")

    def summary(self):
        ledger, times = self.ledger, self.times
        lines = [f"{name}: {count}" for name, count in sorted(self.tally.items())]
        lines.append(f"points that were reached: {dict(sorted(self.points.items()))}")
        lines.append(f"messages sent: {ledger.sent_count}, confirmed: {ledger.confirmed_count}, "
                     f"acknowledged: {ledger.acked_count}, recovered: {times.message_count}")
        for name, values in (("recovery", times.recovery), ("start", times.start)):
            lines.append(f"{name}: median {statistics.median(values) * 1000:.1f} ms, "
                         f"max {max(values) * 1000:.1f} ms")
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--canary", action="store_true",
                        help="let the disk lose a write: the loop has to notice")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="haypile-crash-")
    loop = CrashLoop(directory, options.cycles, options.seed, options.canary)
    began = time.monotonic()
    print(f"seed {options.seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    try:
        loop.run()
    except BaseException as failure:
        for program in daemon.started:
            program.kill()
        if options.canary and isinstance(failure, AssertionError):
            shutil.rmtree(directory)
            print(f"noticed: {failure}")
            return
        if isinstance(failure, (KeyboardInterrupt, SystemExit)):
            shutil.rmtree(directory)
            print(loop.summary(), flush=True)
            raise
        print(f"FAILED: seed {options.seed}, cycle {loop.tally['cycles']}; the data: {directory}",
              file=sys.stderr, flush=True)
        raise
    shutil.rmtree(directory)
    if options.canary:
        sys.exit("a lost write was not noticed")
    print(loop.summary())
    print(f"{time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
