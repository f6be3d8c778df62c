"""More of everything than anybody should want: connections, channels, logins that never end."""
import os
import resource
import selectors
import socket
import threading
import time
import unittest

from harness import SANITIZED, BrokerTest, descriptor_limit, wait_for
from hostile_test import HEADER, LOGIN, OPEN_CHANNEL, START_OK, frame, method, short
from raw import RawConnection, publish_bytes

OPEN_OK = bytes.fromhex("000a0029")
IDLE_COUNT = 2_000 if SANITIZED else 10_000
CLOSE = method(0, 10, 50, b"\x00\xc8" + short(b"") + b"\0\0\0\0")
# Where connections come from: one address has not enough ports for all that this opens and closes.
SOURCES = [f"127.0.0.{n}" for n in range(2, 12)]


def raise_own_limit(count):
    """Of file descriptors; the number that is allowed in the end, at most `count`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            return count
        except (ValueError, PermissionError):
            count = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    return count


class LimitsTest(BrokerTest):
    def start(self, descriptors=None):
        limit = descriptor_limit(descriptors) if descriptors else None
        return self.start_broker("--log-level", "warning", preexec_fn=limit)

    def clients(self, broker, count, data):
        """Connected, with `data` sent; closed at the end of the test."""
        clients = []
        for number in range(count):
            source = SOURCES[number % len(SOURCES)]
            client = socket.create_connection(("127.0.0.1", broker.port), 60, (source, 0))
            self.addCleanup(client.close)
            client.sendall(data)
            clients.append(client)
        return clients

    @staticmethod
    def read_until(client, part):
        answer = b""
        while part not in answer:
            data = client.recv(65536)
            if not data:
                raise AssertionError(f"closed after {answer!r}")
            answer += data
        return answer

    @staticmethod
    def closed(clients, until):
        """How many of them the broker has closed by then."""
        selector = selectors.DefaultSelector()
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        count = 0
        while count < len(clients) and time.monotonic() < until:
            for key, _ in selector.select(0.1):
                try:
                    gone = not key.fileobj.recv(65536)
                except ConnectionError:
                    gone = True
                if gone:
                    selector.unregister(key.fileobj)
                    count += 1
        selector.close()
        return count

    def is_well(self, broker):
        """Others are served at once."""
        began = time.monotonic()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare("well")
            channel.basic_publish("", "well", "x")
            self.assertEqual(channel.basic_get("well", auto_ack=True)[2], b"x")
        self.assertLess(time.monotonic() - began, 30 if SANITIZED else 5)


class Connections(LimitsTest):
    def test_many_idle_ones(self):
        count = min(IDLE_COUNT, raise_own_limit(IDLE_COUNT + 200) - 200)
        broker = self.start(IDLE_COUNT + 200 if os.geteuid() == 0 else None)
        self.is_well(broker)
        before = broker.resident_kb()
        clients = self.clients(broker, count, LOGIN + OPEN_CHANNEL)
        for client in clients:
            self.read_until(client, bytes.fromhex("0014000b"))  # channel.open-ok
        each = (broker.resident_kb() - before) / count
        print(f"{count} idle connections with a channel: {each:.1f} KB each")
        self.is_well(broker)
        if not SANITIZED:
            self.assertLess(each, 32)
        for client in clients:
            client.close()
        self.is_well(broker)
        # It is used again by the next ones.
        with_them = broker.resident_kb()
        for client in self.clients(broker, count, LOGIN):
            self.read_until(client, OPEN_OK)
        if not SANITIZED:
            self.assertLess(broker.resident_kb(), with_them + 20_000)

    def test_a_flood_of_opening_and_closing(self):
        broker = self.start()
        count = 400 if SANITIZED else 4_000
        self.clients_come_and_go(broker, count // 4)
        before = broker.resident_kb()
        self.clients_come_and_go(broker, count)
        self.is_well(broker)
        if not SANITIZED:
            self.assertLess(broker.resident_kb() - before, 10_000)

    def clients_come_and_go(self, broker, count):
        """Some take leave, some just go, some go in mid-sentence."""
        for number in range(count):
            source = SOURCES[number % len(SOURCES)]
            with socket.create_connection(("127.0.0.1", broker.port), 60, (source, 0)) as client:
                if number % 4 == 0:
                    client.sendall(LOGIN + OPEN_CHANNEL + CLOSE)
                    self.read_until(client, bytes.fromhex("000a0033"))
                elif number % 4 == 1:
                    client.sendall(LOGIN)
                    self.read_until(client, OPEN_OK)
                elif number % 4 == 2:
                    client.sendall(HEADER + START_OK[:20])

    def test_256_descriptors(self):
        broker = self.start(256)
        clients = self.clients(broker, 400, LOGIN)
        wait_for(
            lambda: any("out of file descriptors" in line for line in broker.program.errors),
            "the broker's word on it",
        )
        turned_away = self.closed(clients, time.monotonic() + 2)
        self.assertGreater(turned_away, 100)
        self.assertLess(turned_away, 200)
        cpu = self.cpu_s(broker)
        time.sleep(1)
        self.assertLess(self.cpu_s(broker) - cpu, 0.3, "it spins")
        for client in clients:
            client.close()
        wait_for(lambda: self.descriptors(broker) < 100, "the others to be gone")
        self.is_well(broker)

    @staticmethod
    def cpu_s(broker):
        with open(f"/proc/{broker.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def descriptors(broker):
        return len(os.listdir(f"/proc/{broker.pid}/fd"))


class Descriptors(LimitsTest):
    """The log has its own, whatever clients do with the rest."""

    def publish_segments(self, connection):
        """So much that the log goes on in new segments, writes checkpoints and piles."""
        channel = connection.channel()
        channel.do("queue.declare", queue="q", durable=True)
        channel.do("confirm.select")
        frames = publish_bytes(channel, "", "q", bytes(500_000), delivery_mode=2)
        for _ in range(60):
            connection.send_bytes(frames)
            channel.confirms(1)

    def with_clients_that_take_all(self, data):
        """The files that were opened at the start are few: the log needs new ones."""
        broker = self.start_broker(
            "--log-level", "warning", "--log-size", "8M", "--queue-memory", "1M",
            preexec_fn=descriptor_limit(128),
        )
        with RawConnection(broker) as connection:
            clients = self.clients(broker, 300, data)
            wait_for(
                lambda: any("closed at once" in line for line in broker.program.errors),
                "the broker's word on it",
            )
            self.publish_segments(connection)
        self.assertIsNone(broker.program.process.poll())
        for client in clients:
            client.close()
        wait_for(lambda: self.descriptors(broker) < 60, "the others to be gone")
        self.is_well(broker)
        self.assertEqual(self.message_count(broker, "q"), 60)
        self.assertEqual(broker.stop(), 0)

    def test_clients_that_do_not_log_in(self):
        self.with_clients_that_take_all(b"")

    def test_clients_that_log_in(self):
        self.with_clients_that_take_all(LOGIN)

    def test_who_does_not_log_in_leaves_descriptors_to_those_who_do(self):
        broker = self.start(128)
        idle = self.clients(broker, 80, b"")
        wait_for(lambda: self.closed(idle, time.monotonic() + 0.2) > 0, "some to be closed")
        wait_for(lambda: any("not logged in" in line for line in broker.program.errors), "a word")
        for client in idle[:20]:
            client.close()
        wait_for(lambda: self.descriptors(broker) < 60, "these to be gone")
        self.is_well(broker)

    def test_the_soft_limit_is_raised_to_the_hard_one(self):
        count = 1_014
        raise_own_limit(2_000)
        broker = self.start_broker(
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
        )
        clients = self.clients(broker, count, LOGIN)
        for client in clients:
            self.read_until(client, OPEN_OK)
        self.is_well(broker)

    @staticmethod
    def descriptors(broker):
        return Connections.descriptors(broker)


class BeforeLogin(LimitsTest):
    def test_more_than_there_may_be_are_closed_at_once(self):
        broker = self.start_broker("--login-max", "50")
        idle = self.clients(broker, 50, HEADER)
        for client in idle:
            client.recv(4096)
        late = self.clients(broker, 7, HEADER)
        self.assertEqual(self.closed(late, time.monotonic() + 5), 7)
        wait_for(lambda: any("closed at once" in line for line in broker.program.errors), "a word")
        said = [line for line in broker.program.errors if "closed at once" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn("have not logged in", said[0])
        idle[0].sendall(LOGIN[len(HEADER):])
        self.read_until(idle[0], OPEN_OK)
        idle[1].close()
        self.is_well(broker)

    def client(self, broker, data):
        client = socket.create_connection(("127.0.0.1", broker.port), 60)
        self.addCleanup(client.close)
        client.sendall(data)
        return client

    def test_refused_logins_wait_and_others_do_not(self):
        broker = self.start()
        wrong = LOGIN.replace(b"\0guest\0guest", b"\0guest\0wrong")
        began = time.monotonic()
        refused = [self.client(broker, wrong) for _ in range(4)]
        self.is_well(broker)
        delays = []
        for client in refused:
            while client.recv(4096):
                pass
            delays.append(time.monotonic() - began)
        self.assertGreater(delays[0], 0.05)
        self.assertGreater(delays[3], 0.75)  # 50 + 100 + 200 + 400 ms
        # Hanging up does not begin anew.
        began = time.monotonic()
        self.client(broker, wrong).close()
        with self.client(broker, wrong) as client:
            while client.recv(4096):
                pass
        self.assertGreater(time.monotonic() - began, 1.5)  # 800 + 1000 ms


class Channels(LimitsTest):
    def test_as_many_as_there_may_be(self):
        broker = self.start()
        self.is_well(broker)
        before = broker.resident_kb()
        with RawConnection(broker) as connection:
            opens = [method(number, 20, 10, short(b"")) for number in range(1, 2048)]
            connection.send_bytes(b"".join(opens))
            for _ in opens:
                self.assertTrue(connection.pump(time.monotonic() + 60))
            self.assertEqual(self.opened(connection), 2047)
            each = (broker.resident_kb() - before) / 2047
            print(f"2047 channels: {each:.1f} KB each")
            if not SANITIZED:
                self.assertLess(each, 10)
            self.is_well(broker)
            connection.send_bytes(method(2048, 20, 10, short(b"")))
            wait_for(lambda: connection.pump(time.monotonic() + 0.1) and connection.closed, "530")
            self.assertEqual(connection.closed.values["code"], 530)
        self.is_well(broker)

    @staticmethod
    def opened(connection):
        return sum(item.name == "channel.open-ok" for item in connection.zero.inbox)

    def test_a_flood_of_opening_and_closing(self):
        broker = self.start()
        close = method(1, 20, 40, b"\x00\xc8" + short(b"") + b"\0\0\0\0")
        rounds = (OPEN_CHANNEL + close) * 500
        count = 10 if SANITIZED else 60
        with self.clients(broker, 1, LOGIN)[0] as client:
            self.read_until(client, OPEN_OK)
            before = None
            for number in range(count):
                client.sendall(rounds)
                got = 0
                while got < 500 * (16 + 12):  # open-ok and close-ok
                    got += len(client.recv(1 << 20))
                if number == count // 4:
                    before = broker.resident_kb()
            self.is_well(broker)
            if not SANITIZED:
                self.assertLess(broker.resident_kb() - before, 5_000)


class HalfOpenLogins(LimitsTest):
    def test_hundreds_of_them(self):
        """Each stops at another place; all are closed when their time is over, and nobody waits."""
        broker = self.start()
        self.is_well(broker)
        trickling = threading.Thread(target=self.trickle, args=(broker,))
        trickling.start()
        before = broker.resident_kb()
        began = time.monotonic()
        clients = []
        large = HEADER + frame(1, 0, b"x" * 16_000)[:16_000]
        whole = LOGIN[:LOGIN.rindex(b"\x01\x00\x00")]  # all but connection.open
        started = HEADER + START_OK
        for part in (b"", HEADER[:5], HEADER, started[:15], started, whole, large):
            clients += self.clients(broker, 100, part)
        each = (broker.resident_kb() - before) / len(clients)
        print(f"{len(clients)} half-open logins: {each:.1f} KB each")
        if not SANITIZED:
            self.assertLess(each, 64)
        for _ in range(5):
            self.is_well(broker)
            time.sleep(0.5)
        self.assertEqual(self.closed(clients, began + 5), 0)
        self.assertEqual(self.closed(clients, began + 60), len(clients))
        self.assertLess(time.monotonic() - began, 30)
        trickling.join()
        self.assertGreater(self.trickled_s, 9)
        self.assertLess(self.trickled_s, 30)
        self.is_well(broker)

    def trickle(self, broker):
        """A byte now and then does not put the deadline off."""
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", broker.port)) as client:
            try:
                for byte in HEADER + START_OK:
                    client.sendall(bytes([byte]))
                    time.sleep(0.4)
            except ConnectionError:
                pass
        self.trickled_s = time.monotonic() - began


class Consumers(LimitsTest):
    def test_one_that_never_reads(self):
        """Its output is bounded, and others get what it does not take."""
        broker = self.start()
        self.is_well(broker)
        stuck = RawConnection(broker)
        channel = stuck.channel()
        channel.do("queue.declare", queue="q")
        stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        channel.send("basic.consume", queue="q", tag="c", no_ack=True)
        with RawConnection(broker) as connection:
            publisher = connection.channel()
            publisher.do("confirm.select")
            frames = publish_bytes(publisher, "", "q", bytes(50_000)) * 10
            before = broker.resident_kb()
            taken = 0
            reader = RawConnection(broker)
            other = reader.channel()
            other.do("basic.qos", prefetch_count=100)
            other.consume("q", no_ack=True)
            for _ in range(100):  # 50 MB
                connection.send_bytes(frames)
                publisher.confirms(10)
                reader.pump(time.monotonic() + 0.001)
            until = time.monotonic() + 30
            while other.inbox or reader.pump(min(until, time.monotonic() + 0.5)):
                taken += sum(item.name == "basic.deliver" for item in other.inbox)
                other.inbox.clear()
            self.assertGreater(taken, 800)
            self.assertEqual(self.message_count(broker, "q"), 0)
            if not SANITIZED:
                self.assertLess(broker.resident_kb() - before, 40_000)
            reader.socket.close()
        self.is_well(broker)
        stuck.socket.close()


if __name__ == "__main__":
    unittest.main()
