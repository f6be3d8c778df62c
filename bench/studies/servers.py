"""The servers that are compared, each on a free loopback port with its data in a given directory.

All answer a persistent message when it has been synced to the disk, but for RabbitMQ's classic
queues: these sync now and then, and confirm before. beanstalkd syncs once for each write, Redis
once for what has come in at a time."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
START_SECONDS = 20
STOP_SECONDS = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(kind, binaries, directory):
    """A server in an empty directory, which goes with it."""
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    server = kind(binaries, directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Server:
    """start() makes `port` and `pid`."""

    generator = "haypile-perf"
    arguments = ()  # of the generator
    unable = ()  # works
    slow = False

    def __init__(self, binaries, directory):
        self.binaries = binaries
        self.directory = os.path.abspath(directory)

    def load_command(self, arguments, seconds):
        return [f"{self.binaries}/{self.generator}", *self.arguments, *arguments,
                f"--port={self.port}", f"--broker-pid={self.pid}", f"--seconds={seconds}"]

    def load(self, arguments, seconds):
        """What the generator reports of it; only an "error" if it cannot be done."""
        done = subprocess.run(self.load_command(arguments, seconds), capture_output=True, text=True,
                              timeout=600)
        return {"error": done.stderr.strip()} if done.returncode else json.loads(done.stdout)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_until(self, is_ready):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if is_ready():
                return
            time.sleep(0.02)
        self.stop()
        raise SystemExit(f"{self.name} does not start")


class Ours(Server):
    """Prints one line when it is ready."""

    def start(self):
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        for line in self.process.stdout:
            if "ready on" in line:
                self.port = line.split(", data in")[0].rsplit(":", 1)[1]
                return
        raise SystemExit(f"{self.name} does not start")


class Haypile(Ours):
    name = "Haypile"

    def command(self):
        return [f"{self.binaries}/haypiled", "--data-dir", self.directory, "--port", "0",
                "--log-level", "warning"]

    def version(self):
        return output_of(f"{self.binaries}/haypiled", "--version").split()[-1]


class BareLoop(Ours):
    name = "bare loop"
    unable = ("fill",)  # it keeps nothing

    def command(self):
        return [f"{self.binaries}/baseline_loop", "--data-dir", self.directory]

    def version(self):
        return ""


class RabbitMQ(Server):
    name = "RabbitMQ classic"
    arguments = ("--queue-type=classic",)
    slow = True
    script = os.path.join(HERE, "..", "..", "tests", "interop", "rabbitmq.sh")

    def start(self):
        self.port = "25672"
        self.pid = int(output_of("bash", self.script, "start", self.port, self.directory))

    def stop(self):
        subprocess.run(["bash", self.script, "stop", self.directory], check=True)

    def version(self):
        return output_of("dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server")


class RabbitMQQuorum(RabbitMQ):
    name = "RabbitMQ quorum"
    arguments = ("--queue-type=quorum",)


class Peer(Server):
    """Speaks a protocol of its own: other_brokers_perf has a load for it."""

    generator = "other_brokers_perf"

    def start(self):
        self.port = str(free_port())
        with open(self.directory + ".log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        self.pid = self.process.pid
        self.wait_until(self.answers)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", int(self.port)), timeout=1) as connection:
                connection.sendall(self.greeting)
                return connection.recv(100).startswith(self.answer)
        except OSError:
            return False


class Beanstalkd(Peer):
    name = "beanstalkd"
    arguments = ("beanstalkd",)
    greeting, answer = b"use default\r\n", b"USING default"

    def command(self):
        return ["beanstalkd", "-l", "127.0.0.1", "-p", self.port, "-b", self.directory, "-f", "0",
                "-z", "2000000"]

    def version(self):
        return output_of("beanstalkd", "-v").split()[-1]


class Redis(Peer):
    name = "Redis"
    arguments = ("redis",)
    greeting, answer = b"PING\r\n", b"+PONG"

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--dir", self.directory,
                "--daemonize", "no", "--appendonly", "yes", "--appendfsync", "always", "--save", ""]

    def version(self):
        return re.search(r"v=(\S+)", output_of("redis-server", "--version")).group(1)


ALL = [BareLoop, Haypile, RabbitMQ, RabbitMQQuorum, Beanstalkd, Redis]
