"""What the interop tests have for others."""
import os
import sys

INTEROP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop")
sys.path.insert(0, INTEROP)

from harness import BIN, SANITIZED, BrokerTest, Program, wait_for  # noqa: E402, F401
