"""One virtual host on one thread against two on two: two_vhosts.py BIN OUT [ARGUMENT of
haypile-perf...]

A virtual host shares nothing with another one: its thread, its log and its log's thread are its
own. So two daemons are what two virtual hosts in one would be. The loads have a process each."""
import contextlib
import json
import os
import statistics
import subprocess
import sys

import servers

ROUNDS = 5
SECONDS = 3
CASES = [("one virtual host, one load", 1, 1), ("one virtual host, two loads", 1, 2),
         ("two virtual hosts, a load each", 2, 2)]


def measure(binaries, out, vhost_count, load_count, arguments):
    """Messages a second of all together."""
    with contextlib.ExitStack() as stack:
        daemons = [stack.enter_context(servers.running(
            servers.Haypile, binaries, os.path.join(out, f"two-vhosts-data-{number}")))
            for number in range(vhost_count)]
        # Two loads on one virtual host have queues of their own, too.
        loads = [subprocess.Popen(
            daemons[number % vhost_count].load_command(
                [f"--name=load-{number}", *arguments], SECONDS), stdout=subprocess.PIPE, text=True)
            for number in range(load_count)]
        reports = [json.loads(load.communicate(timeout=60)[0]) for load in loads]
    return sum(report["consumed_per_second"] for report in reports)


def main():
    binaries, out, *arguments = sys.argv[1:]
    rates = {}
    for _ in range(ROUNDS):
        for title, vhosts, loads in CASES:
            rates.setdefault(title, []).append(measure(binaries, out, vhosts, loads, arguments))
    print("| | messages a second | against the first |\n| --- | --- | --- |")
    first = statistics.median(rates[CASES[0][0]])
    for title, _, _ in CASES:
        rate = statistics.median(rates[title])
        print(f"| {title} | {rate / 1000:,.0f} k | {rate / first:.2f} |")


if __name__ == "__main__":
    main()
