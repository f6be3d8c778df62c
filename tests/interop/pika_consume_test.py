"""What pika's blocking adapter can do, against Haypile or any broker: consuming, priorities, and
messages that expire or die. Packages and brokers as in pika_test.py.
"""
import datetime
import unittest

from harness import PATIENCE, haypile_only, wait_for
from pika_support import PikaTest

from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker


class Consuming(PikaTest):
    def test_get(self):
        channel = self.channel()
        queue = self.declare(channel)
        self.assertEqual(channel.basic_get(queue), (None, None, None))
        self.publish_numbers(queue, 3)
        method, _, body = channel.basic_get(queue)
        self.assertEqual(
            (method.message_count, method.exchange, method.routing_key, method.redelivered, body),
            (2, "", queue, False, b"0"),
        )
        channel.basic_ack(method.delivery_tag)
        self.assertEqual(channel.basic_get(queue, auto_ack=True)[2], b"1")
        self.assertEqual(channel.basic_get(queue)[2], b"2")
        self.assertEqual(channel.basic_get(queue), (None, None, None))
        channel.close()
        other = channel.connection.channel()
        self.wait_for_ready(other, queue, 1)
        method, _, body = other.basic_get(queue)
        self.assertEqual((method.redelivered, body), (True, b"2"))
        self.assert_refused(404, lambda: other.basic_get("no-such-queue"), "no-such-queue")

    @haypile_only
    def test_properties_that_do_not_fit_into_a_frame(self):
        wide, small = self.channel(), self.channel(frame_max=4096)
        queue = self.declare(wide)
        _, received = self.consume(small, queue)
        large = BasicProperties(headers={"h": "x" * 5000})
        self.publisher.basic_publish("", queue, b"large", large)
        self.pump(small, lambda: small.is_closed, "the refusal")
        self.publisher.basic_publish("", queue, b"next")
        again = small.connection.channel()
        self.assertEqual(again.basic_get(queue)[2], b"next")
        method, properties, body = wide.basic_get(queue)
        self.assertEqual((method.redelivered, properties, body), (False, large, b"large"))
        self.assertEqual(received, [])

    def test_acknowledgements(self):
        channel = self.channel()
        queue = self.declare(channel)
        tag, received = self.consume(channel, queue)
        self.publish_numbers(queue, 10)
        self.pump(channel, lambda: len(received) == 10, "the messages")
        tags = [method.delivery_tag for method, _, _ in received]
        self.assertEqual(tags, list(range(1, 11)))
        self.assertEqual({method.consumer_tag for method, _, _ in received}, {tag})
        channel.basic_ack(2)
        channel.basic_ack(5, multiple=True)  # 1, 3, 4, 5
        channel.basic_nack(7, multiple=True)  # 6 and 7 come again
        self.pump(channel, lambda: len(received) == 12, "what was given back")
        self.assertEqual([body.decode() for _, _, body in received[10:]], ["5", "6"])
        self.assertTrue(all(method.redelivered for method, _, _ in received[10:]))
        channel.basic_nack(8, requeue=False)
        channel.basic_reject(9, requeue=False)
        channel.basic_reject(10, requeue=True)
        self.pump(channel, lambda: len(received) == 13, "the rejected one")
        self.assertEqual(received[12][2], b"9")
        channel.basic_ack(0, multiple=True)
        channel.close()
        self.assertEqual(self.ready(channel.connection.channel(), queue), 0)

    def test_a_tag_counts_once(self):
        channel = self.channel()
        queue = self.declare(channel)
        self.publish_numbers(queue, 1)
        method, _, _ = channel.basic_get(queue)
        channel.basic_ack(method.delivery_tag)

        def again():
            channel.basic_ack(method.delivery_tag)
            self.ready(channel, queue)

        self.assert_refused(406, again, "unknown delivery tag 1")

    def test_given_back_in_its_place(self):
        channel, other = self.channel(), self.channel()
        queue = self.declare(channel)
        self.publish_numbers(queue, 6)
        taken = [channel.basic_get(queue)[0] for _ in range(4)]
        for method in (taken[2], taken[0]):
            channel.basic_reject(method.delivery_tag)
        channel.close()  # 1 and 3 as well
        self.wait_for_ready(other, queue, 6)
        self.assertEqual(self.bodies(other, queue, 6), list("012345"))

    def test_recover(self):
        channel = self.channel()
        queue = self.declare(channel)
        _, received = self.consume(channel, queue)
        self.publish_numbers(queue, 3)
        self.pump(channel, lambda: len(received) == 3, "the messages")
        channel.basic_recover(requeue=True)
        self.pump(channel, lambda: len(received) == 6, "them again")
        self.assertEqual([body for _, _, body in received[3:]], [b"0", b"1", b"2"])
        self.assertTrue(all(method.redelivered for method, _, _ in received[3:]))

    def test_no_acknowledgement_needed(self):
        channel = self.channel()
        queue = self.declare(channel)
        channel.basic_qos(prefetch_count=1)  # does not concern it
        _, received = self.consume(channel, queue, auto_ack=True)
        self.publish_numbers(queue, 50)
        self.pump(channel, lambda: len(received) == 50, "the messages")
        channel.close()
        self.assertEqual(self.ready(channel.connection.channel(), queue), 0)

    def test_prefetch_of_each_consumer(self):
        channel = self.channel()
        queue = self.declare(channel)
        channel.basic_qos(prefetch_count=2)
        _, first = self.consume(channel, queue)
        channel.basic_qos(prefetch_count=3)  # for the next ones
        _, second = self.consume(channel, queue)
        self.publish_numbers(queue, 10)
        self.assertEqual(self.ready(channel, queue), 5)
        channel.connection.process_data_events(0)
        self.assertEqual((len(first), len(second)), (2, 3))
        channel.basic_ack(first[1][0].delivery_tag)
        self.pump(channel, lambda: len(first) == 3, "one more")
        self.assertEqual(self.ready(channel, queue), 4)
        channel.connection.process_data_events(0)
        self.assertEqual((len(first), len(second)), (3, 3))

    def test_prefetch_of_the_channel(self):
        channel = self.channel()
        queue, other = self.declare(channel), self.declare(channel, "other")
        channel.basic_qos(prefetch_count=3, global_qos=True)
        _, received = self.consume(channel, queue)
        _, more = self.consume(channel, other)
        self.publish_numbers(queue, 5)
        self.publish_numbers(other, 5)
        self.pump(channel, lambda: len(received + more) >= 3, "three")
        self.assertEqual(self.ready(channel, queue) + self.ready(channel, other), 7)
        channel.connection.process_data_events(0)
        self.assertEqual(len(received + more), 3)
        channel.basic_ack(0, multiple=True)
        self.pump(channel, lambda: len(received + more) == 6, "three more")
        channel.basic_qos(prefetch_count=10, global_qos=True)
        self.pump(channel, lambda: len(received + more) == 10, "all")

    def test_cancel_with_pending_messages(self):
        channel = self.channel()
        queue = self.declare(channel)
        for auto_ack in (False, True):
            with self.subTest(auto_ack=auto_ack):
                tag, received = self.consume(channel, queue, auto_ack)
                self.publish_numbers(queue, 5)
                self.wait_for_ready(channel, queue, 0)  # pika holds them, nobody was called
                pending = channel.basic_cancel(tag)
                self.assertEqual(received, [])
                if auto_ack:
                    self.assertEqual([int(body) for _, _, body in pending], list(range(5)))
                else:  # pika gives them back itself
                    self.assertEqual(pending, [])
                    self.assertEqual(self.bodies(channel, queue, 5), list("01234"))
                self.assertEqual(self.ready(channel, queue), 0)

    def test_nothing_after_cancel_and_what_is_unacked_stays(self):
        channel = self.channel()
        queue = self.declare(channel)
        tag, received = self.consume(channel, queue)
        self.publish_numbers(queue, 2)
        self.pump(channel, lambda: len(received) == 2, "both")
        channel.basic_cancel(tag)
        self.publish(queue, b"late")
        self.assertEqual(self.ready(channel, queue), 1)
        channel.connection.process_data_events(0)
        self.assertEqual(len(received), 2)
        channel.basic_ack(2, multiple=True)
        self.assertEqual(self.bodies(channel, queue, 1), ["late"])

    def test_the_broker_cancels(self):
        channel = self.channel()
        queue = self.declare(channel)
        cancelled = []
        channel.add_on_cancel_callback(cancelled.append)
        tag, _ = self.consume(channel, queue)
        self.channel().queue_delete(queue)
        self.pump(channel, lambda: cancelled, "basic.cancel")
        self.assertEqual(cancelled[0].method.consumer_tag, tag)
        self.assertEqual(channel.consumer_tags, [])
        self.declare(channel)

    def test_generator(self):
        channel = self.channel()
        queue = self.declare(channel)
        self.publish_numbers(queue, 10)
        self.wait_for_ready(channel, queue, 10)
        got = []
        for method, _, body in channel.consume(queue, inactivity_timeout=PATIENCE):
            got.append(body.decode())
            channel.basic_ack(method.delivery_tag)
            if len(got) == 4:
                break
        self.assertEqual(got, list("0123"))
        channel.cancel()
        self.wait_for_ready(channel, queue, 6)
        idle = 0
        for method, _, body in channel.consume(queue, inactivity_timeout=0.2, auto_ack=True):
            if method is None:
                idle += 1
                if idle == 2:
                    break
            else:
                got.append(body.decode())
        self.assertEqual(got, [str(number) for number in range(10)])
        self.assertEqual(channel.cancel(), 0)

    def test_exclusive_consumer(self):
        channel, other = self.channel(), self.channel()
        queue = self.declare(channel)
        tag, _ = self.consume(channel, queue, exclusive=True)
        self.assert_refused(403, lambda: self.consume(other, queue), queue)
        channel.basic_cancel(tag)
        self.consume(other.connection.channel(), queue)
        self.assert_refused(403, lambda: self.consume(channel, queue, exclusive=True), queue)

    def test_single_active_consumer(self):
        queue = self.declare(self.channel(), arguments={"x-single-active-consumer": True})
        first, second = self.channel(), self.channel()
        tag, received = self.consume(first, queue)
        _, heirs = self.consume(second, queue)
        self.publish_numbers(queue, 5)
        self.pump(first, lambda: len(received) == 5, "all of them")
        first.basic_ack(2, multiple=True)
        self.assertEqual(self.ready(second, queue), 0)
        second.connection.process_data_events(0)
        self.assertEqual(heirs, [])
        first.basic_cancel(tag)  # the other one takes over, without what is unacknowledged
        self.publish_numbers(queue, 1)
        self.pump(second, lambda: len(heirs) == 1, "the new message")
        first.connection.close()
        self.pump(second, lambda: len(heirs) == 4, "what the first one had")
        self.assertEqual([body.decode() for _, _, body in heirs[1:]], ["2", "3", "4"])

    def test_consumer_priorities(self):
        channel = self.channel()
        queue = self.declare(channel)
        channel.basic_qos(prefetch_count=2)
        _, low = self.consume(channel, queue)
        _, high = self.consume(channel, queue, arguments={"x-priority": 10})
        self.publish_numbers(queue, 5)
        self.assertEqual(self.ready(channel, queue), 1)
        channel.connection.process_data_events(0)
        self.assertEqual([body for _, _, body in high], [b"0", b"1"])
        self.assertEqual([body for _, _, body in low], [b"2", b"3"])

    def test_stop_consuming_from_a_callback(self):
        channel = self.channel()
        queue = self.declare(channel)
        self.publish_numbers(queue, 10)
        got = []

        def on_message(_, method, __, body):
            got.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(got) == 3:
                channel.stop_consuming()

        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue, on_message)
        channel.start_consuming()
        self.assertEqual(len(got), 3)
        self.wait_for_ready(channel, queue, 7)


class Deadlines(PikaTest):
    def dead_letters(self, channel, arguments, **options):
        """A queue whose dead messages go to another one, by way of a fanout exchange."""
        exchange = self.declare_exchange(channel, "dlx", "fanout")
        graves = self.declare(channel, "graves")
        channel.queue_bind(graves, exchange)
        arguments = {"x-dead-letter-exchange": exchange, **arguments}
        return self.declare(channel, arguments=arguments, **options), graves

    def check_death(self, properties, queue, reason, count=1, **more):
        death = properties.headers["x-death"][0]
        self.assertEqual((death["queue"], death["reason"], death["count"]), (queue, reason, count))
        self.assertEqual((death["exchange"], death["routing-keys"]), ("", [queue]))
        self.assertIsInstance(death["time"], datetime.datetime)
        self.assertEqual(properties.headers["x-first-death-queue"], queue)
        self.assertEqual(properties.headers["x-first-death-reason"], reason)
        self.assertEqual(properties.headers["x-first-death-exchange"], "")
        for key, value in more.items():
            self.assertEqual(death[key], value)

    def test_a_message_expires(self):
        channel = self.channel()
        queue, graves = self.dead_letters(channel, {})
        channel.basic_publish("", queue, b"x", BasicProperties(expiration="50", priority=3))
        properties, body = self.get(channel, graves)
        self.assertEqual((body, properties.expiration, properties.priority), (b"x", None, 3))
        self.check_death(properties, queue, "expired", **{"original-expiration": "50"})
        self.assertEqual(self.ready(channel, queue), 0)
        channel.basic_publish("", queue, b"x", BasicProperties(expiration="soon"))
        self.assert_refused(406, lambda: self.ready(channel, queue), "soon")

    def test_a_queue_has_a_time_to_live(self):
        channel = self.channel()
        queue, graves = self.dead_letters(
            channel, {"x-message-ttl": 50, "x-dead-letter-routing-key": "key"}
        )
        self.publish_numbers(queue, 3)
        for number in range(3):
            properties, body = self.get(channel, graves)
            self.assertEqual(body.decode(), str(number))
            self.check_death(properties, queue, "expired")
        none = self.declare(channel, "none", {"x-message-ttl": 0})
        channel.basic_publish("", none, b"nobody takes it")
        self.wait_for_ready(channel, none, 0)
        _, received = self.consume(channel, none)
        channel.basic_publish("", none, b"taken")
        self.pump(channel, lambda: received, "a message that a consumer waits for")

    def test_an_unused_queue_expires_and_a_used_one_does_not(self):
        # Declaring a queue would prolong its life, binding it does not.
        channel, other = self.channel(), self.channel()
        queue = self.declare(channel, arguments={"x-expires": 100})
        unused = self.declare(channel, "unused", {"x-expires": 300})
        self.consume(channel, queue)

        def gone():
            try:
                other.queue_bind(unused, "amq.direct", "key")
            except ChannelClosedByBroker as error:
                return error.reply_code == 404

        wait_for(gone, "the end of an unused queue")
        self.assertEqual(self.ready(channel, queue), 0)

    def test_a_rejected_message_and_a_full_queue(self):
        channel = self.channel()
        queue, graves = self.dead_letters(channel, {"x-max-length": 2})
        self.publish_numbers(queue, 3)
        properties, body = self.get(channel, graves)
        self.assertEqual(body, b"0")
        self.check_death(properties, queue, "maxlen")
        method, _, _ = channel.basic_get(queue)
        channel.basic_nack(method.delivery_tag, requeue=False)
        properties, body = self.get(channel, graves)
        self.assertEqual(body, b"1")
        self.check_death(properties, queue, "rejected")

    def test_retries_with_a_delay(self):
        """Rejected to a queue where it waits, expired back to where it came from."""
        channel = self.channel()
        queue, delay = self.queue_name(), self.queue_name("delay")
        channel.queue_declare(queue, arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": delay,
        })  # fmt: skip
        channel.queue_declare(delay, arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, "x-message-ttl": 20,
        })  # fmt: skip
        _, received = self.consume(channel, queue)
        channel.basic_publish("", queue, b"task")
        for attempt in range(4):
            self.pump(channel, lambda: len(received) > attempt, "the next attempt")
            method, properties, _ = received[attempt]
            self.assertFalse(method.redelivered)
            if attempt:
                deaths = properties.headers["x-death"]
                self.assertEqual(
                    [(death["queue"], death["reason"], death["count"]) for death in deaths],
                    [(delay, "expired", attempt), (queue, "rejected", attempt)],
                )
            channel.basic_reject(method.delivery_tag, requeue=False)

    def test_a_circle_without_a_rejection_ends(self):
        channel = self.channel()
        queue = self.queue_name()
        channel.queue_declare(queue, arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, "x-message-ttl": 20,
        })  # fmt: skip
        channel.basic_publish("", queue, b"x")
        self.wait_for_ready(channel, queue, 0)
        channel.basic_publish("", queue, b"y", BasicProperties(headers={"CC": ["nowhere"]}))
        self.wait_for_ready(channel, queue, 0)

    def test_priorities(self):
        channel = self.channel()
        queue = self.declare(channel, arguments={"x-max-priority": 5})
        for body, priority in (("a0", None), ("b3", 3), ("c5", 5), ("d9", 9), ("e3", 3), ("f0", 0)):
            channel.basic_publish("", queue, body, BasicProperties(priority=priority))
        self.assertEqual(
            self.bodies(channel, queue, 6), ["c5", "d9", "b3", "e3", "a0", "f0"]
        )

    def test_a_limit_of_deliveries(self):
        channel = self.channel()
        queue, graves = self.dead_letters(
            channel, {"x-queue-type": "quorum", "x-delivery-limit": 2}, durable=True
        )
        channel.confirm_delivery()
        channel.basic_publish("", queue, b"poison")
        _, received = self.consume(channel, queue)
        counts = []
        for attempt in range(3):
            self.pump(channel, lambda: len(received) > attempt, "the next delivery")
            method, properties, _ = received[attempt]
            counts.append((properties.headers or {}).get("x-delivery-count"))
            self.assertEqual(method.redelivered, attempt > 0)
            channel.basic_reject(method.delivery_tag, requeue=True)
        self.assertEqual(counts, [None, 1, 2])
        properties, body = self.get(channel, graves)
        self.assertEqual(body, b"poison")
        self.check_death(properties, queue, "delivery_limit")


if __name__ == "__main__":
    unittest.main()
