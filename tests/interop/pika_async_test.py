"""The same broker through pika's asynchronous adapters: SelectConnection and AsyncioConnection.

Packages and brokers as in pika_test.py; against RabbitMQ 3.10 all of it passes.

A test is a generator that yields what it waits for: a function that gets a callback, whose
arguments come back from the yield, or a condition (see until).
"""
import asyncio
import unittest

from harness import PATIENCE, AnyBrokerTest

import pika
from pika import BasicProperties
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.exceptions import ChannelClosedByClient, ConnectionClosedByClient
from pika.spec import Basic, Confirm, Exchange, Queue, Tx


class Run:
    """Runs one generator in the loop of a connection."""

    def __init__(self, connect, loop, url, script):
        self.loop = loop
        self.error = None
        self.ended = False
        self.closed = None  # why the connection closed
        self.expects_errors = False
        self.script = script(self)
        self.waits_for = "the connection to open"
        self.connection = connect(
            pika.URLParameters(url),
            on_open_callback=lambda _: self.go_on(None),
            on_open_error_callback=lambda _, error: self.end(error),
            on_close_callback=self.on_close,
            custom_ioloop=loop,
        )

    def go_on(self, value):
        if self.ended:
            return
        try:
            step = self.script.send(value)
        except StopIteration:
            self.end(None)
        except Exception as error:  # an assertion most of all
            self.end(error)
        else:
            self.waits_for = step
            step(self.later)

    def later(self, *results):
        """pika forgets a channel or tag that ended only after it has called back."""
        value = results[0] if len(results) == 1 else results
        self.connection._adapter_call_later(0, lambda: self.go_on(value))

    def until(self, condition):
        def step(done):
            if condition():
                done(None)
            else:
                self.connection._adapter_call_later(0.01, lambda: step(done))

        return step

    def open_channel(self, done):
        def opened(channel):
            channel.add_on_close_callback(lambda _, reason: self.failed(reason))
            done(channel)

        self.connection.channel(on_open_callback=opened)

    def failed(self, reason):
        expected = isinstance(reason, (ChannelClosedByClient, ConnectionClosedByClient))
        if not expected and not self.expects_errors:
            self.end(reason)

    def end(self, error):
        if self.ended:
            return
        self.ended, self.error = True, error
        if self.closed is None and self.connection.is_open:
            self.connection.close()
        else:
            self.stop()

    def on_close(self, _, reason):
        self.closed = reason
        self.failed(reason)
        if self.ended:
            self.stop()

    def stop(self):
        self.loop.stop()

    def out_of_patience(self):
        self.error = self.error or AssertionError(f"waited in vain for {self.waits_for}")
        self.ended = True
        self.stop()


class Scripts:
    """What both adapters are tested with."""

    def run_script(self, script):
        run = self.start_run(script)
        if run.error:
            raise run.error

    def test_declare_bind_unbind_delete(self):
        def script(run):
            channel = yield run.open_channel
            queue, exchange = self.queue_name(), self.exchange_name()
            other = self.exchange_name("other")
            for expected, step in (
                (Exchange.DeclareOk, lambda done: channel.exchange_declare(
                    exchange, "topic", callback=done)),
                (Exchange.DeclareOk, lambda done: channel.exchange_declare(
                    other, "fanout", durable=True, callback=done)),
                (Queue.DeclareOk, lambda done: channel.queue_declare(queue, callback=done)),
                (Queue.DeclareOk, lambda done: channel.queue_declare(
                    queue, passive=True, callback=done)),
                (Queue.BindOk, lambda done: channel.queue_bind(
                    queue, exchange, "a.*", callback=done)),
                (Exchange.BindOk, lambda done: channel.exchange_bind(
                    exchange, other, "#", callback=done)),
                (Exchange.UnbindOk, lambda done: channel.exchange_unbind(
                    exchange, other, "#", callback=done)),
                (Queue.UnbindOk, lambda done: channel.queue_unbind(
                    queue, exchange, "a.*", callback=done)),
                (Queue.PurgeOk, lambda done: channel.queue_purge(queue, callback=done)),
                (Queue.DeleteOk, lambda done: channel.queue_delete(queue, callback=done)),
                (Exchange.DeleteOk, lambda done: channel.exchange_delete(other, callback=done)),
                (Exchange.DeleteOk, lambda done: channel.exchange_delete(
                    exchange, callback=done)),
            ):  # fmt: skip
                frame = yield step
                self.assertIsInstance(frame.method, expected)

        self.run_script(script)

    def test_without_waiting(self):
        """pika sends no_wait when there is no callback."""

        def script(run):
            channel = yield run.open_channel
            queue, exchange = self.queue_name(), self.exchange_name()
            channel.exchange_declare(exchange, "fanout")
            channel.queue_declare(queue)
            channel.queue_bind(queue, exchange)
            got = []
            tag = channel.basic_consume(queue, lambda *delivery: got.append(delivery), True)
            for number in range(100):
                channel.basic_publish(exchange, "", str(number))
            yield run.until(lambda: len(got) == 100)
            self.assertEqual([int(body) for *_, body in got], list(range(100)))
            channel.basic_cancel(tag)
            channel.queue_unbind(queue, exchange, callback=None, routing_key="")
            channel.queue_purge(queue)
            channel.exchange_delete(exchange)
            channel.queue_delete(queue)
            frame = yield lambda done: channel.queue_declare(queue, callback=done)
            self.assertEqual(frame.method.message_count, 0)

        self.run_script(script)

    def test_publish_with_confirms_and_consume(self):
        def script(run):
            channel, consumer = (yield run.open_channel), (yield run.open_channel)
            queue = self.queue_name()
            yield lambda done: channel.queue_declare(queue, durable=True, callback=done)
            confirmed, answers, got = set(), [], []

            def on_confirm(frame):
                method = frame.method
                answers.append(method)
                first = 1 if method.multiple else method.delivery_tag
                confirmed.update(range(first, method.delivery_tag + 1))

            frame = yield lambda done: channel.confirm_delivery(on_confirm, callback=done)
            self.assertIsInstance(frame.method, Confirm.SelectOk)

            def on_message(_, method, properties, body):
                got.append(body.decode())
                consumer.basic_ack(method.delivery_tag)

            yield lambda done: consumer.basic_qos(prefetch_count=10, callback=done)
            yield lambda done: consumer.basic_consume(queue, on_message, callback=done)
            for number in range(500):
                channel.basic_publish("", queue, str(number), BasicProperties(delivery_mode=2))
            yield run.until(lambda: len(got) == 500 and len(confirmed) == 500)
            self.assertEqual(got, [str(number) for number in range(500)])
            self.assertEqual(confirmed, set(range(1, 501)))
            self.assertTrue(all(isinstance(answer, Basic.Ack) for answer in answers))

        self.run_script(script)

    def test_a_full_queue_nacks(self):
        def script(run):
            channel = yield run.open_channel
            queue = self.queue_name()
            arguments = {"x-max-length": 2, "x-overflow": "reject-publish"}
            yield lambda done: channel.queue_declare(queue, arguments=arguments, callback=done)
            acked, nacked = set(), set()

            def on_confirm(frame):
                answers = acked if isinstance(frame.method, Basic.Ack) else nacked
                tag = frame.method.delivery_tag
                known = acked | nacked
                first = 1 if frame.method.multiple else tag
                answers.update(set(range(first, tag + 1)) - known)

            yield lambda done: channel.confirm_delivery(on_confirm, callback=done)
            for number in range(5):
                channel.basic_publish("", queue, str(number))
                yield run.until(lambda: len(acked | nacked) == number + 1)
            self.assertEqual((acked, nacked), ({1, 2}, {3, 4, 5}))

        self.run_script(script)

    def test_mandatory_comes_back_before_its_confirm(self):
        def script(run):
            channel = yield run.open_channel
            events = []
            channel.add_on_return_callback(
                lambda _, method, __, body: events.append((method.reply_code, body))
            )
            yield lambda done: channel.confirm_delivery(
                lambda frame: events.append(type(frame.method)), callback=done
            )
            channel.basic_publish("amq.direct", "nowhere", b"x", mandatory=True)
            yield run.until(lambda: len(events) == 2)
            self.assertEqual(events, [(312, b"x"), Basic.Ack])

        self.run_script(script)

    def test_get_and_give_back(self):
        def script(run):
            channel = yield run.open_channel
            queue = self.queue_name()
            yield lambda done: channel.queue_declare(queue, callback=done)
            empty = []
            channel.add_callback(empty.append, [Basic.GetEmpty], one_shot=False)
            channel.basic_get(queue, lambda *_: self.fail("there was nothing to get"))
            yield run.until(lambda: empty)
            channel.basic_publish("", queue, b"x")
            for redelivered in (False, True):
                _, method, _, body = yield lambda done: channel.basic_get(queue, done)
                self.assertEqual((body, method.redelivered), (b"x", redelivered))
                channel.basic_nack(method.delivery_tag)
            frame = yield lambda done: channel.basic_recover(requeue=True, callback=done)
            self.assertIsInstance(frame.method, Basic.RecoverOk)

        self.run_script(script)

    def test_cancel_by_either_side(self):
        def script(run):
            channel = yield run.open_channel
            queue = self.queue_name()
            yield lambda done: channel.queue_declare(queue, callback=done)
            tag = channel.basic_consume(queue, lambda *_: None)
            frame = yield lambda done: channel.basic_cancel(tag, callback=done)
            self.assertEqual(frame.method.consumer_tag, tag)
            tag = channel.basic_consume(queue, lambda *_: None, consumer_tag=tag)
            cancelled = []
            channel.add_on_cancel_callback(cancelled.append)
            other = yield run.open_channel
            yield lambda done: other.queue_delete(queue, callback=done)
            yield run.until(lambda: cancelled)
            self.assertEqual(cancelled[0].method.consumer_tag, tag)
            self.assertEqual(channel.consumer_tags, [])

        self.run_script(script)

    def test_transactions(self):
        def script(run):
            channel = yield run.open_channel
            queue = self.queue_name()
            yield lambda done: channel.queue_declare(queue, callback=done)
            frame = yield lambda done: channel.tx_select(callback=done)
            self.assertIsInstance(frame.method, Tx.SelectOk)
            channel.basic_publish("", queue, b"rolled back")
            frame = yield lambda done: channel.tx_rollback(callback=done)
            self.assertIsInstance(frame.method, Tx.RollbackOk)
            channel.basic_publish("", queue, b"committed")
            frame = yield lambda done: channel.tx_commit(callback=done)
            self.assertIsInstance(frame.method, Tx.CommitOk)
            _, _, _, body = yield lambda done: channel.basic_get(queue, done, auto_ack=True)
            self.assertEqual(body, b"committed")

        self.run_script(script)

    def test_a_closed_channel_and_a_closed_connection(self):
        def script(run):
            channel = yield run.open_channel
            number = channel.channel_number
            run.expects_errors = True

            def misuse(done):
                channel.add_on_close_callback(done)
                channel.basic_publish("no-such-exchange", "key", b"x")

            _, reason = yield misuse
            self.assertEqual(reason.reply_code, 404)
            again = yield lambda done: run.connection.channel(number, on_open_callback=done)
            again.close()
            yield run.until(lambda: again.is_closed)
            third = yield run.open_channel
            third.basic_recover(requeue=False)
            yield run.until(lambda: run.closed)
            self.assertEqual(run.closed.reply_code, 540)

        self.run_script(script)

    def test_request_and_reply(self):
        def script(run):
            client, server = (yield run.open_channel), (yield run.open_channel)
            queue = self.queue_name()
            yield lambda done: server.queue_declare(queue, callback=done)

            def answer(_, method, properties, body):
                server.basic_publish("", properties.reply_to, b"re: " + body)

            yield lambda done: server.basic_consume(queue, answer, True, callback=done)
            replies = []
            yield lambda done: client.basic_consume(
                "amq.rabbitmq.reply-to",
                lambda *delivery: replies.append(delivery[3]),
                auto_ack=True,
                callback=done,
            )
            for number in range(3):
                client.basic_publish(
                    "", queue, str(number), BasicProperties(reply_to="amq.rabbitmq.reply-to")
                )
            yield run.until(lambda: len(replies) == 3)
            self.assertEqual(replies, [b"re: 0", b"re: 1", b"re: 2"])

        self.run_script(script)


class Select(Scripts, AnyBrokerTest):
    def start_run(self, script):
        loop = IOLoop()
        run = Run(SelectConnection, loop, self.broker.url, script)
        loop.call_later(PATIENCE, run.out_of_patience)
        loop.start()
        loop.close()
        return run


class Asyncio(Scripts, AnyBrokerTest):
    def start_run(self, script):
        loop = asyncio.new_event_loop()
        run = Run(AsyncioConnection, loop, self.broker.url, script)
        loop.call_later(PATIENCE, run.out_of_patience)
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        return run


if __name__ == "__main__":
    unittest.main()
