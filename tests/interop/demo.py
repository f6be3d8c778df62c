"""./dev demo: the work-queue tutorial on Haypile, with what happens told as it happens.

Ends by itself, with exit code 0 if everything was as claimed.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.path.abspath(sys.argv[1])
COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
PATIENCE = 20
# What a worker does for a message: as many tenths of a second as it has dots.
TENTHS = ('read task; dots=$(echo "$task" | tr -cd .); echo "$task"; '
          'sleep $((${#dots} / 10)).$((${#dots} % 10))')


def paint(text, code):
    return f"\x1b[{code}m{text}\x1b[0m" if COLOR else text


def title(text):
    print("\n" + paint(text, "1"))


def check(condition, claim):
    print(("  " + paint("✓ ", "32") if condition else "  " + paint("✗ ", "31")) + claim)
    if not condition:
        raise SystemExit("the demonstration has failed")


class Process:
    """A program whose lines are kept, and shown with a name and the time."""

    running = []
    started = time.monotonic()

    def __init__(self, name, *arguments, color="36", shown=True):
        self.name, self.color, self.shown, self.lines = name, color, shown, []
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        Process.running.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if self.shown:
                clock = f"{time.monotonic() - Process.started:5.1f} s"
                print(f"  {clock}  {paint(self.name.ljust(8), self.color)} {self.lines[-1]}")

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition(self.lines):
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.name}: waited in vain for {what}")
            time.sleep(0.01)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait()


class Demo:
    def __init__(self, directory):
        self.directory = directory
        self.start_broker()

    def start_broker(self):
        self.broker = Process(
            "broker", f"{BIN}/haypiled", "--data-dir", self.directory, "--port", "0", shown=False
        )
        self.broker.wait_for(lambda lines: lines, "the broker to be ready")
        port = re.search(r":(\d+)", self.broker.lines[0]).group(1)
        self.uri = f"amqp://127.0.0.1:{port}"

    def send(self, *tasks, queue="task_queue"):
        lines = "\n".join(tasks)
        subprocess.run(
            [f"{BIN}/haypile", "send", "-u", self.uri, "-q", queue, "-"],
            input=lines, text=True, check=True, stderr=subprocess.DEVNULL,
        )

    def worker(self, name, *options, color="36", queue="task_queue"):
        """Waits until it consumes: the order of the workers is part of the show."""
        before = self.consumers(queue)
        worker = Process(
            name, f"{BIN}/haypile", "work", "-u", self.uri, "-q", queue, *options,
            "--", "sh", "-c", TENTHS, color=color,
        )
        deadline = time.monotonic() + PATIENCE
        while self.consumers(queue) <= before and time.monotonic() < deadline:
            time.sleep(0.01)
        return worker

    def consumers(self, queue):
        return self.look(queue)[1]

    def look(self, queue):
        """Ready messages and consumers of a queue."""
        result = subprocess.run(
            [f"{BIN}/haypile", "status", "-u", self.uri, "-q", queue],
            capture_output=True, text=True,
        )
        numbers = re.findall(r"\d+", result.stdout.rsplit(":", 1)[-1])
        return (int(numbers[0]), int(numbers[1])) if result.returncode == 0 else (0, 0)


def done(*workers):
    return sum(len(worker.lines) for worker in workers)


def round_robin(demo):
    title("1. Round robin: five tasks, two workers, no prefetch limit to speak of")
    one = demo.worker("worker 1", "--prefetch", "100")
    two = demo.worker("worker 2", "--prefetch", "100", color="35")
    demo.send("First task.", "Second task..", "Third task...", "Fourth task....", "Fifth task.....")
    one.wait_for(lambda lines: done(one, two) == 5, "five tasks")
    first = [line.split()[0] for line in one.lines]
    second = [line.split()[0] for line in two.lines]
    check(first == ["First", "Third", "Fifth"], "worker 1 got tasks 1, 3, 5")
    check(second == ["Second", "Fourth"], "worker 2 got tasks 2, 4")
    return one, two


def killed_worker(demo, one, two):
    title("2. A worker is killed in the middle of a task (kill -9)")
    demo.send("Long task" + "." * 15, "Short task.")
    two.wait_for(lambda lines: done(one, two) == 7, "the tasks to start")
    victim, heir = (one, two) if one.lines[-1].startswith("Long") else (two, one)
    victim.end(signal.SIGKILL)
    heir.wait_for(lambda lines: any("Long" in line for line in lines), "the task to come back")
    check(True, f"the task of {victim.name} went to {heir.name} at once")
    heir.wait_for(lambda lines: demo.look("task_queue")[0] == 0, "the queue to be empty")
    heir.end()


def killed_broker(demo):
    title("3. The broker is killed (kill -9) and started again")
    demo.send(*[f"Message {number}" for number in range(1, 10_001)], queue="kept")
    print("  10,000 messages sent and confirmed")
    demo.broker.end(signal.SIGKILL)
    started = time.monotonic()
    demo.start_broker()
    print(f"  the broker is back after {time.monotonic() - started:.2f} s")
    check(demo.look("kept")[0] == 10_000, "10,000 messages are in the queue")


def uneven(demo, name, *options):
    """Odd tasks heavy, even ones light: how long two workers take for eight of them."""
    tasks = [f"{name} {number} " + "." * (10 if number % 2 else 1) for number in range(1, 9)]
    one = demo.worker("worker 1", *options, queue=name)
    two = demo.worker("worker 2", *options, color="35", queue=name)
    started = time.monotonic()
    demo.send(*tasks, queue=name)
    one.wait_for(lambda lines: done(one, two) == len(tasks), "all tasks to start")
    for worker in (one, two):
        worker.end()
    took = time.monotonic() - started
    for worker in (one, two):
        numbers = ", ".join(line.split()[1] for line in worker.lines)
        print(f"  {worker.name} did {numbers}")
    print(f"  the whole took {took:.1f} s")
    return took


def main():
    directory = tempfile.mkdtemp(prefix="haypile-demo-")
    try:
        demo = Demo(directory)
        print(f"haypiled runs in {directory}; a dot in a task is a tenth of a second of work.")
        killed_worker(demo, *round_robin(demo))
        killed_broker(demo)
        title("4. Uneven tasks, odd ones heavy: round robin")
        unfair = uneven(demo, "robin", "--prefetch", "100")
        title("5. The same tasks: fair dispatch (prefetch 1)")
        fair = uneven(demo, "fair")
        check(fair < unfair, f"fair dispatch took {fair:.1f} s instead of {unfair:.1f} s")
    finally:
        for process in Process.running:
            process.end(signal.SIGKILL)
        shutil.rmtree(directory, ignore_errors=True)
    title("Now your own:")
    here = os.path.relpath(BIN)
    print(f"  {here}/haypiled                         the broker, on port 5672")
    print(f"  {here}/haypile send Hello there         a message")
    print(f"  {here}/haypile work -- wc -c            a command for each message")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
