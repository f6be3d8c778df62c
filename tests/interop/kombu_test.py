"""kombu, the library beneath Celery, on Haypile or any broker.

Packages: python3-kombu (5.2), python3-amqp, python3-pika. Runs against the broker of
HAYPILE_TEST_URI if that is set, else against haypileds of HAYPILE_BIN: with its own product name,
and with RabbitMQ's, for kombu changes the prefetch in another way then. On RabbitMQ 3.10 all of it
passes, apart from what needs a broker of its own, which is skipped.
"""
import functools
import socket
import unittest

from harness import PATIENCE, AnyBrokerTest, haypile_only, wait_for

import amqp.exceptions
from kombu import Connection, Consumer, Exchange, Queue, eventloop
from kombu.common import Broadcast, QoS


class Scripts:
    """What is tested with both names."""

    def connect(self, **options):
        connection = Connection(f"{self.broker.url}//", **options)
        self.addCleanup(connection.release)
        return connection.ensure_connection(max_retries=1)

    def confirming(self):
        connection = self.connect(transport_options={"confirm_publish": True})
        return connection.Producer()

    def pump(self, connection, condition, what):
        def look():
            if not condition():
                try:
                    connection.drain_events(timeout=0.01)
                except socket.timeout:
                    pass
            return condition()

        return wait_for(look, what)

    def queue(self, word="q", **options):
        return Queue(self.queue_name(word), routing_key=self.queue_name(word), **options)

    def message(self, bound, **options):
        return wait_for(lambda: bound.get(**options), f"a message in {bound.name}")

    def ready(self, bound):
        return bound.queue_declare(passive=True).message_count

    def test_produce_and_consume(self):
        connection = self.connect()
        exchange = Exchange(self.exchange_name(), "topic")
        tasks = Queue(self.queue_name(), exchange, "task.#")
        got = []

        def on_message(body, message):
            got.append((body, message.headers, message.delivery_info["routing_key"]))
            message.ack()

        producer = connection.Producer()
        for number in range(20):
            producer.publish(
                {"number": number, "text": "ü"},
                exchange=exchange,
                routing_key=f"task.{number}",
                declare=[tasks],
                headers={"n": number},
                serializer="json",
                compression="zlib" if number % 2 else None,
                retry=True,
            )
        with Consumer(connection, [tasks], callbacks=[on_message]):
            for _ in eventloop(connection, limit=None, timeout=1, ignore_timeouts=True):
                if len(got) == 20:
                    break
        for number, (body, headers, key) in enumerate(got):
            self.assertEqual(body, {"number": number, "text": "ü"})
            self.assertEqual((headers["n"], key), (number, f"task.{number}"))
        bound = tasks(connection)
        bound.declare()  # the same again
        bound.unbind_from(exchange, "task.#")
        self.assertEqual(bound.purge(), 0)
        bound.delete(if_unused=True, if_empty=True)
        exchange(connection).delete(if_unused=True)

    def test_simple_queues(self):
        connection = self.connect()
        self.exchanges.add(self.queue_name("simple"))
        simple = connection.SimpleQueue(self.queue_name("simple"))
        for number in range(5):
            simple.put({"n": number})
        for number in range(5):
            message = simple.get(timeout=PATIENCE)
            self.assertEqual(message.payload, {"n": number})
            if number == 2:
                message.requeue()
                message = simple.get(timeout=PATIENCE)  # those after it are here already
                self.assertEqual(message.payload, {"n": 3})
                message.ack()
                message = simple.get(timeout=PATIENCE)
                self.assertEqual(message.payload, {"n": 4})
                message.ack()
                message = simple.get(timeout=PATIENCE)
                self.assertEqual((message.payload, message.delivery_info["redelivered"]),
                                 ({"n": 2}, True))  # fmt: skip
                message.ack()
                break
            message.ack()
        with self.assertRaises(simple.Empty):
            simple.get_nowait()
        with self.assertRaises(simple.Empty):
            simple.get(timeout=0.05)
        simple.close()
        self.exchanges.add(self.queue_name("buffer"))
        buffer = connection.SimpleBuffer(self.queue_name("buffer"))
        buffer.put("x")
        self.assertEqual(buffer.get(timeout=PATIENCE).payload, "x")
        buffer.close()

    def test_dead_letters_and_ttl(self):
        connection = self.connect()
        producer = connection.Producer()
        graves = self.queue("graves")(connection)
        graves.declare()
        to_graves = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": graves.name,
        }
        for word, options, properties, reason in (
            ("ttl", {"message_ttl": 0.05}, {}, "expired"),
            ("expiration", {}, {"expiration": 0.05}, "expired"),
            ("length", {"max_length": 1}, {}, "maxlen"),
            ("bytes", {"max_length_bytes": 20}, {}, "maxlen"),
            ("rejected", {}, {}, "rejected"),
        ):
            with self.subTest(word):
                queue = self.queue(word, queue_arguments=to_graves, **options)(connection)
                queue.declare()
                producer.publish("a" * 15, routing_key=queue.name, **properties)
                if reason == "maxlen":
                    producer.publish("b" * 15, routing_key=queue.name)
                if reason == "rejected":
                    self.message(queue).reject()
                dead = self.message(graves, no_ack=True)
                self.assertEqual(dead.payload, "a" * 15)
                death = dead.headers["x-death"][0]
                self.assertEqual((death["queue"], death["reason"]), (queue.name, reason))
                self.assertEqual(death["count"], 1)

    def test_expiring_and_exclusive_and_broadcast_queues(self):
        connection, other = self.connect(), self.connect()
        unused = self.queue("unused", expires=0.2, exclusive=True)(connection)
        unused.declare()
        with self.assertRaises(amqp.exceptions.ResourceLocked):
            self.queue("unused", exclusive=True)(other).queue_declare()

        def gone():
            try:
                unused.queue_bind()
            except amqp.exceptions.NotFound:
                return True

        unused = self.queue("unused", exchange=Exchange("amq.direct", "direct"))(connection)
        wait_for(gone, "the end of an unused queue")
        copies = []
        name = self.exchange_name("all")
        listeners = [self.connect(), self.connect()]
        for connection in listeners:
            queue = Broadcast(name, unique=True)
            Consumer(connection, [queue], on_message=copies.append, no_ack=True).consume()
        self.connect().Producer().publish("to all", exchange=name)
        for count, connection in enumerate(listeners, 1):
            self.pump(connection, lambda: len(copies) == count, "a copy")
        self.assertEqual([copy.payload for copy in copies], ["to all"] * 2)

    def test_priorities(self):
        connection = self.connect()
        queue = self.queue(max_priority=10)(connection)
        queue.declare()
        producer = connection.Producer()
        for priority in (None, 3, 10, 3, 7):
            producer.publish(f"p{priority}", routing_key=queue.name, priority=priority)
        order = [self.message(queue, no_ack=True).payload for _ in range(5)]
        self.assertEqual(order, ["p10", "p7", "p3", "p3", "pNone"])

    def test_prefetch_that_changes(self):
        """As Celery does it: by kombu's QoS, on a consumer that is running."""
        connection = self.connect()
        if self.broker_product(connection) == "RabbitMQ":
            self.assertFalse(connection.qos_semantics_matches_spec, "which version is it?")
        apply_global = not connection.qos_semantics_matches_spec
        queue = self.queue()
        queue(connection).declare()
        producer = self.confirming()
        got = []
        connection.default_channel.basic_qos(0, 2, apply_global)
        consumer = Consumer(connection, [queue], on_message=got.append)
        qos = QoS(functools.partial(consumer.qos, apply_global=apply_global), 2)
        qos.update()
        consumer.consume()
        for number in range(20):
            producer.publish(str(number), routing_key=queue.name)
        watched = queue(self.connect())

        def check(count):
            self.pump(connection, lambda: len(got) >= count, f"{count} messages")
            wait_for(lambda: self.ready(watched) == 20 - count, "the rest to stay")
            self.assertEqual(len(got), count)

        check(2)
        for _ in range(3):
            qos.increment_eventually()
        qos.update()
        check(5)
        qos.decrement_eventually(4)
        qos.update()
        for message in got[:4]:  # one of five is left: no room
            message.ack()
        check(5)
        got[4].ack()
        check(6)
        qos.set(0)  # no limit
        check(20)
        self.assertEqual([int(message.payload) for message in got], list(range(20)))

    @staticmethod
    def broker_product(connection):
        return connection.connection.server_properties["product"]

    def test_confirms_and_a_full_queue(self):
        producer = self.confirming()
        queue = self.queue(max_length=2, queue_arguments={"x-overflow": "reject-publish"})
        queue = queue(producer.channel)
        queue.declare()
        producer.publish("1", routing_key=queue.name)
        producer.publish("2", routing_key=queue.name)
        with self.assertRaises(amqp.exceptions.MessageNacked):
            producer.publish("3", routing_key=queue.name)
        self.assertEqual([self.message(queue, no_ack=True).payload for _ in "12"], ["1", "2"])
        returned = []
        producer.channel.events["basic_return"].add(lambda *parts: returned.append(parts))
        producer.publish("nowhere", routing_key="nowhere", mandatory=True)
        self.assertEqual([(error.reply_code, key) for error, _, key, _ in returned],
                         [(312, "nowhere")])  # fmt: skip

    def test_errors_close_the_channel_only(self):
        connection = self.connect()
        queue = self.queue()(connection)
        queue.declare()
        with self.assertRaises(amqp.exceptions.PreconditionFailed):
            self.queue(durable=False)(connection.channel()).queue_declare()
        with self.assertRaises(amqp.exceptions.NotFound):
            Queue("no-such-queue")(connection.channel()).queue_declare(passive=True)
        with self.assertRaises(amqp.exceptions.AccessRefused):
            Queue("amq.mine")(connection.channel()).queue_declare()
        self.assertEqual(self.ready(queue), 0)

    def test_requeue_and_recover(self):
        connection = self.connect()
        queue = self.queue()
        queue(connection).declare()
        self.confirming().publish("x", routing_key=queue.name)
        got = []
        consumer = Consumer(connection, [queue], on_message=got.append)
        consumer.consume()
        self.pump(connection, lambda: len(got) == 1, "the message")
        got[0].requeue()
        self.pump(connection, lambda: len(got) == 2, "it again")
        consumer.recover(requeue=True)
        self.pump(connection, lambda: len(got) == 3, "it once more")
        self.assertTrue(got[2].delivery_info["redelivered"])
        consumer.cancel()
        consumer.channel.close()
        self.assertEqual(self.message(queue(self.connect()), no_ack=True).payload, "x")

    def test_heartbeats(self):
        connection = self.connect(heartbeat=1)
        channel = connection.default_channel

        def tick():
            connection.heartbeat_check()
            try:
                connection.drain_events(timeout=0.2)
            except socket.timeout:
                pass

        sent = connection.connection.bytes_sent
        for _ in range(20):
            tick()
        self.assertTrue(connection.connected)
        self.assertGreater(connection.connection.bytes_recv, 0)
        self.assertGreater(connection.connection.bytes_sent, sent)
        self.queue()(channel).declare()


class Kombu(Scripts, AnyBrokerTest):
    pass


@haypile_only
class KombuWithRabbitMQ(Scripts, AnyBrokerTest):
    options = ("--product", "RabbitMQ")


if __name__ == "__main__":
    unittest.main()
