"""The sources and the documents keep the rules, and the checker sees it when they do not."""
import os
import tempfile
import unittest

import style

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def complaints(path, text):
    check = style.check_document if path.endswith(".md") else style.check_source
    return [complaint for _, complaint in check(path, text)]


class Style(unittest.TestCase):
    def test_the_tree_keeps_the_rules(self):
        self.assertEqual(list(style.check_tree(ROOT)), [])

    def test_the_checker_sees_violations(self):
        long_function = "void f() {\n" + "  g();\n" * 70 + "}\n"
        for path, text, part in (
            ("broker/a.cpp", "x\n" * 501, "more than 500 lines"),
            ("broker/a.cpp", "x" * 101, "more than 100 columns"),
            ("broker/a.cpp", "// TO" "DO: later\n", "left to do"),
            ("broker/a.hpp", "int a;\n", "#pragma once"),
            ("broker/a.cpp", long_function, "function of more than 70"),
            ("broker/a.cpp", "namespace n {\nclass C {\n" + long_function + "};\n}\n", "function"),
            ("broker/engine/a.cpp", "#include <boost/asio.hpp>\n", "may not include"),
            ("broker/engine/a.cpp", '#include "session/session.hpp"\n', "may not include"),
            ("broker/session/a.cpp", '#include "log/log.hpp"\n', "may not include"),
            ("broker/log/a.cpp", '#include "engine/queue.hpp"\n', "may not include"),
            ("client/src/a.cpp", '#include "engine/queue.hpp"\n', "may not include"),
            ("client/src/a.cpp", "#include <haypile/broker.hpp>\n", "may not include"),
            ("client/core/a.cpp", "#include <sys/socket.h>\n", "may not include"),
            ("client/core/a.cpp", '#include "client/src/socket.hpp"\n', "may not include"),
            ("client/core/a.cpp", "#include <openssl/ssl.h>\n", "may not include"),
            ("client/core/tls_a.cpp", "#include <sys/socket.h>\n", "may not include"),
            ("client/amqp/a.cpp", "#include <haypile/channel.hpp>\n", "may not include"),
            ("broker/vhost/a.cpp", "int a;\n// Of the file.\nint b;\n", "begins with a fragment"),
            ("tests/a.cpp", "  // To be called last.\n", "begins with a fragment"),
            ("client/src/a.cpp", "int a;  // what\n// As close().\n", "begins with a fragment"),
            ("README.md", "x\n" * 151, "more than 150 lines"),
            ("README.md", "x" * 121, "more than 120 columns"),
            ("docs/a.md", "| a | " + "x" * 113 + " |\n", "more than 120 columns"),
        ):
            with self.subTest(path=path, part=part):
                self.assertTrue(any(part in complaint for complaint in complaints(path, text)))

    def test_a_folder_of_sources_has_a_readme(self):
        with tempfile.TemporaryDirectory() as root:
            for path in ("docs", "broker/engine", "broker/include/haypile"):
                os.makedirs(os.path.join(root, path))
            for path in ("README.md", "broker/engine/a.py", "broker/include/haypile/a.py"):
                open(os.path.join(root, path), "w").close()
            said = list(style.check_tree(root))
            self.assertEqual([line.split(":")[0] for line in said], ["broker/engine"])
            open(os.path.join(root, "broker/engine/README.md"), "w").close()
            self.assertEqual(list(style.check_tree(root)), [])

    def test_the_checker_has_nothing_against_this(self):
        text = "namespace n {\n" + "void f() {\n  g();\n}\n" * 100 + "}\n"
        self.assertEqual(complaints("broker/a.cpp", text), [])
        text = ("// Size of the file,\n// Of which less is used.\n"
                "int a;  // Of the file.\n// Offsets.\n")
        self.assertEqual(complaints("broker/a.cpp", text), [])
        self.assertEqual(complaints("docs/a.md", ("\u2013" * 120 + "\n") * 200), [])


if __name__ == "__main__":
    unittest.main()
