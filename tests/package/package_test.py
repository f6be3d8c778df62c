"""The installed package, static and with the broker: run by ctest with HAYPILE_BIN set."""
import ctypes
import os
import shutil
import tempfile
import unittest

import package

BUILD = os.path.dirname(os.environ["HAYPILE_BIN"])
STRICT = ("-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion",
          "-Wold-style-cast", "-Wshadow", "-Werror")


def setUpModule():
    global directory, installed
    package.check_tools()
    directory = tempfile.mkdtemp()
    unittest.addModuleCleanup(shutil.rmtree, directory)
    first = os.path.join(directory, "first")
    package.run("cmake", "--install", BUILD, "--prefix", first)
    # Nothing may lead to where it was first.
    installed = os.path.join(directory, "moved")
    os.rename(first, installed)


class Programs(unittest.TestCase):
    def test_cmake_finds_client_and_broker(self):
        for compiler in package.COMPILERS:
            with self.subTest(compiler=compiler):
                build = os.path.join(directory, compiler)
                package.build_with_cmake(installed, build, compiler, "client", "broker")
                package.run(os.path.join(build, "consumer"))
                self.assertIn("did 'a long task'", package.run(os.path.join(build, "embedded")))
                plugin = ctypes.CDLL(os.path.join(build, "libplugin.so"))
                plugin.connects.restype = ctypes.c_bool
                self.assertFalse(plugin.connects(b"http://localhost"))

    def test_cmake_finds_everything_if_no_component_is_named(self):
        build = os.path.join(directory, "everything")
        package.run(*package.find_package(installed, build, "g++", []))
        self.assertIn("embedded: ", package.run("ninja", "-C", build, "-t", "targets", "all"))

    def test_cmake_refuses_a_component_that_does_not_exist(self):
        for components in (["clinet"], ["client", "clinet"]):
            code, said = package.attempt(*package.find_package(
                installed, os.path.join(directory, "refused"), "g++", components))
            self.assertNotEqual(code, 0)
            self.assertIn("Haypile has no component 'clinet'", said)
            self.assertIn("client, broker", said)

    def test_everything_can_be_part_of_another_project(self):
        package.run(*package.configure(
            os.path.join(package.HERE, "parent"), os.path.join(directory, "parent"),
            "-DHAYPILE_BROKER=ON", "-DHAYPILE_TOOLS=ON", "-DHAYPILE_INSTALL=ON"))

    def test_pkg_config_finds_the_client(self):
        for compiler in package.COMPILERS:
            with self.subTest(compiler=compiler):
                program = os.path.join(directory, f"with_pkg_config_{compiler}")
                package.build_with_pkg_config(installed, program, compiler)
                package.run(program)

    def test_the_installed_programs_run(self):
        for name in ("haypile", "haypiled"):
            said = package.run(os.path.join(installed, "bin", name), "--version")
            self.assertRegex(said, rf"^{name} [0-9]+\.[0-9]+\.[0-9]+\n$")


class Headers(unittest.TestCase):
    def test_each_header_compiles_alone_with_strict_warnings(self):
        for header in package.headers(installed):
            for compiler in package.COMPILERS:
                with self.subTest(header=header, compiler=compiler):
                    self.assertEqual(
                        package.compile_header(installed, header, compiler, *STRICT), (0, ""))

    def test_each_header_asks_for_cpp20_before_anything_else(self):
        for header in package.headers(installed):
            with self.subTest(header=header):
                code, said = package.compile_header(installed, header, "g++", "-std=c++17")
                self.assertNotEqual(code, 0)
                self.assertIn('#error "Haypile needs C++20', first_error(said))
        _, said = package.compile_header(installed, "haypile/client.hpp", "clang++", "-std=c++17")
        self.assertIn("Haypile needs C++20", first_error(said))


def first_error(said):
    return next((line for line in said.split("\n") if "error:" in line), "")


if __name__ == "__main__":
    unittest.main()
