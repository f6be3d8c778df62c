"""What pika's blocking adapter can do, against Haypile or any broker: connections, declaring,
publishing. The rest of it: pika_consume_test.py, pika_async_test.py.

Packages: python3-pika (1.2). Runs against the broker of HAYPILE_TEST_URI if that is set, else
against a haypiled of HAYPILE_BIN for each test. Against RabbitMQ 3.10 all of it passes, apart from
what needs a broker of its own, which is skipped.
"""
import datetime
import decimal
import functools
import signal
import threading
import unittest

from harness import PATIENCE, broker_has_option, haypile_only, wait_for
from pika_support import PikaTest

import pika
from pika import BasicProperties
from pika.exceptions import (
    AMQPConnectionError,
    AMQPHeartbeatTimeout,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)


class Connections(PikaTest):
    def test_open_and_close(self):
        connection = self.connect()
        self.assertTrue(connection.is_open)
        self.assertTrue(connection.basic_nack_supported)
        self.assertTrue(connection.consumer_cancel_notify_supported)
        self.assertTrue(connection.exchange_exchange_bindings_supported)
        self.assertTrue(connection.publisher_confirms_supported)
        channel = connection.channel()
        connection.close()
        self.assertTrue(connection.is_closed)
        self.assertTrue(channel.is_closed)

    def test_channels(self):
        connection = self.connect()
        first, second = connection.channel(), connection.channel()
        self.assertEqual((first.channel_number, second.channel_number), (1, 2))
        chosen = connection.channel(17)
        self.assertEqual(chosen.channel_number, 17)
        for _ in range(20):  # one number, again and again
            first.close()
            first = connection.channel()
            self.assertEqual(first.channel_number, 1)
        self.declare(first)
        self.assertTrue(first.flow(True))
        chosen.close()
        self.assertTrue(second.is_open)

    def test_many_channels(self):
        connection = self.connect(channel_max=100)
        channels = [connection.channel() for _ in range(100)]
        queue = self.declare(channels[0])
        for channel in channels:
            channel.basic_publish("", queue, b"x")
            channel.queue_declare(queue, passive=True)
        self.wait_for_ready(channels[0], queue, 100)

    def test_refused_login_vhost_and_port(self):
        with self.assertRaises(ProbableAuthenticationError):
            self.connect(credentials=pika.PlainCredentials("guest", "wrong"))
        with self.assertRaises(ProbableAccessDeniedError):
            self.connect(virtual_host="nowhere")
        with self.assertRaises(AMQPConnectionError):
            self.connect(port=1)

    def test_an_error_closes_the_connection_and_not_its_neighbour(self):
        neighbour = self.channel()
        queue = self.declare(neighbour)
        channel = self.channel()
        channel.basic_consume(queue, lambda *_: None, consumer_tag="same")
        with self.assertRaises(ConnectionClosedByBroker) as closed:
            # pika itself looks for tags in use; this one it does not know.
            channel._impl._consumers.clear()
            channel._consumer_infos.clear()
            channel.basic_consume(queue, lambda *_: None, consumer_tag="same")
        self.assertEqual(closed.exception.reply_code, 530)
        self.assertTrue(channel.connection.is_closed)
        self.assertEqual(self.ready(neighbour, queue), 0)

    def test_timers_and_callbacks_from_other_threads(self):
        channel = self.channel()
        connection = channel.connection
        queue = self.declare(channel)
        timed, never = [], []
        connection.call_later(0.05, lambda: timed.append(1))
        connection.remove_timeout(connection.call_later(0.01, lambda: never.append(1)))
        publish = functools.partial(channel.basic_publish, "", queue, b"from a thread")
        threads = [
            threading.Thread(target=connection.add_callback_threadsafe, args=(publish,))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        self.pump(channel, lambda: timed, "the timer")
        for thread in threads:
            thread.join()
        connection.process_data_events(0)
        self.assertEqual(never, [])
        self.assertEqual(self.bodies(channel, queue, 5), ["from a thread"] * 5)

    def test_a_worker_thread_acknowledges_over_the_connections_thread(self):
        channel = self.channel()
        queue = self.declare(channel)
        channel.basic_qos(prefetch_count=1)
        done, threads = [], []

        def work(tag, body):
            def finish():
                channel.basic_ack(tag)
                done.append(body.decode())
                if len(done) == 10:
                    channel.stop_consuming()

            channel.connection.add_callback_threadsafe(finish)

        def start(_, method, __, body):
            threads.append(threading.Thread(target=work, args=(method.delivery_tag, body)))
            threads[-1].start()

        channel.basic_consume(queue, start)
        self.publish_numbers(queue, 10)
        channel.start_consuming()
        for thread in threads:
            thread.join()
        self.assertEqual(done, [str(number) for number in range(10)])
        channel.close()
        self.assertEqual(self.ready(self.channel(), queue), 0)

    def test_heartbeats_keep_an_idle_connection(self):
        connection = self.connect(heartbeat=1)
        channel = connection.channel()
        connection.sleep(4)  # a dead peer is noticed after two intervals
        self.assertTrue(connection.is_open)
        self.declare(channel)

    def test_a_client_without_heartbeats_is_dropped(self):
        mute = self.channel(heartbeat=1)
        queue = self.declare(mute)
        self.consume(mute, queue)
        watcher = self.channel()
        watcher.basic_publish("", queue, b"task")
        self.wait_for_ready(watcher, queue, 0)

        def dropped():  # nobody runs the loop of the mute one
            return watcher.queue_declare(queue, passive=True).method.consumer_count == 0

        wait_for(dropped, "the end of the mute client")
        self.assertEqual(self.bodies(watcher, queue, 1), ["task"])
        with self.assertRaises(AMQPConnectionError):
            self.pump(mute, lambda: False, "an error")

    @haypile_only
    def test_a_broker_without_heartbeats_is_noticed(self):
        connection = self.connect(heartbeat=1)
        program = self.broker.program
        program.signal(signal.SIGSTOP)
        self.addCleanup(program.signal, signal.SIGCONT)
        with self.assertRaises(AMQPHeartbeatTimeout):
            connection.sleep(PATIENCE)

    def test_messages_of_all_sizes(self):
        channel = self.channel()
        channel.confirm_delivery()
        queue = self.declare(channel)
        frame = 131072
        for size in (0, 1, frame - 9, frame - 8, frame - 7, 2 * (frame - 8), 1 << 20, 16 << 20):
            body = (b"%07d\n" % size) * (size // 8 + 1)
            body = body[:size]
            channel.basic_publish("", queue, body)
            properties, got = self.get(channel, queue)
            self.assertEqual(len(got), size)
            self.assertTrue(got == body, "another body")
        small = self.channel(frame_max=4096)
        small.basic_publish("", queue, body)
        self.assertTrue(self.get(small, queue)[1] == body, "another body in small frames")

    @haypile_only
    def test_a_too_large_message_is_refused(self):
        channel = self.channel()
        queue = self.declare(channel)
        channel.confirm_delivery()
        self.assert_refused(
            406, lambda: channel.basic_publish("", queue, bytes((16 << 20) + 1)), "16777216"
        )

    def test_every_property_and_type_of_header(self):
        channel = self.channel()
        queue = self.declare(channel)
        headers = {
            "text": "Hü",
            "small": 1,
            "negative": -70000,
            "big": 1 << 40,
            "yes": True,
            "no": False,
            "nothing": None,
            "number": decimal.Decimal("3.14"),
            "when": datetime.datetime(2020, 2, 29, 12, 30),
            "list": [1, "two", {"three": 3}, []],
            "table": {"inner": {"inmost": "x"}},
            "empty": {},
        }
        sent = BasicProperties(
            content_type="text/plain",
            content_encoding="utf-8",
            headers=headers,
            delivery_mode=2,
            priority=7,
            correlation_id="correlation",
            reply_to="reply",
            expiration="3600000",
            message_id="id",
            timestamp=1_600_000_000,
            type="kind",
            user_id="guest",
            app_id="app",
            cluster_id="cluster",
        )
        channel.basic_publish("", queue, b"", sent)
        got, _ = self.get(channel, queue)
        self.assertEqual(vars(got), vars(sent))
        channel.basic_publish("", queue, b"")
        self.assertEqual(vars(self.get(channel, queue)[0]), vars(BasicProperties()))


@unittest.skipUnless(broker_has_option("--memory-limit"), "haypiled has no --memory-limit")
class Memory(PikaTest):
    options = ("--memory-limit", str(8 << 20))

    @haypile_only
    def test_a_publisher_is_told_when_it_is_blocked(self):
        queue = self.declare(self.channel())
        blocked, unblocked, all_gone = (threading.Event() for _ in range(3))
        failures = []

        def publish():
            try:
                watcher = self.channel()
                connection = pika.BlockingConnection(pika.URLParameters(self.broker.url))
                connection.add_on_connection_blocked_callback(lambda *_: blocked.set())
                connection.add_on_connection_unblocked_callback(lambda *_: unblocked.set())
                channel = connection.channel()
                for count in range(1, 64 << 10):
                    channel.basic_publish("", queue, bytes(16 << 10))
                    # One message at a time: basic_publish() waits until the message is written, and
                    # no callback is called while it does. If the broker has stopped reading, only
                    # one that fits into the socket's buffers is written.
                    while not blocked.is_set() and self.ready(watcher, queue) < count:
                        connection.process_data_events(0)
                    if blocked.is_set():
                        break
                while not (unblocked.is_set() and all_gone.is_set()):
                    connection.process_data_events(0.05)
                channel.confirm_delivery()
                channel.basic_publish("", queue, b"last")
                connection.close()
            except AMQPConnectionError as error:
                failures.append(error)

        publisher = threading.Thread(target=publish, daemon=True)
        publisher.start()
        wait_for(lambda: blocked.is_set() or failures, "connection.blocked")
        self.assertEqual(failures, [])
        consumer = self.channel()  # whoever only consumes is not blocked

        def purged():
            consumer.queue_purge(queue)
            return unblocked.is_set()

        wait_for(purged, "connection.unblocked")
        all_gone.set()
        publisher.join(PATIENCE)
        self.assertFalse(publisher.is_alive())
        self.assertEqual(failures, [])
        wait_for(lambda: self.get(consumer, queue)[1] == b"last", "the last message")


class Declaring(PikaTest):
    def test_exchanges(self):
        channel = self.channel()
        for kind in ("direct", "fanout", "topic", "headers"):
            name = self.declare_exchange(channel, kind, kind, durable=True)
            channel.exchange_declare(name, kind, passive=True)
            channel.exchange_declare(name, kind, durable=True)
            channel.exchange_delete(name)
            channel.exchange_delete(name)  # no error
        self.assert_refused(
            404, lambda: channel.exchange_declare(name, "headers", passive=True), name
        )
        channel = channel.connection.channel()
        name = self.declare_exchange(channel)
        self.assert_refused(406, lambda: channel.exchange_declare(name, "fanout"), name, "fanout")
        channel = channel.connection.channel()
        self.declare(channel)
        channel.queue_bind(self.queue_name(), name)
        self.assert_refused(406, lambda: channel.exchange_delete(name, if_unused=True), name)

    def test_an_unknown_type_of_exchange(self):
        channel = self.channel()
        with self.assertRaises((ChannelClosedByBroker, ConnectionClosedByBroker)) as refused:
            channel.exchange_declare(self.exchange_name(), "crooked")
        self.assertIn(refused.exception.reply_code, (406, 503))
        self.assertIn("crooked", refused.exception.reply_text)

    def test_queues(self):
        channel = self.channel()
        queue = self.declare(channel, durable=True)
        declared = channel.queue_declare(queue, durable=True).method
        self.assertEqual((declared.message_count, declared.consumer_count), (0, 0))
        self.consume(channel, self.declare(channel, "busy"))
        busy = channel.queue_declare(self.queue_name("busy"), passive=True).method
        self.assertEqual(busy.consumer_count, 1)
        self.publish_numbers(queue, 3)
        self.wait_for_ready(channel, queue, 3)
        self.assertEqual(channel.queue_purge(queue).method.message_count, 3)
        self.publish_numbers(queue, 2)
        self.wait_for_ready(channel, queue, 2)
        for name, option in ((queue, "if_empty"), (self.queue_name("busy"), "if_unused")):
            other = channel.connection.channel()
            self.assert_refused(406, lambda: other.queue_delete(name, **{option: True}), name)
        self.assertEqual(channel.queue_delete(queue).method.message_count, 2)
        self.assertEqual(channel.queue_delete(queue).method.message_count, 0)
        self.assert_refused(404, lambda: channel.queue_declare(queue, passive=True), queue)
        channel = channel.connection.channel()
        self.assert_refused(404, lambda: channel.queue_purge(queue), queue)

    def test_queues_that_the_broker_names(self):
        channel = self.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        self.assertTrue(queue.startswith("amq.gen-"), queue)
        channel.basic_publish("", queue, b"x")
        self.assertEqual(channel.basic_get("")[2], b"x")  # the last one declared
        self.assertNotEqual(queue, channel.queue_declare("", exclusive=True).method.queue)
        other = self.channel()
        self.assert_refused(405, lambda: other.queue_declare(queue, passive=True), queue)
        channel.connection.close()

        def gone():
            nonlocal other
            other = other.connection.channel()
            try:
                other.queue_declare(queue, passive=True)
            except ChannelClosedByBroker as error:
                return error.reply_code == 404

        wait_for(gone, "the end of an exclusive queue")

    def test_auto_delete(self):
        channel = self.channel()
        queue = self.declare(channel, auto_delete=True)
        exchange = self.declare_exchange(channel, auto_delete=True)
        channel.queue_bind(queue, exchange, "key")
        first, _ = self.consume(channel, queue)
        second, _ = self.consume(channel, queue)
        channel.basic_cancel(first)
        self.assertEqual(self.ready(channel, queue), 0)
        channel.basic_cancel(second)
        self.assert_refused(404, lambda: channel.queue_declare(queue, passive=True))
        channel = channel.connection.channel()  # its last binding has gone
        self.assert_refused(404, lambda: channel.exchange_declare(exchange, passive=True))

    def test_refused_arguments(self):
        connection = self.connect()
        for arguments in (
            {"x-message-ttl": "soon"},
            {"x-message-ttl": -1},
            {"x-expires": 0},
            {"x-max-length": -1},
            {"x-max-priority": 256},
            {"x-overflow": "burst"},
            {"x-dead-letter-routing-key": "key"},  # without an exchange
            {"x-queue-type": "odd"},
        ):
            with self.subTest(arguments):
                channel = connection.channel()
                name = self.queue_name("wrong")
                self.assert_refused(406, lambda: channel.queue_declare(name, arguments=arguments))
        queue = self.declare(connection.channel(), arguments={"x-max-length": 5})
        channel = connection.channel()
        channel.queue_declare(queue, arguments={"x-max-length": 5, "x-queue-type": "classic"})
        self.assert_refused(
            406,
            lambda: channel.queue_declare(queue, arguments={"x-max-length": 6}),
            "x-max-length", queue, "5", "6",
        )  # fmt: skip

    def test_direct_and_topic_and_headers_bindings(self):
        channel = self.channel()
        queue = self.declare(channel)
        direct = self.declare_exchange(channel, "direct")
        topic = self.declare_exchange(channel, "topic", "topic")
        headers = self.declare_exchange(channel, "headers", "headers")
        channel.queue_bind(queue, direct, "one")
        channel.queue_bind(queue, direct, "two")
        channel.queue_bind(queue, topic, "*.error.#")
        channel.queue_bind(queue, headers, arguments={"x-match": "all", "a": 1, "b": "x"})
        for exchange, key, arrives in (
            (direct, "one", True),
            (direct, "two", True),
            (direct, "three", False),
            (topic, "disk.error", True),
            (topic, "disk.error.very.bad", True),
            (topic, "error", False),
        ):
            self.publish(key, f"{exchange} {key}", exchange)
            if arrives:
                self.assertEqual(self.bodies(channel, queue, 1), [f"{exchange} {key}"])
            self.assertEqual(self.ready(channel, queue), 0, key)
        for table, arrives in (({"a": 1, "b": "x", "c": 3}, 1), ({"a": 1}, 0)):
            self.publish("", b"", headers, headers=table)
            self.assertEqual(channel.queue_purge(queue).method.message_count, arrives)
        channel.queue_unbind(queue, direct, "one")
        channel.queue_unbind(queue, direct, "one")  # no error
        channel.basic_publish(direct, "one", b"lost")
        channel.basic_publish(direct, "two", b"kept")
        self.assertEqual(self.bodies(channel, queue, 1), ["kept"])
        self.assert_refused(404, lambda: channel.queue_bind(queue, "no-such-exchange", "key"))

    def test_bindings_between_exchanges(self):
        channel = self.channel()
        queue = self.declare(channel)
        source = self.declare_exchange(channel, "source", "topic")
        target = self.declare_exchange(channel, "target", "fanout")
        channel.queue_bind(queue, target)
        channel.exchange_bind(target, source, "task.*")
        channel.basic_publish(source, "task.new", b"1")
        channel.basic_publish(source, "other.new", b"2")
        channel.exchange_unbind(target, source, "task.*")
        channel.basic_publish(source, "task.new", b"3")
        channel.basic_publish(target, "", b"4")
        self.assertEqual(self.bodies(channel, queue, 2), ["1", "4"])
        self.assertEqual(self.ready(channel, queue), 0)

    def test_alternate_exchange(self):
        channel = self.channel()
        queue, strays = self.declare(channel), self.declare(channel, "strays")
        alternate = self.declare_exchange(channel, "alternate", "fanout")
        exchange = self.declare_exchange(
            channel, arguments={"alternate-exchange": alternate}
        )
        channel.queue_bind(queue, exchange, "known")
        channel.queue_bind(strays, alternate)
        channel.confirm_delivery()
        channel.basic_publish(exchange, "known", b"1", mandatory=True)
        channel.basic_publish(exchange, "unknown", b"2", mandatory=True)
        self.assertEqual(self.bodies(channel, queue, 1), ["1"])
        self.assertEqual(self.bodies(channel, strays, 1), ["2"])
        channel.queue_unbind(strays, alternate)
        with self.assertRaises(UnroutableError):
            channel.basic_publish(exchange, "unknown", b"3", mandatory=True)


class Publishing(PikaTest):
    def test_mandatory_returns_without_confirms(self):
        channel = self.channel()
        returned = []
        channel.add_on_return_callback(lambda _, *parts: returned.append(parts))
        for number in range(3):
            channel.basic_publish(
                "amq.direct", "nowhere", str(number), BasicProperties(app_id="a"), mandatory=True
            )
        self.pump(channel, lambda: len(returned) == 3, "the messages to come back")
        for number, (method, properties, body) in enumerate(returned):
            self.assertEqual(
                (method.reply_code, method.reply_text, method.exchange, method.routing_key),
                (312, "NO_ROUTE", "amq.direct", "nowhere"),
            )
            self.assertEqual((properties.app_id, body.decode()), ("a", str(number)))

    def test_confirms_and_returns(self):
        channel = self.channel()
        queue = self.declare(channel)
        channel.confirm_delivery()
        for number in range(100):
            channel.basic_publish("", queue, str(number), mandatory=True)
        self.assertEqual(self.ready(channel, queue), 100)
        channel.basic_publish("amq.direct", "nowhere", b"unroutable, yet confirmed")
        with self.assertRaises(UnroutableError) as unroutable:
            channel.basic_publish("amq.direct", "nowhere", b"back", mandatory=True)
        self.assertEqual([message.body for message in unroutable.exception.messages], [b"back"])
        channel.basic_publish("", queue, b"goes on", mandatory=True)
        self.assertEqual(self.ready(channel, queue), 101)

    def test_a_full_queue_rejects(self):
        channel = self.channel()
        queue = self.declare(
            channel, arguments={"x-max-length": 3, "x-overflow": "reject-publish"}
        )
        channel.confirm_delivery()
        accepted, refused = [], 0
        for number in range(10):
            try:
                channel.basic_publish("", queue, str(number), mandatory=True)
                accepted.append(str(number))
            except NackError as error:
                refused += 1
                self.assertEqual(len(error.messages), 0)
        self.assertEqual((len(accepted), refused), (3, 7))
        self.assertEqual(self.bodies(channel, queue, 1), ["0"])
        wait_for(lambda: self.accepts(channel, queue), "room in the queue")
        self.assertEqual(self.bodies(channel, queue, 3), ["1", "2", "again"])

    @staticmethod
    def accepts(channel, queue):
        try:
            channel.basic_publish("", queue, b"again")
            return True
        except NackError:
            return False

    def test_a_full_queue_drops_its_head(self):
        channel = self.channel()
        queue = self.declare(channel, arguments={"x-max-length": 3})
        self.publish_numbers(queue, 10)
        self.assertEqual(self.bodies(channel, queue, 3), ["7", "8", "9"])
        bytes_queue = self.declare(channel, "bytes", {"x-max-length-bytes": 2})
        self.publish_numbers(bytes_queue, 5)
        self.assertEqual(self.bodies(channel, bytes_queue, 2), ["3", "4"])

    def test_a_missing_exchange_closes_the_channel_only(self):
        channel = self.channel()

        def publish():
            channel.basic_publish("no-such-exchange", "key", b"x")
            channel.flow(True)

        self.assert_refused(404, publish, "no-such-exchange")
        self.assertTrue(channel.is_closed)
        self.declare(channel.connection.channel())

    def test_copies(self):
        channel = self.channel()
        queues = [self.declare(channel, word) for word in ("to", "copy", "blind")]
        headers = {"CC": [queues[1], queues[0]], "BCC": [queues[2]], "kept": 1}
        channel.basic_publish("", queues[0], b"x", BasicProperties(headers=headers))
        for queue in queues:
            properties, body = self.get(channel, queue)
            self.assertEqual(body, b"x")
            self.assertEqual(properties.headers, {"CC": headers["CC"], "kept": 1})
            self.assertEqual(self.ready(channel, queue), 0)
        with self.assertRaises(ChannelClosedByBroker) as refused:
            channel.basic_publish("", queues[0], b"x", BasicProperties(headers={"CC": "text"}))
            self.ready(channel, queues[0])
        self.assertEqual(refused.exception.reply_code, 406)

    def test_transactions(self):
        channel, other = self.channel(), self.channel()
        queue = self.declare(channel)
        channel.tx_select()
        channel.basic_publish("", queue, b"rolled back")
        channel.tx_rollback()
        channel.basic_publish("", queue, b"1")
        channel.basic_publish("", queue, b"2")
        self.assertEqual(self.ready(channel, queue), 0)
        channel.tx_commit()
        self.assertEqual(self.ready(other, queue), 2)
        # An acknowledgement counts once it is committed, too.
        for commit, left in ((False, 2), (True, 1)):
            method, _, body = channel.basic_get(queue)
            self.assertEqual(body, b"1")
            channel.basic_ack(method.delivery_tag)
            if commit:
                channel.tx_commit()
            else:
                channel.tx_rollback()
            channel.close()
            self.wait_for_ready(other, queue, left)
            channel = channel.connection.channel()
            channel.tx_select()
        self.assertEqual(self.bodies(other, queue, 1), ["2"])
        plain = channel.connection.channel()
        self.assert_refused(406, plain.tx_commit)
        confirming = channel.connection.channel()
        confirming.confirm_delivery()
        self.assert_refused(406, confirming.tx_select)

    def test_request_and_reply(self):
        client, server = self.channel(), self.channel()
        queue = self.declare(server)
        _, replies = self.consume(client, "amq.rabbitmq.reply-to", auto_ack=True)

        def answer(channel, method, properties, body):
            self.assertTrue(properties.reply_to.startswith("amq.rabbitmq.reply-to."))
            channel.basic_publish(
                "", properties.reply_to, body.upper(),
                BasicProperties(correlation_id=properties.correlation_id), mandatory=True,
            )  # fmt: skip
            channel.basic_ack(method.delivery_tag)

        server.basic_consume(queue, answer)
        for number in range(20):
            client.basic_publish(
                "", queue, f"call {number}",
                BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id=str(number)),
            )  # fmt: skip

        def all_there():
            server.connection.process_data_events(0)
            return len(replies) == 20

        self.pump(client, all_there, "the replies")
        for number, (method, properties, body) in enumerate(replies):
            self.assertEqual(body.decode(), f"CALL {number}")
            self.assertEqual(properties.correlation_id, str(number))
            self.assertEqual(method.exchange, "")
        self.assert_refused(
            406,
            lambda: self.consume(
                client.connection.channel(), "amq.rabbitmq.reply-to", auto_ack=False
            ),
        )


if __name__ == "__main__":
    unittest.main()
