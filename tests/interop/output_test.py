"""What the daemon says: to nobody who reads it, to who has gone, and without a place for it."""
import fcntl
import json
import os
import pty
import resource
import signal
import socket
import subprocess
import time
import unittest

import pika
from harness import BIN, PATIENCE, BrokerTest, wait_for
from hostile_test import HEADER, LOGIN


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class OutputTest(BrokerTest):
    """Daemons whose standard output and error are what a test hands in, on a port that is known."""

    def launch(self, *options, **popen):
        self.port = free_port()
        # Ignored signals are inherited: this process ignores SIGPIPE.
        process = subprocess.Popen(
            [f"{BIN}/haypiled", "--data-dir", self.directory, "--port", str(self.port), *options],
            stdin=subprocess.DEVNULL, restore_signals=True, **popen,
        )
        self.addCleanup(self.end, process)
        wait_for(lambda: self.is_listening() or process.poll() is not None, "the daemon")
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)

    def is_listening(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except OSError:
            return False

    def refused_login(self):
        """Makes the daemon say a long line."""
        login = LOGIN.replace(b"\0guest\0guest", b"\0" + b"x" * 5 + b"\0guest")
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(login)

    def is_well(self):
        began = time.monotonic()
        url = f"amqp://guest:guest@127.0.0.1:{self.port}"
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare("well", durable=True)
            channel.basic_publish("", "well", "x", pika.BasicProperties(delivery_mode=2))
        self.assertLess(time.monotonic() - began, 10)

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE)


class NobodyReads(OutputTest):
    def test_a_full_pipe_stops_nobody_and_what_was_dropped_is_counted(self):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        process = self.launch("--log-level", "debug", stdout=subprocess.DEVNULL, stderr=writing)
        os.close(writing)
        # Two lines a connection: more than the daemon keeps.
        for number in range(20_000):
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                if number % 100 == 0:
                    client.sendall(HEADER)
                    client.recv(1)
        self.is_well()
        said = b""
        while b"lines were dropped" not in said:
            said += os.read(reading, 65536)
        self.is_well()
        while b"connection from" not in said.split(b"were dropped", 1)[1]:
            said += os.read(reading, 65536)
        self.assertTrue(said.startswith(b"20"))
        for line in said.split(b"\n")[:-1]:  # none is torn
            self.assertRegex(line, rb"^\d{4}-\d\d-\d\d [\d:.]+ (debug|info|warning) ")
        self.assertEqual(self.stop(process), 0)
        os.close(reading)

    def test_a_full_pipe_does_not_keep_it_from_ending(self):
        for stream in ("stdout", "stderr"):
            with self.subTest(stream):
                reading, writing = os.pipe()
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
                os.write(writing, bytes(4096))
                pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                process = self.launch(**{**pipes, stream: writing})
                os.close(writing)
                self.is_well()
                began = time.monotonic()
                self.assertEqual(self.stop(process), 0)
                self.assertLess(time.monotonic() - began, 20)
                os.close(reading)

    def test_a_start_that_fails_ends_too(self):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writing, bytes(4096))
        result = subprocess.run(
            [f"{BIN}/haypiled", "--data-dir", "/proc/none"], stdout=subprocess.DEVNULL,
            stderr=writing, timeout=60,
        )
        self.assertEqual(result.returncode, 1)
        os.close(writing)
        os.close(reading)

    def test_a_terminal_that_is_stopped(self):
        ours, theirs = pty.openpty()
        process = self.launch(
            "--log-level", "debug", stdout=subprocess.DEVNULL, stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        for _ in range(3_000):  # more than a terminal holds that nobody reads
            socket.create_connection(("127.0.0.1", self.port)).close()
        self.is_well()
        self.assertEqual(self.stop(process), 0)
        os.close(ours)

    def test_a_reader_that_has_gone(self):
        reading, writing = os.pipe()
        process = self.launch("--log-level", "debug", stdout=writing, stderr=writing)
        os.close(writing)
        os.close(reading)
        self.is_well()
        self.assertEqual(self.stop(process), 0)

    def test_no_place_at_all(self):
        """A file of the data directory must not take the place of standard error."""

        def close_all():
            for descriptor in range(3):
                os.close(descriptor)

        process = self.launch("--log-level", "debug", preexec_fn=close_all, close_fds=False)
        self.is_well()
        for descriptor in range(3):
            self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{descriptor}"), "/dev/null")
        self.assertEqual(self.stop(process), 0)
        process = self.launch(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.is_well()
        self.assertEqual(self.stop(process), 0)

    def test_flags_of_what_is_shared_stay_as_they_were(self):
        reading, writing = os.pipe()
        process = self.launch(stdout=writing, stderr=writing)
        self.assertEqual(fcntl.fcntl(writing, fcntl.F_GETFL) & os.O_NONBLOCK, 0)
        os.close(writing)
        self.assertEqual(self.stop(process), 0)
        os.close(reading)


class Signals(OutputTest):
    def test_a_hangup_does_not_end_it(self):
        broker = self.start_broker()
        self.port = broker.port
        broker.program.signal(signal.SIGHUP)
        wait_for(lambda: any("SIGHUP" in line for line in broker.program.errors), "a word on it")
        self.is_well()
        self.assertEqual(broker.stop(), 0)

    def test_a_second_signal_does_not_break_a_stop_off(self):
        broker = self.start_broker()
        with socket.create_connection(("127.0.0.1", broker.port)) as silent:
            silent.sendall(LOGIN)
            silent.recv(1000)
            broker.program.signal(signal.SIGTERM)
            wait_for(lambda: any("stopping" in line for line in broker.program.errors), "the stop")
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                broker.program.signal(number)
            self.assertEqual(broker.program.wait(), 0)
        self.assertTrue(any("stopped" in line for line in broker.program.errors))

    def test_a_file_that_may_not_grow_is_a_write_error(self):
        limit = (1 << 20, 1 << 20)
        broker = subprocess.run(
            [f"{BIN}/haypiled", "--data-dir", self.directory, "--port", "0"],
            capture_output=True, text=True, timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        )
        self.assertEqual(broker.returncode, 1)
        self.assertIn("File too large", broker.stderr)
        broker = self.start_broker("--log-size", "8M")
        self.port = broker.port
        self.is_well()
        # Pipes are no files: what it says is heard.
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (1, 1))
        with self.assertRaises(pika.exceptions.AMQPError):
            self.is_well()
        self.assertEqual(broker.program.wait(), 1)
        self.assertTrue(any("File too large" in line for line in broker.program.errors))


class Names(BrokerTest):
    """What a client has called something does nothing to who reads of it."""

    NAME = "a\n2026-01-01 00:00:00.000 info forged\x1b[2J\u202e\x9b31m"

    def assert_harmless(self, text, size_max):
        self.assertLessEqual(len(text), size_max, text)
        self.assertTrue(text.isprintable(), repr(text))

    def test_a_login_in_the_log(self):
        broker = self.start_broker()
        for user in (self.NAME, "x" * 16_000, "\n" * 16_000):
            with self.assertRaises(pika.exceptions.AMQPConnectionError):
                pika.BlockingConnection(pika.ConnectionParameters(
                    "127.0.0.1", broker.port, credentials=pika.PlainCredentials(user, "x")))
        with socket.create_connection(("127.0.0.1", broker.port)) as client:  # not UTF-8
            client.sendall(LOGIN.replace(b"\0guest\0guest", b"\0\xff\xfe\xfd\n\r\0guest"))
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        with self.assertRaises(pika.exceptions.AMQPConnectionError):
            pika.BlockingConnection(pika.ConnectionParameters(
                "127.0.0.1", broker.port, virtual_host=self.NAME))
        self.assertEqual(broker.stop(), 0)
        for line in broker.program.errors:
            self.assertRegex(
                line, r"^\d{4}-\d\d-\d\d [\d:.]+ (info|warning) (vhost|connection|stop)")
            self.assert_harmless(line, 700)
        self.assertTrue(any("forged\\x1b[2J" in line for line in broker.program.errors),
                        broker.program.errors)

    def test_reply_texts(self):
        broker = self.start_broker()
        for name in (self.NAME, "\t" * 200, "ä" * 127):
            with broker.connect() as connection:
                channel = connection.channel()
                with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as closed:
                    channel.queue_declare(name, passive=True)
                self.assertEqual(closed.exception.reply_code, 404)
                self.assert_harmless(closed.exception.reply_text, 255)

    def test_check(self):
        # Line feeds are taken out of names when they are declared; pika would wait for its own.
        name = self.NAME.replace("\n", "")
        broker = self.start_broker()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare(name, durable=True)
            channel.basic_publish("", name, "x", pika.BasicProperties(delivery_mode=2))
        broker.kill()
        for options in ((), ("--json",)):
            said = subprocess.run(
                [f"{BIN}/haypiled", "--check", self.directory, *options],
                capture_output=True, text=True, timeout=60, check=True).stdout
            for line in said.splitlines():
                self.assert_harmless(line, 500)
        (vhost,) = json.loads(said)["vhosts"]
        self.assertEqual(list(vhost["queues"]), [name])

    def test_a_password_in_a_uri(self):
        for uri in ("ampq://user:secret@host", "amqp://user:secret/x@host", "amqps://u:secret@h"):
            for arguments in (["status", "-u", uri], ["status", uri], [uri],
                              ["send", "-u", uri, "x"]):
                result = subprocess.run(
                    [f"{BIN}/haypile", *arguments], capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 1)
                self.assertNotIn("secret", result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
