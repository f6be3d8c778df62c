"""./dev lint: clang-tidy, cppcheck, shellcheck and flake8 over all there is, each of which has to
be silent.

    lint.py BUILD [--all] [--seconds N]      BUILD: has compile_commands.json

clang-tidy takes long for everything, so it looks at what has changed since it passed.
.lint-passed has a line "HASH PATH" for each file that it had nothing against: clang_tidy.py says
what is in the hash, and what that leaves for --all. A run of ./dev lint adds what it has seen, and
that belongs into the commit. A clean checkout then has nothing to do. The file is a set of facts:
one about a file that has changed does no harm, and git merges it by taking the lines of both sides
(.gitattributes).
"""
import argparse
import glob
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import clang_tidy  # noqa: E402

CORES = len(os.sched_getaffinity(0))
SECONDS = 150
# What is slow is left to clang-tidy, which knows what is cheap to copy. One configuration: with the
# others it takes three times as long.
CPPCHECK = ["cppcheck", "--quiet", "--error-exitcode=1", f"-j{CORES}", "--std=c++20",
            "--language=c++", "--max-configs=1", "--enable=warning,portability",
            f"--suppressions-list={HERE}/cppcheck_suppressions.txt",
            *(f"-I{folder}" for folder in clang_tidy.INCLUDE_FOLDERS),
            "broker", "client", "bench", "tests"]


def silent(*command):
    """Whether a command succeeds."""
    return subprocess.run(command, cwd=ROOT).returncode == 0


def shell_scripts():
    found = [path for folder in ("bench", "tests")
             for path in glob.glob(f"{folder}/**/*.sh", root_dir=ROOT, recursive=True)]
    return ["dev", *glob.glob(".ci/*", root_dir=ROOT), *sorted(found)]


def main():
    parser = argparse.ArgumentParser(prog="./dev lint")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help="clang-tidy over all files")
    parser.add_argument("--seconds", type=float, metavar="N",
                        help=f"begin no file with clang-tidy after N seconds (default {SECONDS})")
    options = parser.parse_args()
    parts = [
        ("flake8", lambda: silent("flake8", ".")),
        ("shellcheck", lambda: silent("shellcheck", *shell_scripts())),
        ("cppcheck", lambda: silent(*CPPCHECK)),
        ("clang-tidy", lambda: clang_tidy.run(
            os.path.abspath(options.build), CORES,
            None if options.all else options.seconds or SECONDS)),
    ]
    failed = []
    for name, part in parts:
        started = time.monotonic()
        if not part():
            failed.append(name)
        verdict = "FAILED" if name in failed else "ok"
        print(f"{name}: {verdict}, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
