"""amqp091-go, the client library for Go, against Haypile: all of go/*.go.

Needs: golang-go and golang-github-rabbitmq-amqp091-go-dev, nothing from the net. With
HAYPILE_TEST_URI the cases run against that broker; all pass on RabbitMQ 3.10. What is built goes to
build/interop/go.
"""
import os
import subprocess
import unittest

from client_program import ClientProgramTest
from harness import GIVEN_URL, HERE, Broker, broker_has_option

BUILD = os.path.abspath(f"{HERE}/../../build/interop/go")
MEMORY_LIMIT = 64 << 20


class Go(ClientProgramTest):
    def build(self):
        offline = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
        program = f"{BUILD}/client"
        subprocess.run(
            ["go", "build", "-o", program, "."],
            cwd=f"{HERE}/go", env={**os.environ, **offline, "GOCACHE": f"{BUILD}/cache"},
            check=True,
        )
        return program

    def small_broker(self):
        """The address of a Haypile that soon blocks its publishers, if it can do so."""
        if GIVEN_URL or not broker_has_option("--memory-limit"):
            return os.environ.get("AMQP_BLOCKING_URL", "")
        broker = Broker(f"{self.directory}/small", "--memory-limit", str(MEMORY_LIMIT))
        self.programs.append(broker.program)
        return broker.url

    def test_amqp091_go(self):
        self.run_client(self.build(), env={"AMQP_BLOCKING_URL": self.small_broker()})


if __name__ == "__main__":
    unittest.main()
