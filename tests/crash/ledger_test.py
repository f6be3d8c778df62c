"""The ledger notices what a broker could do wrong."""
import unittest

from ledger import Ledger, Violation, make_body

SIZE = 100


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.ledger = Ledger(["plain", "work", "dead", "left", "right"])

    def send(self, *keys, queues=("plain",), confirm=True):
        for key in keys:
            self.ledger.sent(key, queues, SIZE)
            if confirm:
                self.ledger.confirmed(key, queues)

    def deliver(self, key, queue="plain", redelivered=False):
        return self.ledger.delivered(queue, redelivered, make_body(key, 0, SIZE))

    def audit(self, redelivered=True, **found):
        self.ledger.audit({
            queue: [(redelivered, make_body(key, 0, SIZE)) for key in found.get(queue, [])]
            for queue in self.ledger.copies
        })  # fmt: skip
        self.ledger.returned()

    def refused(self, part):
        return self.assertRaisesRegex(Violation, part)

    def test_nothing_against_a_good_broker(self):
        self.send(1, 2, 3)
        self.send(4, 5, confirm=False)
        self.deliver(1)
        self.ledger.settled("plain", 1, "ack")
        self.ledger.ended("kill")
        self.audit(plain=[2, 3, 4])
        self.ledger.ended("quiet")
        self.audit(plain=[2, 3, 4])
        self.deliver(2, redelivered=True)

    def test_lost(self):
        self.send(1, 2)
        self.ledger.ended("kill")
        with self.refused("message 1 .* is lost"):
            self.audit(plain=[2])

    def test_counts(self):
        self.send(1, 2)
        self.send(3, confirm=False)
        self.deliver(1)
        self.ledger.settled("plain", 1, "ack")
        self.assertEqual(self.ledger.bounds("plain"), (1, 3))

    def test_a_hole_in_what_was_not_confirmed(self):
        self.send(1, 2, queues=("left", "right"), confirm=False)
        self.ledger.ended("kill")
        with self.refused("message 1 .* is lost, but message 2"):
            self.audit(left=[2], right=[2])

    def test_twice(self):
        self.send(1)
        self.deliver(1)
        with self.refused("twice"):
            self.deliver(1, redelivered=True)

    def test_order(self):
        self.send(1, 2)
        self.ledger.ended("kill")
        with self.refused("behind a later one"):
            self.audit(plain=[2, 1])

    def test_places_of_different_publishers(self):
        first, second = 1, 1 << 32 | 1
        self.send(first, second)
        self.ledger.ended("kill")
        self.audit(plain=[first, second])
        self.ledger.ended("kill")
        with self.refused("changed its place"):
            self.audit(plain=[second, first])

    def test_came_back(self):
        self.send(1)
        self.deliver(1)
        self.ledger.settled("plain", 1, "ack")
        with self.refused("after its ack"):
            self.deliver(1, redelivered=True)
        self.ledger.settled_for_sure([("plain", 1)])
        self.ledger.ended("kill")
        with self.refused("acknowledged for sure"):
            self.audit(plain=[1])

    def test_an_ack_that_was_not_certain(self):
        self.send(1)
        self.deliver(1)
        self.ledger.settled("plain", 1, "ack")
        self.ledger.ended("kill")
        self.audit(plain=[1])

    def test_acked_before_a_quiet_stop(self):
        self.send(1)
        self.deliver(1)
        self.ledger.settled("plain", 1, "ack")
        self.ledger.ended("quiet")
        with self.refused("acknowledged for sure"):
            self.audit(plain=[1])

    def test_found_missing_and_there_again(self):
        self.send(1, confirm=False)
        self.ledger.ended("kill")
        self.audit()
        with self.refused("found missing before"):
            self.deliver(1, redelivered=True)

    def test_redelivered(self):
        self.send(1)
        self.ledger.ended("quiet")
        with self.refused("is marked redelivered"):
            self.deliver(1, redelivered=True)
        self.ledger.ended("kill")
        with self.refused("not marked redelivered"):
            self.deliver(1)

    def test_damaged(self):
        self.send(1)
        body = bytearray(make_body(1, 0, SIZE))
        body[50] ^= 1
        with self.refused("damaged"):
            self.ledger.delivered("plain", False, bytes(body))
        with self.refused("bytes in place of"):
            self.ledger.delivered("plain", False, make_body(1, 0, SIZE - 1))

    def reject(self):
        self.send(1, queues=("work",))
        self.deliver(1, "work")
        self.ledger.settled("work", 1, "reject")

    def test_a_dead_letter_is_in_one_place(self):
        for place in ("work", "dead"):
            self.setUp()
            self.reject()
            self.ledger.ended("kill")
            self.audit(**{place: [1]})

    def test_a_dead_letter_in_none(self):
        self.reject()
        self.ledger.ended("kill")
        with self.refused("neither in 'work' nor in 'dead'"):
            self.audit()

    def test_a_dead_letter_in_both(self):
        self.reject()
        self.ledger.ended("kill")
        with self.refused("in 'dead'"):
            self.audit(work=[1], dead=[1])


if __name__ == "__main__":
    unittest.main()
