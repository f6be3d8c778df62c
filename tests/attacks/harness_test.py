"""A daemon that stands still, grows, ends or loses something does not pass for one that is well."""
import glob
import os
import signal
import time
import unittest

import judging
import scene
from scene import Attack

scene.slow_down(4)  # other tests may run beside


def judge(run, **how):
    wrong, _, _ = judging.run(Attack("a test", run, [], **how))
    return " / ".join(wrong)


class HarnessTest(unittest.TestCase):
    def test_nothing_is_wrong(self):
        self.assertEqual(judge(lambda own: own.client().sync()), "")

    def test_it_stands_still(self):
        def stop(own):
            own.broker.program.signal(signal.SIGSTOP)
            time.sleep(0.6 * scene.SLOWER)
            own.broker.program.signal(signal.SIGCONT)
        wrong = judge(stop)
        for name in ("confirm", "delivery", "round_trip"):
            self.assertIn(f"{name} of others", wrong)

    def test_it_is_too_large(self):
        if not scene.SANITIZED:
            self.assertIn("MiB resident", judge(lambda _: None, memory_mib=1))

    def test_it_ends(self):
        wrong = judge(lambda own: own.broker.program.signal(signal.SIGKILL) or time.sleep(0.2))
        self.assertIn("has ended with -9", wrong)
        self.assertIn("the connection is gone", wrong)

    def test_it_takes_for_ever(self):
        self.assertIn("not over", judge(lambda _: time.sleep(60), bound_s=8 / scene.SLOWER))

    def test_it_loses_what_was_confirmed(self):
        def lose(scene):
            scene.kept.append("a message that never was")
        self.assertIn("a confirmed message is gone", judge(lose))

    def test_it_is_damaged(self):
        def damage(scene):
            scene.end_probe()
            with open(glob.glob(os.path.join(scene.data, "vhosts/*/*.seg"))[0], "r+b") as file:
                file.seek(100)
                file.write(b"x" * 100)
        self.assertIn("--check ends with 1", judge(damage))


if __name__ == "__main__":
    unittest.main()
