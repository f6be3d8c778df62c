"""Starts brokers and programs for the tests, on ports that the system picks, and ends them."""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import pika

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.abspath(os.environ.get("HAYPILE_BIN", f"{HERE}/../../build/release/bin"))
# Generous: sanitizer builds on a busy machine use it too. Nothing waits that long when all is well.
PATIENCE = 60
# Sanitizers make everything slow: tests that repeat something do so less often.
SANITIZED = "HAYPILE_SANITIZED" in os.environ


def wait_for(condition, what, patience=PATIENCE):
    """Waits until condition() is true, and gives its value."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.005)


class Program:
    """A process whose standard output is collected line by line."""

    def __init__(self, arguments, env=None, stdin=None, preexec_fn=None):
        self.lines = []
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            preexec_fn=preexec_fn,
        )
        self.errors = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self.process.stdout, self.lines),
                (self.process.stderr, self.errors),
            )
        ]
        for reader in self._readers:
            reader.start()
        if stdin is not None:
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.decode(errors="replace").rstrip("\n"))
        stream.close()

    def wait_for_line(self, part):
        def find():
            line = next((line for line in list(self.lines) if part in line), None)
            if line is None and self.process.poll() is not None and not self._reading():
                raise AssertionError(
                    f"{self.process.args} ended with {self.process.returncode} before it said "
                    f"{part!r}; it said {self.lines} and {self.errors}"
                )
            return line

        return wait_for(find, f"{part!r} from {self.process.args}")

    def _reading(self):
        return any(reader.is_alive() for reader in self._readers)

    def received(self):
        """The tasks of a worker, in order."""
        return [line.split(" ", 3)[3] for line in list(self.lines) if " [x] Received" in line]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()


class Broker:
    """A haypiled of its own, in a data directory that may be that of an earlier one."""

    def __init__(self, directory, *options, port=0, command=(f"{BIN}/haypiled",), **popen):
        self.directory = directory
        self.program = Program(
            [*command, "--data-dir", directory, "--port", str(port), *options], **popen
        )
        line = self.program.wait_for_line("haypiled ready on")
        self.port = int(re.search(r":(\d+)", line).group(1))
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.program.process.pid

    def stop(self):
        self.program.signal(signal.SIGTERM)
        return self.program.wait()

    def kill(self):
        self.program.kill()

    def connect(self):
        return pika.BlockingConnection(pika.URLParameters(self.url))

    def resident_kb(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


# A test that is right for any broker runs against this one instead of starting a Haypile.
GIVEN_URL = os.environ.get("HAYPILE_TEST_URI")


class GivenBroker:
    """The broker of HAYPILE_TEST_URI, which somebody else starts and ends."""

    def __init__(self):
        parameters = pika.URLParameters(GIVEN_URL)
        self.port = parameters.port
        self.url = f"amqp://guest:guest@{parameters.host}:{parameters.port}"

    def connect(self):
        return pika.BlockingConnection(pika.URLParameters(self.url))


def haypile_only(test):
    return unittest.skipIf(GIVEN_URL, "only with a broker of its own")(test)


def broker_has_option(name):
    """Whether haypiled knows an option; features that need one are skipped without it."""
    if GIVEN_URL:
        return False
    result = subprocess.run([f"{BIN}/haypiled", "--help"], capture_output=True, text=True)
    return name in result.stdout


class BrokerTest(unittest.TestCase):
    """A test with a data directory, and programs that end with it."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="haypile-test-")
        self.programs = []
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for program in self.programs:
            program.kill()
        shutil.rmtree(self.directory)

    def start_broker(self, *options, **popen):
        broker = Broker(self.directory, *options, **popen)
        self.programs.append(broker.program)
        return broker

    def any_broker(self, *options):
        return GivenBroker() if GIVEN_URL else self.start_broker(*options)

    def start(self, broker, *arguments, env=None, stdin=None):
        program = Program(arguments, {"AMQP_URL": broker.url, **(env or {})}, stdin)
        self.programs.append(program)
        return program

    def run_to_end(self, broker, *arguments, **options):
        program = self.start(broker, *arguments, **options)
        code = program.wait()
        self.assertEqual(code, 0, f"{arguments}: {program.errors}")
        return program

    def consumer_count(self, broker, queue):
        with broker.connect() as connection:
            return connection.channel().queue_declare(queue, passive=True).method.consumer_count

    def message_count(self, broker, queue):
        with broker.connect() as connection:
            return connection.channel().queue_declare(queue, passive=True).method.message_count

    def wait_for_consumers(self, broker, count, queue="task_queue"):
        with broker.connect() as connection:
            channel = connection.channel()
            wait_for(
                lambda: channel.queue_declare(queue, passive=True).method.consumer_count == count,
                f"{count} consumers",
            )


class AnyBrokerTest(BrokerTest):
    """A test of what any broker does: with names of its own, which are gone afterwards."""

    options = ()

    def setUp(self):
        super().setUp()
        self.broker = self.any_broker(*self.options)
        self.prefix = f"test-{uuid.uuid4().hex[:8]}"
        self.queues, self.exchanges = set(), set()
        if GIVEN_URL:
            self.addCleanup(self.delete_all)

    def delete_all(self):
        with self.broker.connect() as connection:
            for name in self.queues:
                connection.channel().queue_delete(name)
            for name in self.exchanges:
                connection.channel().exchange_delete(name)

    def queue_name(self, word="q"):
        self.queues.add(f"{self.prefix}-{word}")
        return f"{self.prefix}-{word}"

    def exchange_name(self, word="x"):
        self.exchanges.add(f"{self.prefix}-{word}")
        return f"{self.prefix}-{word}"


PRODUCERS = {
    "pika": [sys.executable, f"{HERE}/new_task.py"],
    "C++": [f"{BIN}/new_task"],
}
WORKERS = {
    "pika": ([sys.executable, f"{HERE}/worker.py"], {}),
    "pika 0.10 calls": ([sys.executable, f"{HERE}/worker.py"], {"OLD_CALL_STYLE": "1"}),
    "C++": ([f"{BIN}/worker"], {}),
}


def descriptor_limit(count):
    """For Popen's preexec_fn: the process gets no more file descriptors."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
