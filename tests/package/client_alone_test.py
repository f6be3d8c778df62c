"""The client alone, shared, within a project of somebody else's and on a machine that has nothing
but a compiler; and what that installs. Run by ctest."""
import os
import re
import shutil
import tempfile
import unittest

import package

ABSENT = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=TRUE" for name in
          ("Boost", "CLI11", "OpenSSL", "benchmark", "doctest", "nlohmann_json", "spdlog")]


def setUpModule():
    global directory, build, installed
    package.check_tools()
    directory = tempfile.mkdtemp()
    unittest.addModuleCleanup(shutil.rmtree, directory)
    build = os.path.join(directory, "parent")
    package.run(*package.configure(os.path.join(package.HERE, "parent"), build,
                                   "-DBUILD_SHARED_LIBS=ON", "-DHAYPILE_INSTALL=ON", *ABSENT))
    package.run("cmake", "--build", build, "-j", "1")
    installed = os.path.join(directory, "installed")
    package.run("cmake", "--install", build, "--prefix", installed)


class WithinAnotherProject(unittest.TestCase):
    def test_it_leaves_names_and_settings_to_that_project(self):
        package.run(os.path.join(build, "worker"))
        self.assertFalse(os.path.exists(os.path.join(build, "compile_commands.json")))

    def test_it_reads_no_headers_of_others(self):
        read = set(re.findall(r"^    (.*)$", package.run("ninja", "-C", build, "-t", "deps"),
                              re.MULTILINE))
        # These show that the system's headers are listed as well.
        self.assertTrue(any(path.endswith("/include/haypile/client.hpp") for path in read))
        self.assertTrue(any(path.endswith("/string") for path in read))
        others = re.compile(r"/include/(boost|CLI|benchmark|doctest|fmt|nlohmann|openssl|spdlog)/"
                            r"|/xxh(ash|3)\.h")
        self.assertEqual([path for path in read if others.search(path)], [])

    def test_it_installs_nothing_unless_it_is_asked_to(self):
        parent = os.path.join(directory, "not_installed")
        package.run(*package.configure(os.path.join(package.HERE, "parent"), parent, *ABSENT))
        self.assertNotIn("haypile", package.run(
            "cmake", "--install", parent, "--prefix", os.path.join(directory, "nothing")))


class ByItself(unittest.TestCase):
    def test_it_needs_no_more_than_a_compiler(self):
        package.run(*package.configure(package.ROOT, os.path.join(directory, "alone"),
                                       "-DHAYPILE_BROKER=OFF", "-DHAYPILE_TOOLS=OFF", *ABSENT))


class Shared(unittest.TestCase):
    def setUp(self):
        self.library = next(os.path.join(at, "libhaypile_client.so")
                            for at, _, names in os.walk(installed)
                            if "libhaypile_client.so" in names)

    def test_its_name_has_the_minor_version(self):
        version = re.match(r"(\d+\.\d+)\.\d+$", package.run(os.path.join(build, "worker")))
        self.assertRegex(package.run("readelf", "-d", self.library),
                         rf"SONAME.*\[libhaypile_client\.so\.{version[1]}\]")

    def test_it_shows_what_programs_use_and_hides_the_rest(self):
        lines = package.run("nm", "-D", "-C", "--defined-only", self.library).split("\n")
        for used in ("haypile::Connection::close()", "haypile::amqp::Table::set(",
                     "typeinfo for haypile::ConnectionClosed"):
            self.assertTrue(any(f" {used}" in line for line in lines), used)
        internal = re.compile(r"haypile::(\w+Impl|Protocol\w*)::")
        self.assertEqual([line for line in lines if internal.search(line)], [])

    def test_programs_link_it(self):
        for compiler in package.COMPILERS:
            with self.subTest(compiler=compiler):
                program = os.path.join(directory, compiler)
                package.run(*package.find_package(installed, program, compiler, ["client"]),
                            *ABSENT)
                package.run("cmake", "--build", program, "-j", "1")
                package.run(os.path.join(program, "consumer"))
                program = os.path.join(directory, f"with_pkg_config_{compiler}")
                package.build_with_pkg_config(installed, program, compiler)
                package.run(program, env={"LD_LIBRARY_PATH": os.path.dirname(self.library)})
                self.assertIn("[libhaypile_client.so.", package.run("readelf", "-d", program))

    def test_pkg_config_also_knows_what_a_static_one_needs(self):
        said = package.run("pkg-config", "--static", "--libs", "haypile-client",
                           env=package.pkg_config_environment(installed))
        self.assertIn("-lhaypile_amqp", said)

    def test_a_component_that_was_not_built_is_refused(self):
        code, said = package.attempt(*package.find_package(
            installed, os.path.join(directory, "refused"), "g++", ["client", "broker"]))
        self.assertNotEqual(code, 0)
        self.assertIn("built without its component 'broker'", said)


if __name__ == "__main__":
    unittest.main()
