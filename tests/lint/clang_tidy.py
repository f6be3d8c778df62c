"""clang-tidy over the sources that it has not seen as they are."""
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "style"))

import style  # noqa: E402

PASSED = os.path.join(ROOT, ".lint-passed")
CONFIG = ".clang-tidy"
INCLUDE_FOLDERS = [".", "broker", "broker/include", "client/include", "tests", "bench"]
COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
                             r"|'(?:\\.|[^'\\\n])'", re.DOTALL)


def digest(text):
    """Of what clang-tidy sees of a file: comments and the layout do not count, but NOLINT does.

    It is of this one file: if a header changes, the header is looked at again, with one of the
    sources that include it, but not all of these. What is wrong with them from then on is left for
    --all. Otherwise the work would grow far beyond the change, and after each merge there would be
    some.
    """
    def kept(match):
        part = match.group()
        return " " if part.startswith("/") and "NOLINT" not in part else part
    text = " ".join(COMMENT_OR_TEXT.sub(kept, text).split())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Tree:
    def __init__(self):
        self.texts = dict(style.sources(ROOT))
        self.digests = {path: digest(text) for path, text in self.texts.items()}
        with open(os.path.join(ROOT, CONFIG)) as file:
            checks = "".join(line for line in file if not line.lstrip().startswith("#"))
        self.digests[CONFIG] = digest(checks)
        self.includes = {path: self.included_by(path) for path in self.texts}

    def included_by(self, path):
        names = re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', self.texts[path], re.MULTILINE)
        paths = [os.path.normpath(os.path.join(folder, name)) for name in names
                 for folder in [os.path.dirname(path), *INCLUDE_FOLDERS]]
        return {path for path in paths if path in self.texts}

    def closure(self, source):
        """The source and all headers that it includes, directly or not."""
        seen, left = set(), [source]
        while left:
            path = left.pop()
            if path not in seen:
                seen.add(path)
                left += self.includes[path]
        return seen

    def source_for(self, header):
        """The source to look at a header with: its own, or else the shortest that includes it."""
        sources = [path for path in self.texts
                   if path.endswith(".cpp") and header in self.closure(path)]
        own = os.path.splitext(header)[0] + ".cpp"
        return min(sources, key=lambda path: (path != own, len(self.texts[path])), default=None)


class Passed:
    """What clang-tidy had nothing against, in the file of that name."""

    def __init__(self, tree, is_empty):
        self.tree, self.paths = tree, set()
        facts = set()
        if not is_empty and os.path.exists(PASSED):
            with open(PASSED) as file:
                facts = {tuple(line.split()) for line in file}
        # Other checks would see other things.
        if (tree.digests[CONFIG], CONFIG) in facts:
            self.paths = {path for path in tree.texts if (tree.digests[path], path) in facts}

    def add(self, paths):
        self.paths |= paths
        lines = [f"{self.tree.digests[path]} {path}\n" for path in sorted(self.paths | {CONFIG})]
        with open(PASSED + ".new", "w") as file:
            file.writelines(lines)
        os.replace(PASSED + ".new", PASSED)


def complaints(build, source):
    """What clang-tidy says of a source; nothing if all is well."""
    done = subprocess.run(
        # The options are for g++, which knows warnings that clang does not.
        ["nice", "clang-tidy", "-p", build, "--quiet", "--warnings-as-errors=*",
         "--extra-arg=-Wno-unknown-warning-option", source],
        cwd=ROOT, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout or done.stderr


def check(build, jobs, deadline, sources, passed):
    """Looks at sources until the deadline. Returns whether there are complaints."""
    def look(source):
        return None if time.monotonic() > deadline else complaints(build, source)

    is_wrong = False
    with concurrent.futures.ThreadPoolExecutor(jobs) as executor:
        running = {executor.submit(look, source): source for source in sources}
        for future in concurrent.futures.as_completed(running):
            if future.result():
                is_wrong = True
                print(future.result())
            elif future.result() is not None:
                passed.add(passed.tree.closure(running[future]))
    return is_wrong


def run(build, jobs, seconds):
    """Looks at all there is, or at what it has not seen as it is, for so many seconds. What there
    is no time for is told, and is no complaint: a run has to end in time. """
    tree = Tree()
    passed = Passed(tree, is_empty=seconds is None)
    deadline = time.monotonic() + (float("inf") if seconds is None else seconds)

    def unseen(ending):
        return sorted(path for path in tree.texts
                      if path.endswith(ending) and path not in passed.paths)

    print(f"clang-tidy: {len(unseen('.cpp'))} sources and {len(unseen('.hpp'))} headers to look at")
    is_wrong = check(build, jobs, deadline, unseen(".cpp"), passed)
    # Most headers have been seen with a source by now.
    others = {tree.source_for(header) for header in unseen(".hpp")} - {None}
    if not is_wrong:
        is_wrong = check(build, jobs, deadline, sorted(others), passed)
    left = unseen((".cpp", ".hpp"))
    if left and not is_wrong:
        print(f"clang-tidy has not seen {len(left)} files, such as {left[0]}: run ./dev lint "
              "again, or with --seconds 3600, and commit .lint-passed")
    return not is_wrong
