#!/usr/bin/python3
"""The same sequences against RabbitMQ 3.10 and Haypile; what comes back has to be alike.
   differential.py                      starts both brokers (needs Debian's rabbitmq-server)
   differential.py --against recorded   only Haypile, against what RabbitMQ said once"""
import argparse
import fnmatch
import importlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/differential")

from expected import EXPECTED, REASONS  # noqa: E402
from peer import Peer, Stop  # noqa: E402
from registry import SEQUENCES  # noqa: E402

RECORDED = f"{HERE}/differential/rabbitmq-3.10.json"
TOPICS = ("connection", "channels", "exchanges", "routing", "queues", "arguments", "publishing",
          "consuming", "priorities", "settling", "dead_letters", "limits", "quorum",
          "transactions", "reply_to")
for topic in TOPICS:
    importlib.import_module(topic)


def run_one(address, name, prefix, check_texts):
    peer = Peer(address, prefix, check_texts)
    try:
        SEQUENCES[name](peer)
        peer.finish()
    except Stop:
        peer.note("stopped", "it cannot go on")
    except Exception:
        peer.note("stopped", "the script broke: " + traceback.format_exc(limit=-2))
    try:
        peer.clean_up()
    except (Stop, OSError, AssertionError):
        pass
    return peer.trace


def run_all(address, names, jobs, check_texts):
    """The trace of each sequence."""
    run = f"{random.randrange(1 << 24):06x}"
    with ThreadPoolExecutor(jobs) as pool:
        traces = {
            name: pool.submit(run_one, address, name, f"d{run}-{number}.", check_texts)
            for number, name in enumerate(names)
        }
        return {name: trace.result() for name, trace in traces.items()}


def start_rabbitmq(directory):
    while True:
        port = random.randrange(20000, 25000)
        try:
            taken = [socket.create_server(("127.0.0.1", port + more)) for more in (0, 10000, 20000)]
        except OSError:
            continue
        for each in taken:
            each.close()
        break
    subprocess.run([f"{HERE}/rabbitmq.sh", "start", str(port), directory], check=True,
                   stdout=subprocess.DEVNULL)
    return port


def with_rabbitmq(options, names):
    if options.rabbitmq:
        return run_all(options.rabbitmq, names, options.jobs, False)
    directory = tempfile.mkdtemp(prefix="differential-")
    try:
        port = start_rabbitmq(directory)
        return run_all(("127.0.0.1", port), names, options.jobs, False)
    finally:
        if os.path.exists(f"{directory}/pid"):
            subprocess.run([f"{HERE}/rabbitmq.sh", "stop", directory], check=False)
        shutil.rmtree(directory)


def with_haypile(options, names):
    if options.haypile:
        return run_all(options.haypile, names, options.jobs, True)
    from harness import Broker

    with tempfile.TemporaryDirectory(prefix="differential-") as directory:
        broker = Broker(directory, "--log-level", "error")
        try:
            return run_all(("127.0.0.1", broker.port), names, options.jobs, True)
        finally:
            broker.kill()


def differences(name, theirs, ours):
    for number in range(max(len(theirs), len(ours))):
        line, our_line = (trace[number] if number < len(trace) else "end -> nothing more"
                          for trace in (theirs, ours))
        if line != our_line:
            step, result = line.split(" -> ", 1)
            our_step, our_result = our_line.split(" -> ", 1)
            if our_step != step:
                our_result = f"({our_step}) {our_result}"
            yield f"{name}: {number + 1} {step}: rabbitmq={result} haypile={our_result}"


def compare(theirs, ours, show_all):
    """Prints what differs; true if all of it, and no more, is expected."""
    alike = reasoned = 0
    unexplained = sorted(set(EXPECTED) - set(SEQUENCES))
    for name in unexplained:
        print(f"{name}: is expected to differ, but there is no such sequence")
    for name in ours:
        if name not in theirs:
            found = [f"{name}: there is no recorded trace of RabbitMQ"]
        else:
            found = list(differences(name, theirs[name], ours[name]))
        if found and name in EXPECTED:
            reasoned += 1
        elif found:
            unexplained.append(name)
            print("\n".join(found if show_all else found[:1]))
        elif name in EXPECTED:
            unexplained.append(name)
            print(f"{name}: does not differ any more, although it is expected to: {EXPECTED[name]}")
        else:
            alike += 1
    print(f"{len(ours)} sequences, {alike} alike, {reasoned} differ with a reason, "
          f"{len(unexplained)} unexplained")
    return not unexplained


def record(traces, path, partly):
    """False if a sequence did not run to its end, which it has to with RabbitMQ."""
    stopped = [name for name, trace in traces.items()
               if any(line.startswith("stopped -> ") for line in trace)]
    for name in stopped:
        print(f"{name}: stopped:\n  " + "\n  ".join(traces[name]))
    if partly:
        with open(path) as file:
            known = {**json.load(file), **traces}
        traces = {name: known[name] for name in SEQUENCES if name in known}
    with open(path, "w") as file:
        json.dump(traces, file, indent=0, ensure_ascii=False)
        file.write("\n")
    return not stopped


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="PATTERN", default="*", help="sequences, with * and ?")
    parser.add_argument("--rabbitmq", type=address, metavar="HOST:PORT", help="one that runs")
    parser.add_argument("--haypile", type=address, metavar="HOST:PORT", help="one that runs")
    parser.add_argument("--record", metavar="FILE",
                        help="save RabbitMQ's traces, and stop; with --only the others stay")
    parser.add_argument("--against", metavar="FILE", help="saved traces, or the word recorded")
    parser.add_argument("--jobs", type=int, default=8, help="sequences at a time")
    parser.add_argument("--all", action="store_true", help="all differences, not only first ones")
    parser.add_argument("--verbose", action="store_true", help="print Haypile's traces too")
    parser.add_argument("--list", action="store_true", help="only list the sequences")
    return parser.parse_args()


def main():
    options = parse()
    names = [name for name in SEQUENCES if fnmatch.fnmatchcase(name, options.only)]
    if options.list:
        print("\n".join(names))
        return True
    if options.against:
        with open(RECORDED if options.against == "recorded" else options.against) as file:
            theirs = json.load(file)
    else:
        began = time.monotonic()
        theirs = with_rabbitmq(options, names)
        print(f"RabbitMQ took {time.monotonic() - began:.0f} s", file=sys.stderr)
    if options.record:
        return record(theirs, options.record, len(names) < len(SEQUENCES))
    ours = with_haypile(options, names)
    if options.verbose:
        for name, trace in ours.items():
            print(f"{name}\n  " + "\n  ".join(trace))
    return compare(theirs, ours, options.all) and reasons_are_told()


def reasons_are_told():
    """Whether the users' page lists every reason."""
    with open(f"{HERE}/../../docs/protocol-support.md") as page:
        told = page.read()
    untold = [reason for reason in REASONS if f"- {reason}\n" not in told]
    for reason in untold:
        print(f"docs/protocol-support.md does not say: {reason}")
    return not untold


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
