"""What both programs say about their options: help, errors, man pages, completion."""
import re
import shutil
import subprocess
import unittest

from harness import BIN

PROGRAMS = {"haypile": ["send", "work", "status", "purge", "delete"], "haypiled": []}


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def helps():
    """Each help there is, with the command that it is about."""
    for program, commands in PROGRAMS.items():
        for command in [[], *([name] for name in commands)]:
            result = run(f"{BIN}/{program}", *command, "--help")
            assert result.returncode == 0, result
            yield program, command, result.stdout


def options_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


class Help(unittest.TestCase):
    def error(self, program, *arguments):
        result = run(f"{BIN}/{program}", *arguments)
        self.assertEqual(result.returncode, 1, result)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result.stderr

    def test_it_is_for_people(self):
        for program, command, text in helps():
            with self.subTest(program=program, command=command):
                for word in ("UINT", "TEXT", "ENUM", " in {", " AND ", "REQUIRED", "SUBCOMMAND"):
                    self.assertNotIn(word, text)
                self.assertLessEqual(max(len(line) for line in text.splitlines()), 80)

    def test_errors_say_what_would_be_right(self):
        said = self.error("haypile", "bogus")
        self.assertIn("unknown command 'bogus'", said)
        for command in PROGRAMS["haypile"]:
            self.assertIn(command, said)
        self.assertIn("which command", self.error("haypile"))
        self.assertIn("behind the command", self.error("haypile", "-q", "x", "send"))
        self.assertIn("'extra'", self.error("haypile", "status", "a", "--json", "--", "extra"))
        self.assertIn("haypile send --help", self.error("haypile", "send", "--bogus"))
        self.assertIn("--property needs a value", self.error("haypile", "send", "--property"))
        self.assertIn("--port needs a value", self.error("haypiled", "--port"))
        self.assertIn("only once", self.error("haypiled", "--port", "1", "--port", "2"))
        self.assertIn("0 to 65535", self.error("haypiled", "--port", "99999"))
        self.assertIn("0 to 65535", self.error("haypiled", "--port", "many"))
        self.assertIn("8MiB to 1TiB", self.error("haypiled", "--log-size", "1k"))
        self.assertIn("debug, info, warning, error or off",
                      self.error("haypiled", "--log-level", "loud"))

    def test_man_page_and_completion_have_all_options(self):
        for program, command, text in helps():
            for kind in ("man", "completion"):
                with self.subTest(program=program, command=command, kind=kind):
                    page = run(f"{BIN}/{program}", "--print", kind).stdout
                    self.assertGreater(len(options_in(text)), 1)
                    page = re.sub(r"\\f[BIR]", "", page).replace("\\-", "-")
                    self.assertEqual(options_in(text) - options_in(page), set())

    def test_roff_has_nothing_against_the_man_pages(self):
        if not shutil.which("groff"):
            self.skipTest("needs groff")
        for program in PROGRAMS:
            page = run(f"{BIN}/{program}", "--print", "man").stdout
            result = subprocess.run(["groff", "-man", "-ww", "-z"], input=page, text=True,
                                    capture_output=True)
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_bash_completes(self):
        for line, part, without in (
            ("haypile ", "send", None),
            ("haypile pu", "purge", "send"),
            ("haypile send --pro", "--property", "--file"),
            ("haypile work --on-failure ", "drop", "--jobs"),
            ("haypile work -q x --", "--jobs", "send"),
            ("haypiled --log", "--log-level", "--port"),
            ("haypiled --log-level ", "warning", "--port"),
        ):
            with self.subTest(line):
                words = self.completed(line)
                self.assertIn(part, words)
                self.assertNotIn(without, words)
        # Names of files are left to the shell.
        self.assertEqual(self.completed("haypile send --file "), [])
        self.assertEqual(self.completed("haypile work -- ca"), [])

    def completed(self, line):
        words = line.split(" ")
        script = run(f"{BIN}/{words[0]}", "--print", "completion").stdout
        script += f"COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}')\n"
        script += f"COMP_CWORD={len(words) - 1}\n_{words[0]}\necho \"${{COMPREPLY[@]}}\"\n"
        result = run("bash", "-c", script)
        self.assertEqual(result.stderr, "")
        return result.stdout.split()


if __name__ == "__main__":
    unittest.main()
