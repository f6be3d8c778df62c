"""For tests with other clients, which can run against any broker: HAYPILE_TEST_URI names it."""
import os
import subprocess
import sys

from harness import BrokerTest

# For a whole program; its single cases have limits of their own.
LIMIT = 900


class ClientProgramTest(BrokerTest):
    def run_client(self, *arguments, env=None):
        """Runs the program with AMQP_URL and shows what it says; it fails if any of its cases
        does."""
        sys.stdout.flush()
        env = {**os.environ, "AMQP_URL": self.any_broker().url, **(env or {})}
        result = subprocess.run(arguments, env=env, timeout=LIMIT)
        self.assertEqual(result.returncode, 0, "see the lines with 'not ok' above")
