"""Client libraries side by side: clients.py BIN OUT [--rounds N] [--count N] [--single N]

Each library does the same work with a daemon of its own, in turns. Writes OUT/clients.json and
OUT/clients.md: the medians, and the median of the ratios of a round."""
import argparse
import json
import os
import statistics
import subprocess

import servers

LIBRARIES = ("haypile", "rabbitmq-c")
WORKS = {"publish": "publish and confirm, window 2,000", "consume": "consume and acknowledge each",
         "single": "publish and confirm, one in flight"}
RUN_SECONDS = 300


def run(arguments, library):
    directory = os.path.join(arguments.out, "data")
    with servers.running(servers.Haypile, arguments.bin, directory) as server:
        done = subprocess.run([f"{arguments.bin}/client_bench", library, str(server.port),
                               str(arguments.count), str(arguments.single)],
                              capture_output=True, text=True, timeout=RUN_SECONDS, check=True)
        return json.loads(done.stdout)


def table(rounds):
    lines = ["| work | library | messages a second | client's processor time, µs "
             "| rate by rabbitmq-c's |", "| --- | --- | --- | --- | --- |"]
    for work, title in WORKS.items():
        for library in LIBRARIES:
            rates = [each[library][work]["per_second"] for each in rounds]
            ratios = [each[library][work]["per_second"] / each["rabbitmq-c"][work]["per_second"]
                      for each in rounds]
            used = statistics.median(each[library][work]["cpu_us"] for each in rounds)
            lines.append(f"| {title} | {library} | {statistics.median(rates):,.0f} | {used:.2f} "
                         f"| {statistics.median(ratios):.1f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--single", type=int, default=5_000)
    arguments = parser.parse_args()
    rounds = []
    for number in range(arguments.rounds):
        order = LIBRARIES if number % 2 == 0 else LIBRARIES[::-1]
        rounds.append({library: run(arguments, library) for library in order})
    text = table(rounds)
    with open(os.path.join(arguments.out, "clients.json"), "w", encoding="utf-8") as file:
        json.dump(rounds, file, indent=1)
    with open(os.path.join(arguments.out, "clients.md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text, end="")


if __name__ == "__main__":
    main()
