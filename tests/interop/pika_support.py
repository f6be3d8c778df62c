"""What the tests with pika's blocking adapter have in common."""
import functools

from harness import AnyBrokerTest, wait_for

import pika
from pika import BasicProperties
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker


class PikaTest(AnyBrokerTest):
    def connect(self, **parameters):
        all_parameters = pika.URLParameters(self.broker.url)
        for name, value in parameters.items():
            setattr(all_parameters, name, value)
        connection = pika.BlockingConnection(all_parameters)
        self.addCleanup(self.close, connection)
        return connection

    @staticmethod
    def close(connection):
        try:
            if connection.is_open:
                connection.close()
        except AMQPConnectionError:
            pass

    def channel(self, **parameters):
        return self.connect(**parameters).channel()

    def declare(self, channel, word="q", arguments=None, **options):
        return channel.queue_declare(
            self.queue_name(word), arguments=arguments, **options
        ).method.queue

    def declare_exchange(self, channel, word="x", kind="direct", **options):
        channel.exchange_declare(self.exchange_name(word), kind, **options)
        return self.exchange_name(word)

    def ready(self, channel, queue):
        """How many messages wait. What the queue had for this channel has arrived before that."""
        return channel.queue_declare(queue, passive=True).method.message_count

    def wait_for_ready(self, channel, queue, count):
        wait_for(lambda: self.ready(channel, queue) == count, f"{count} messages in {queue}")

    def pump(self, channel, condition, what):
        def look():
            if not condition():
                channel.connection.process_data_events(0.01)
            return condition()

        return wait_for(look, what)

    def consume(self, channel, queue, auto_ack=False, **options):
        """A consumer that only collects: a growing list of (method, properties, body)."""
        received = []
        tag = channel.basic_consume(
            queue, lambda _, *delivery: received.append(delivery), auto_ack, **options
        )
        return tag, received

    def get(self, channel, queue):
        """The next message, acknowledged, as (properties, body)."""

        def try_to():
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            return method and (properties, body)

        return wait_for(try_to, f"a message in {queue}")

    def bodies(self, channel, queue, count):
        return [self.get(channel, queue)[1].decode() for _ in range(count)]

    def assert_refused(self, code, call, *parts):
        with self.assertRaises(ChannelClosedByBroker) as refused:
            call()
        self.assertEqual(refused.exception.reply_code, code)
        for part in parts:
            self.assertIn(part, refused.exception.reply_text)

    @functools.cached_property
    def publisher(self):
        """A channel with confirms: what it sent is in its queue, or with a consumer already. The
        counts of a queue may be older than what was sent without."""
        channel = self.channel()
        channel.confirm_delivery()
        return channel

    def publish(self, queue, body, exchange="", **properties):
        self.publisher.basic_publish(exchange, queue, body, BasicProperties(**properties))

    def publish_numbers(self, queue, count):
        for number in range(count):
            self.publish(queue, str(number))
