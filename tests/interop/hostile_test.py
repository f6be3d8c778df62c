"""What no client would send: the right codes, no crash, no growth."""
import os
import random
import socket
import struct
import unittest

from harness import BrokerTest

HEADER = b"AMQP\x00\x00\x09\x01"


def frame(kind, channel, payload, end=b"\xce"):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + end


def method(channel, class_id, method_id, arguments=b""):
    return frame(1, channel, struct.pack(">HH", class_id, method_id) + arguments)


def short(text):
    return bytes([len(text)]) + text


def long(text):
    return struct.pack(">I", len(text)) + text


START_OK = method(
    0, 10, 11, long(b"") + short(b"PLAIN") + long(b"\0guest\0guest") + short(b"en_US"))
TUNE_OK = method(0, 10, 31, struct.pack(">HIH", 2047, 131072, 0))
OPEN = method(0, 10, 40, short(b"/") + short(b"") + b"\0")
LOGIN = HEADER + START_OK + TUNE_OK + OPEN
OPEN_CHANNEL = method(1, 20, 10, short(b""))
PUBLISH = method(1, 60, 40, struct.pack(">H", 0) + short(b"") + short(b"q") + b"\0")


def content_header(size, class_id=60):
    return frame(2, 1, struct.pack(">HHQH", class_id, 0, size, 0))


class Hostile(BrokerTest):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker("--log-level", "warning")

    def talk(self, data, end=True):
        """Sends `data` and returns all that the broker says until it closes."""
        with socket.create_connection(("127.0.0.1", self.broker.port)) as client:
            client.settimeout(60)
            answer = b""
            try:
                client.sendall(data)
                if end:
                    client.shutdown(socket.SHUT_WR)
                while True:
                    part = client.recv(65536)
                    if not part:
                        break
                    answer += part
            except ConnectionError:
                pass
            return answer

    def close_code(self, data):
        """The reply code of the connection.close that `data` is answered with."""
        with socket.create_connection(("127.0.0.1", self.broker.port)) as client:
            client.settimeout(60)
            client.sendall(data)
            answer = b""
            while True:
                at = answer.find(b"\x00\x0a\x00\x32")
                if at >= 0 and len(answer) >= at + 6:
                    return struct.unpack_from(">H", answer, at + 4)[0]
                part = client.recv(65536)
                self.assertTrue(part, f"closed without a word after {answer!r}")
                answer += part

    def test_another_protocol(self):
        self.assertEqual(self.talk(b"GET / HTTP/1.1\r\n\r\n"), HEADER)
        self.assertEqual(self.talk(b"AMQP\x01\x01\x00\x09"), HEADER)

    def test_codes(self):
        opened = LOGIN + OPEN_CHANNEL
        for name, data, code in (
            ("frame type", opened + b"\x09", 501),
            ("frame end", opened + frame(1, 1, b"\0\x14\0\x0a\0", b"\0"), 501),
            ("absurd length", opened + struct.pack(">BHI", 3, 1, 0xFFFFFFFF), 501),
            ("large frame before login", HEADER + struct.pack(">BHI", 1, 0, 100_000), 501),
            ("heartbeat on a channel", opened + frame(8, 1, b""), 505),
            ("content before a method", opened + content_header(1), 505),
            ("body too long", opened + PUBLISH + content_header(1) + frame(3, 1, b"ab"), 505),
            ("method within content", opened + PUBLISH + method(1, 60, 10, b"\0" * 7), 505),
            ("unknown method", opened + method(1, 60, 999), 540),
            ("arguments cut off", opened + method(1, 60, 80, b"\0"), 501),
            ("channel not open", LOGIN + method(7, 60, 10, b"\0" * 7), 504),
            ("channel opened twice", opened + OPEN_CHANNEL, 504),
            ("channels beyond the maximum",
             LOGIN + b"".join(method(n, 20, 10, short(b"")) for n in range(60000, 62048)), 530),
            ("frame_max out of range",
             HEADER + START_OK + method(0, 10, 31, struct.pack(">HIH", 1, 100, 0)), 530),
            ("unknown mechanism",
             HEADER + method(0, 10, 11, long(b"") + short(b"X") + long(b"") + short(b"")), 503),
        ):
            with self.subTest(name):
                self.assertEqual(self.close_code(data), code)

    def test_deep_tables_are_refused(self):
        table = b""
        for _ in range(10_000):
            table = short(b"t") + b"F" + long(table)
            if len(table) > 120_000:
                break
        declare = struct.pack(">H", 0) + short(b"q") + b"\0" + long(table)
        self.assertEqual(self.close_code(LOGIN + OPEN_CHANNEL + method(1, 50, 10, declare)), 502)

    def test_random_bytes_neither_crash_nor_grow_it(self):
        dice = random.Random(20260917)
        good = LOGIN + OPEN_CHANNEL + PUBLISH + content_header(4) + frame(3, 1, b"body")

        def attack(count):
            for number in range(count):
                if number % 4 == 0:
                    self.talk(dice.randbytes(dice.randrange(2000)))
                elif number % 4 == 1:
                    self.talk(HEADER + dice.randbytes(dice.randrange(2000)))
                elif number % 4 == 2:
                    self.talk(good[: dice.randrange(len(good))])
                else:
                    damaged = bytearray(good)
                    for _ in range(dice.randrange(1, 4)):
                        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
                    self.talk(bytes(damaged))

        attack(200)
        before = self.broker.resident_kb()
        attack(800)
        # Sanitizers keep what is freed for a while.
        allowed = 4_000 if "asan" not in os.environ.get("HAYPILE_BIN", "") else 200_000
        self.assertLess(self.broker.resident_kb() - before, allowed)
        with self.broker.connect() as connection:
            connection.channel().queue_declare("still here")

    def test_a_large_message_that_never_comes(self):
        before = self.broker.resident_kb()
        clients = []
        for _ in range(50):
            client = socket.create_connection(("127.0.0.1", self.broker.port))
            client.sendall(LOGIN + OPEN_CHANNEL + PUBLISH + content_header(16 << 20))
            client.sendall(frame(3, 1, b"x"))
            clients.append(client)
        with self.broker.connect() as connection:
            connection.channel().queue_declare("still here")
        self.assertLess(self.broker.resident_kb() - before, 200_000)
        for client in clients:
            client.close()

    def test_connections_before_login_are_small(self):
        before = self.broker.resident_kb()
        clients = [socket.create_connection(("127.0.0.1", self.broker.port)) for _ in range(200)]
        for client in clients:
            client.sendall(HEADER + struct.pack(">BHI", 1, 0, 16_000) + b"x" * 15_000)
        with self.broker.connect() as connection:
            connection.channel().queue_declare("still here")
        self.assertLess((self.broker.resident_kb() - before) / len(clients), 150)
        for client in clients:
            client.close()


if __name__ == "__main__":
    unittest.main()
