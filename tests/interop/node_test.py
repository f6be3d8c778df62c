"""amqplib, the client library for Node.js, old and new, against Haypile: all of node/*.js.

Needs: nodejs 18 or newer, and what node/package.json names, installed in build/interop/node (`./dev
interop` does that; or name another folder with HAYPILE_NODE_MODULES). With HAYPILE_TEST_URI the
cases run against that broker; all pass on RabbitMQ 3.10.
"""
import os
import unittest

from client_program import ClientProgramTest
from harness import HERE

MODULES = os.environ.get("HAYPILE_NODE_MODULES", f"{HERE}/../../build/interop/node/node_modules")


class Node(ClientProgramTest):
    def run_with(self, library):
        self.run_client("node", f"{HERE}/node/main.js", env={
            "NODE_PATH": os.path.abspath(MODULES), "AMQPLIB": library,
        })

    def test_amqplib(self):
        self.run_with("amqplib")

    def test_amqplib_0_10(self):
        self.run_with("amqplib-0.10")


if __name__ == "__main__":
    unittest.main()
