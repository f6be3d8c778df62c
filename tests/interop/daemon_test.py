"""The daemon as an operator meets it: options, signals, what it says when something is wrong."""
import json
import os
import signal
import socket
import subprocess
import time
import unittest

import pika
from harness import BIN, Broker, BrokerTest, descriptor_limit, wait_for


class Daemon(BrokerTest):
    def refused(self, *options):
        """The one line that a start with these options ends with."""
        result = subprocess.run(
            [f"{BIN}/haypiled", *options], capture_output=True, text=True, timeout=60
        )
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        lines = [line for line in result.stderr.splitlines() if " info " not in line]
        self.assertEqual(len(lines), 1, result.stderr)
        return lines[0]

    def test_help_and_version(self):
        for option, part in (("--help", "--data-dir"), ("--version", "haypiled 0.")):
            result = subprocess.run([f"{BIN}/haypiled", option], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0)
            self.assertIn(part, result.stdout)

    def test_wrong_options_are_one_clear_line(self):
        config = os.path.join(self.directory, "config.json")
        for content, part in (
            ("{", "not valid JSON"),
            ("[]", "JSON object"),
            ('{"prot": 1}', "no option 'prot'"),
            ('{"port": true}', "'port' has to be a string or a number"),
            ('{"port": 70000}', "port: '70000' is not a whole number from 0 to 65535"),
            ('{"config": "x"}', "no option 'config'"),
        ):
            with self.subTest(content):
                with open(config, "w") as file:
                    file.write(content)
                line = self.refused("--config", config)
                self.assertIn(part, line)
        self.assertIn("cannot read", self.refused("--config", "/nowhere/config.json"))
        self.assertIn("--port", self.refused("--port", "many"))
        self.assertIn("--bogus", self.refused("--bogus"))
        self.assertIn("loud", self.refused("--log-level", "loud"))
        directory = os.path.join(self.directory, "data")
        self.assertIn(
            "cannot listen on 'no such host'",
            self.refused("--data-dir", directory, "--bind", "no such host"),
        )
        self.assertIn("cannot create", self.refused("--data-dir", "/proc/data", "--port", "0"))

    def test_configuration_file(self):
        config = os.path.join(self.directory, "config.json")
        directory = os.path.join(self.directory, "data")
        with open(config, "w") as file:
            json.dump({"data-dir": directory, "port": 1, "product": "Other"}, file)
        # The command line wins.
        broker = self.start_broker("--config", config)
        with broker.connect() as connection:
            self.assertEqual(connection._impl.server_properties["product"], "Other")
        self.assertEqual(broker.stop(), 0)

    def test_addresses(self):
        """This machine's own by default, others by name, all on one port and all in one line."""
        broker = self.start_broker()
        line = next(line for line in broker.program.lines if "ready on" in line)
        self.assertIn(f"127.0.0.1:{broker.port}", line)
        with socket.socket(socket.AF_INET6) as probe:
            has_ipv6 = probe.connect_ex(("::1", broker.port)) == 0
        self.assertEqual(f"[::1]:{broker.port}" in line, has_ipv6)
        self.assertEqual(broker.stop(), 0)
        config = os.path.join(self.directory, "config.json")
        with open(config, "w") as file:
            json.dump({"bind": ["127.0.0.3", "127.0.0.4"]}, file)
        for options in (["--bind", "127.0.0.3", "--bind", "127.0.0.4"], ["--config", config]):
            broker = self.start_broker(*options)
            for address in ("127.0.0.3", "127.0.0.4"):
                socket.create_connection((address, broker.port)).close()
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", broker.port))
            self.assertEqual(broker.stop(), 0)
        broker = self.start_broker("--bind", "localhost")
        socket.create_connection(("localhost", broker.port)).close()

    def test_nobody_else_looks_into_the_data(self):
        def modes(directory):
            for folder, _, names in os.walk(directory):
                yield folder, os.stat(folder).st_mode & 0o777
                for name in names:
                    yield os.path.join(folder, name), os.stat(f"{folder}/{name}").st_mode & 0o777

        for umask in (0, 0o22, 0o777):
            with self.subTest(oct(umask)):
                parent = os.path.join(self.directory, f"umask{umask}")
                broker = Broker(f"{parent}/data", preexec_fn=lambda: os.umask(umask))
                self.programs.append(broker.program)
                with broker.connect() as connection:
                    connection.channel().queue_declare("q", durable=True)
                self.assertEqual(broker.stop(), 0)
                for path, mode in modes(parent):
                    self.assertEqual(mode, 0o700 if os.path.isdir(path) else 0o600, path)
                self.assertFalse(any("was open" in line for line in broker.program.errors))

    def test_a_directory_that_is_open_to_others_is_closed_and_said_once(self):
        os.chmod(self.directory, 0o755)
        for opened in (True, False):
            broker = self.start_broker()
            self.assertEqual(broker.stop(), 0)
            said = [line for line in broker.program.errors if "was open to others" in line]
            self.assertEqual(len(said), opened, said)
            self.assertEqual(os.stat(self.directory).st_mode & 0o777, 0o700)
        self.assertEqual(self.start_broker("--log-level", "off").stop(), 0)
        # Somebody's home is not closed because a broker may write into it.
        other = os.path.join(self.directory, "other")
        os.makedirs(f"{other}/things")
        os.chmod(other, 0o755)
        broker = Broker(other)
        self.programs.append(broker.program)
        wait_for(lambda: any("is left so" in line for line in broker.program.errors),
                 "a word on it")
        self.assertEqual(os.stat(other).st_mode & 0o777, 0o755)
        self.assertEqual(os.stat(f"{other}/vhosts").st_mode & 0o777, 0o700)
        self.assertEqual(broker.stop(), 0)

    def test_message_size(self):
        line = self.refused("--memory-limit", "100MiB", "--message-size-max", "26MiB")
        self.assertIn("raise that or lower the maximal message size", line)
        self.assertIn("--message-size-max", self.refused("--message-size-max", "big"))
        self.assertIn("1073741824", self.refused(
            "--memory-limit", "16GiB", "--message-size-max", "2GiB"))
        broker = self.start_broker("--memory-limit", "100MiB", "--message-size-max", "25MiB")
        for size, taken in ((25 << 20, True), ((25 << 20) + 1, False)):
            with broker.connect() as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                try:
                    channel.basic_publish("", "nowhere", bytes(size))
                    self.assertTrue(taken)
                except pika.exceptions.ChannelClosedByBroker:
                    self.assertFalse(taken)

    def test_what_is_in_use_is_named(self):
        broker = self.start_broker()
        line = self.refused("--data-dir", self.directory, "--port", "0")
        self.assertIn(f"data directory '{self.directory}' is in use", line)
        other = os.path.join(self.directory, "other")
        line = self.refused("--data-dir", other, "--port", str(broker.port))
        self.assertIn(f"127.0.0.1:{broker.port}: Address already in use", line)
        # That was found before anything was made.
        self.assertFalse(os.path.exists(other))

    def test_a_stop_tells_the_clients(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            broker = self.start_broker()
            connection = broker.connect()
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            broker.program.signal(number)
            with self.assertRaises(pika.exceptions.ConnectionClosedByBroker) as closed:
                while True:
                    connection.process_data_events(1)
            self.assertEqual(closed.exception.reply_code, 320)
            self.assertEqual(broker.program.wait(), 0)

    def test_a_stop_does_not_wait_for_ever(self):
        broker = self.start_broker()
        silent = socket.create_connection(("127.0.0.1", broker.port))
        silent.sendall(b"AMQP\x00\x00\x09\x01")
        silent.recv(1000)
        started = time.monotonic()
        self.assertEqual(broker.stop(), 0)
        self.assertLess(time.monotonic() - started, 30)
        silent.close()

    def test_heartbeats_both_ways(self):
        broker = self.start_broker()
        parameters = pika.URLParameters(broker.url + "?heartbeat=1")
        with pika.BlockingConnection(parameters) as connection:
            connection.process_data_events(5)
            self.assertTrue(connection.is_open)

    def test_a_silent_client_loses_its_messages_to_others(self):
        """As when its cable is pulled: no heartbeat, no end of the connection either."""
        broker = self.start_broker()
        dead = pika.BlockingConnection(pika.URLParameters(broker.url + "?heartbeat=1"))
        channel = dead.channel()
        channel.queue_declare("q")
        channel.basic_publish("", "q", "task")
        method, _, _ = channel.basic_get("q")
        self.assertFalse(method.redelivered)
        with broker.connect() as connection:
            other = connection.channel()
            method = wait_for(lambda: other.basic_get("q")[0], "the message to come back")
            self.assertTrue(method.redelivered)

    def test_logins(self):
        broker = self.start_broker()
        wrong = pika.ConnectionParameters(
            "127.0.0.1", broker.port, credentials=pika.PlainCredentials("guest", "wrong")
        )
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            pika.BlockingConnection(wrong)
        with self.assertRaises(pika.exceptions.ProbableAccessDeniedError) as refused:
            pika.BlockingConnection(
                pika.ConnectionParameters("127.0.0.1", broker.port, virtual_host="absent")
            )
        self.assertIn("(530)", str(refused.exception))

    def test_out_of_file_descriptors(self):
        """More clients than there are descriptors are turned away; afterwards all is well.

        The asan preset leaves the vptr check out: it opens a pipe to look at memory, and takes its
        failure for a broken object.
        """
        broker = self.start_broker(preexec_fn=descriptor_limit(32))
        sockets = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(60)]
        self.addCleanup(lambda: [client.close() for client in sockets])
        for client in sockets:
            client.settimeout(60)
        wait_for(
            lambda: any("out of file descriptors" in line for line in broker.program.errors),
            "the broker's word on it",
        )
        self.assertEqual(sockets[-1].recv(1), b"")  # closed at once
        for client in sockets:
            client.close()

        def connect():
            try:
                return broker.connect()
            except pika.exceptions.AMQPConnectionError:
                return None

        wait_for(connect, "a connection").close()

    def test_a_consumer_that_does_not_read_bounds_its_output(self):
        broker = self.start_broker()
        stuck = broker.connect()
        channel = stuck.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", lambda *_: None, auto_ack=True)
        with broker.connect() as connection:
            producer = connection.channel()
            producer.confirm_delivery()
            body = b"x" * 100_000
            for _ in range(300):
                producer.basic_publish("", "q", body)
            # What the stuck consumer's connection does not take stays in the queue.
            ready = producer.queue_declare("q", passive=True).method.message_count
            self.assertGreater(ready, 200)
            producer.queue_delete("q")


class SlowHandshake(BrokerTest):
    def test_who_does_not_log_in_is_closed_after_ten_seconds(self):
        broker = self.start_broker()
        client = socket.create_connection(("127.0.0.1", broker.port))
        client.settimeout(60)
        client.sendall(b"AMQP\x00\x00\x09\x01")
        started = time.monotonic()
        while client.recv(4096):
            pass
        self.assertGreater(time.monotonic() - started, 5)
        client.close()


if __name__ == "__main__":
    unittest.main()
