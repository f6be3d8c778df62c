"""The servers that peer_perf measures, each on a free loopback port, in a given directory.

Both answer a job only when it has been synced to the disk: beanstalkd with one sync for each
write, Redis with one for what has come in at a time.
"""
import os
import signal
import socket
import subprocess
import time
from typing import NamedTuple

START_SECONDS = 10
STOP_SECONDS = 30


class Server(NamedTuple):
    name: str
    process: subprocess.Popen
    port: int
    command: list


def beanstalkd_command(port, directory):
    return ["beanstalkd", "-l", "127.0.0.1", "-p", str(port), "-b", directory, "-f", "0"]


def redis_command(port, directory):
    return ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", directory,
            "--daemonize", "no", "--appendonly", "yes", "--appendfsync", "always", "--save", ""]


# What makes the command, a request that changes nothing, and how the answer begins.
PEERS = {
    "beanstalkd": (beanstalkd_command, b"use default\r\n", b"USING default"),
    "redis": (redis_command, b"PING\r\n", b"+PONG"),
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port, request, answer):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(request)
            return connection.recv(100).startswith(answer)
    except OSError:
        return False


def start_peer(name, directory):
    """Starts it and waits until it answers. What it writes to its output is in DIRECTORY.log."""
    make_command, request, answer = PEERS[name]
    directory = os.path.abspath(directory)
    os.makedirs(directory, exist_ok=True)
    port = free_port()
    command = make_command(port, directory)
    with open(directory + ".log", "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    server = Server(name, process, port, command)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if answers(port, request, answer):
            return server
        time.sleep(0.02)
    stop_peer(server)
    raise RuntimeError(f"{name} does not start: see {directory}.log")


def stop_peer(server):
    """Stops it by its pid: asks for it, and insists if that takes long."""
    if server.process.poll() is not None:
        return
    os.kill(server.process.pid, signal.SIGTERM)
    try:
        server.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()


def peer_version(name):
    """As the server says it itself."""
    command = {"beanstalkd": ["beanstalkd", "-v"], "redis": ["redis-server", "--version"]}[name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
