"""The sources keep the rules, and the checker sees it when they do not."""
import os
import unittest

import style

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def complaints(path, text):
    return [complaint for _, complaint in style.check_source(path, text)]


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
            ("client/amqp/a.cpp", "#include <haypile/channel.hpp>\n", "may not include"),
        ):
            with self.subTest(path=path, part=part):
                self.assertTrue(any(part in complaint for complaint in complaints(path, text)))

    def test_the_checker_has_nothing_against_this(self):
        text = "namespace n {\n" + "void f() {\n  g();\n}\n" * 100 + "}\n"
        self.assertEqual(complaints("broker/a.cpp", text), [])


if __name__ == "__main__":
    unittest.main()
