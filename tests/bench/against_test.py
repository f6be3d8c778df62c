"""What ./dev compare --against makes of its figures."""
import os
import random
import statistics
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench",
                                "studies"))

import against  # noqa: E402


class AgainstTest(unittest.TestCase):
    def test_the_interval_is_the_binomial_one(self):
        """Ranks from tables of the sign test: 1 of 6, 2 of 10, 4 of 15, 6 of 20, 10 of 30."""
        for n, rank in ((6, 1), (10, 2), (15, 4), (20, 6), (30, 10)):
            values = list(range(1, n + 1))
            random.Random(n).shuffle(values)
            self.assertEqual(against.median_interval(values), (rank, n + 1 - rank), n)

    def test_the_interval_has_the_median_in_it_as_often_as_it_says(self):
        dice = random.Random(7)
        hits, tries = 0, 3_000
        for _ in range(tries):
            low, high = against.median_interval([dice.expovariate(1) for _ in range(15)])
            hits += low <= 0.6931 <= high
        self.assertGreater(hits / tries, 0.95)
        self.assertLess(hits / tries, 0.98)

    def test_not_slower_means_that_the_interval_reaches_the_mark(self):
        slower = [0.90 + n / 1000 for n in range(15)]
        self.assertFalse(against.judge(slower)["not_slower"])
        wide = [0.90] * 8 + [0.98] * 7
        self.assertEqual(statistics.median(wide), 0.90)
        self.assertTrue(against.judge(wide)["not_slower"])
        self.assertTrue(against.judge([0.97] * 15)["not_slower"])

    def test_one_wild_round_changes_nothing(self):
        quiet = against.judge([1.0] * 15)
        wild = against.judge([1.0] * 13 + [0.1, 9.0])
        self.assertEqual([quiet[key] for key in ("median", "low", "high")],
                         [wild[key] for key in ("median", "low", "high")])

    def test_both_go_first_equally_often(self):
        self.assertEqual([against.order(number) for number in range(4)],
                         [(0, 1), (1, 0), (0, 1), (1, 0)])

    def test_rows_that_wait_for_the_disk_count_on_tmpfs(self):
        rows = {row.name: row for row in against.all_rows()}
        self.assertFalse(rows["one-in-flight"].counts())
        self.assertTrue(rows["one-in-flight-tmpfs"].counts())
        self.assertTrue(rows["1-1"].counts())
        self.assertTrue(rows["fill"].counts())

    def test_the_table(self):
        row = against.Row("1-1", "a work", [], ["consumed_per_second"], False)
        lines = against.evaluate([row], {("1-1", "consumed_per_second"): [[110, 100]] * 15})
        self.assertIn("| a work | 100 | 110 | 1.100 | 1.100 – 1.100 | not slower |",
                      against.table(lines))


if __name__ == "__main__":
    unittest.main()
