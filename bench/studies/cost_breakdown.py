"""The way of a message through the daemon, in nanoseconds: cost_breakdown.py BIN OUT [ARGUMENT of
haypile-perf...]

Samples the daemon with perf while haypile-perf has it work, and shares out what it uses of the
processor by thread and by what is done there. Prints a table."""
import collections
import json
import os
import re
import subprocess
import sys

import servers

SECONDS = 6
WARM_UP_S = 1
# What a sample is for: the first pattern that one of the functions on its stack matches.
IN_KERNEL = [
    ("sys_recv|sys_read", "receive: the kernel's copy, TCP"),
    ("sys_send", "send: the kernel's copy, TCP, waking the client"),
    ("sys_epoll", "epoll: waiting, and being woken"),
    ("sys_pwrite", "write to the log's file"),
    ("sys_fdatasync|sys_fsync", "sync"),
    ("sys_write", "waking the core"),
    ("sys_futex", "waking the other thread, and waiting"),
]
SESSION = "session: frames, methods, outboxes"
# By the function itself: stacks of optimised code are not to be relied on.
IN_PROGRAM = [
    ("haypile::amqp", "codec"),
    ("haypile::session", SESSION),
    ("haypile::engine", "engine: routing, queue, delivery, settling"),
    ("XXH", "checksum"),
    ("haypile::log", "log: records, positions, piles"),
    ("memmove|memcpy|memset|memcmp", "copying of bytes"),
    ("malloc|free|operator (new|delete)|unlink_chunk", "memory"),
    ("haypile::server|asio|timerfd|clock_gettime|vdso", "loop: Asio, sockets, clock"),
]


def group_of(stack):
    kernel = any("[kernel" in module or module == "[k]" for _, module in stack[:1])
    if kernel:
        for pattern, group in IN_KERNEL:
            if any(re.search(pattern, function) for function, _ in stack):
                return group
        return "interrupts and the rest of the kernel"
    for pattern, group in IN_PROGRAM:
        if re.search(pattern, stack[0][0]):
            return group
    return "the rest of the program"


def samples(text):
    """(thread, [(function, module), ...], the innermost first)."""
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if len(lines) < 2:
            continue
        stack = [re.match(r"\s*[0-9a-f]+ (.*) \(([^()]*)\)$", line) for line in lines[1:]]
        stack = [(found[1], found[2]) for found in stack if found]
        if stack:
            yield int(lines[0].split()[0]), stack


def measure(binaries, out, arguments):
    record = os.path.join(out, "way.perf")
    with servers.running(servers.Haypile, binaries, os.path.join(out, "way-data")) as server:
        load = subprocess.Popen(
            server.load_command([f"--warm-up={WARM_UP_S}", *arguments], SECONDS),
            stdout=subprocess.PIPE, text=True)
        subprocess.run(["perf", "record", "-q", "-g", "-o", record, "-p", str(server.pid), "--",
                        "sleep", str(WARM_UP_S + SECONDS - 1)], check=True, stderr=subprocess.PIPE)
        report = json.loads(load.communicate(timeout=60)[0])
    text = subprocess.run(["perf", "script", "-i", record, "-F", "tid,ip,sym,dso"], check=True,
                          capture_output=True, text=True).stdout
    os.remove(record)
    return report, text


def main():
    binaries, out, *arguments = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    report, text = measure(binaries, out, arguments)
    by_thread = collections.defaultdict(collections.Counter)
    for thread, stack in samples(text):
        by_thread[thread][group_of(stack)] += 1
    counts = collections.Counter()
    for groups in by_thread.values():
        name = "core" if groups[SESSION] else "log"
        for group, count in groups.items():
            counts[name, group] += count
    per_sample = report["broker_cpu_us_per_message"] * 1000 / sum(counts.values())
    print(f"{report['consumed_per_second']:,.0f} messages a second, "
          f"{report['broker_cpu_us_per_message'] * 1000:.0f} ns of the processor each\n")
    print("| thread | what | ns a message |\n| --- | --- | --- |")
    for thread in ("core", "log"):
        of_thread = [(count, group) for (of, group), count in counts.items() if of == thread]
        for count, group in sorted(of_thread, reverse=True):
            print(f"| {thread} | {group} | {count * per_sample:.0f} |")
        print(f"| {thread} | **in all** | **{sum(c for c, _ in of_thread) * per_sample:.0f}** |")


if __name__ == "__main__":
    main()
