"""A message costs no more instructions and allocations than the last time somebody looked.

Run by ctest with HAYPILE_BIN set to the folder of the programs. With --write what is measured goes
into work_count.json, which is what the next runs are held against."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

WORKS = ("persistent", "transient", "fill", "topic")
MESSAGES = 20000
TOLERANCE = 0.05  # of the instructions wanted
ALLOCATIONS_TOLERANCE = 0.005  # a message: what grows now and then falls here or there

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "work_count.json")
PROGRAM = os.path.join(os.environ.get("HAYPILE_BIN", ""), "work_count")
# What the C library chooses by the processor would be counted, too.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load"}


def run(work, messages):
    """How many instructions it took, and what the program says."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", PROGRAM, work,
               str(messages)]
    done = subprocess.run(command, env=ENVIRONMENT | {"PATH": os.environ["PATH"]},
                          capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        raise RuntimeError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stderr}")
    return int(collected[1]), json.loads(done.stdout)


def measure(work):
    """Instructions and allocations a message, without what comes before the first one."""
    few, _ = run(work, MESSAGES)
    many, said = run(work, 2 * MESSAGES)
    return {"instructions": round((many - few) / MESSAGES),
            "allocations": round(said["allocations"] / said["messages"], 4)}


def compiler():
    return subprocess.run([PROGRAM, "--version"], check=True, capture_output=True,
                          text=True).stdout.strip()


def check_tools():
    if not shutil.which("valgrind"):
        raise RuntimeError("valgrind is not there: apt-get install valgrind")
    if not os.path.exists(PROGRAM):
        raise RuntimeError(f"there is no '{PROGRAM}': HAYPILE_BIN names the folder it is in")


def judge(measured, wanted):
    """What is worse than wanted, and what can be wanted from now on; lines, both."""
    worse, better = [], []
    instructions_tolerance = wanted["instructions"] * TOLERANCE
    for name, tolerance in (("instructions", instructions_tolerance),
                            ("allocations", ALLOCATIONS_TOLERANCE)):
        line = f"{measured[name]} {name} a message, {wanted[name]} in work_count.json"
        if measured[name] > wanted[name] + tolerance:
            worse.append(line)
        elif measured[name] < wanted[name] - tolerance:
            better.append(line)
    return worse, better


class WorkCountTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        check_tools()
        with open(FILE) as file:
            cls.wanted = json.load(file)
        cls.compiler = compiler()

    def test_judge(self):
        wanted = {"instructions": 1000, "allocations": 1.5}
        self.assertEqual(judge({"instructions": 1050, "allocations": 1.5}, wanted), ([], []))
        self.assertEqual(len(judge({"instructions": 1051, "allocations": 1.5}, wanted)[0]), 1)
        self.assertEqual(len(judge({"instructions": 1000, "allocations": 1.5051}, wanted)[0]), 1)
        self.assertEqual(judge({"instructions": 950, "allocations": 1.5049}, wanted), ([], []))
        self.assertEqual(len(judge({"instructions": 949, "allocations": 1.4}, wanted)[1]), 2)

    def test_works(self):
        for work in WORKS:
            with self.subTest(work=work):
                measured = measure(work)
                print(f"{work}: {measured}")
                if self.compiler != self.wanted["compiler"]:
                    continue
                worse, better = judge(measured, self.wanted["works"][work])
                for line in better:
                    print(f"{work}: {line}: lower it with --write")
                if worse:
                    self.fail("; ".join(worse) + ": if it has to be so, --write it")
        if self.compiler != self.wanted["compiler"]:
            print(f"not compared: compiled by {self.compiler}, the numbers in work_count.json are "
                  f"of {self.wanted['compiler']}")


def write():
    check_tools()
    works = {work: measure(work) for work in WORKS}
    with open(FILE, "w") as file:
        json.dump({"compiler": compiler(), "works": works}, file, indent=2)
        file.write("\n")
    print(json.dumps(works, indent=2))


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main(verbosity=2)
