"""Builds programs as somebody else would who has Haypile."""
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMPILERS = ("g++", "clang++")
TOOLS = {"g++": "g++", "clang++": "clang", "cmake": "cmake", "ninja": "ninja-build",
         "pkg-config": "pkgconf", "readelf": "binutils", "nm": "binutils"}


def check_tools():
    """A tool that is not there is a failure: otherwise nobody would notice what is not tested."""
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            raise RuntimeError(f"{tool} is not there: apt-get install {package}")


def attempt(*command, **options):
    """Runs a command. Returns its exit code and all that it has said."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    return done.returncode, done.stdout


def run(*command, **options):
    """Runs a command that has to succeed. Returns what it has said."""
    code, said = attempt(*command, **options)
    if code != 0:
        raise AssertionError(f"{' '.join(command)} failed ({code}):\n{said}")
    return said


def configure(source, build, *options):
    """The arguments of CMake for a project that has a compiler and what `options` add."""
    return ("cmake", "-G", "Ninja", "-S", source, "-B", build, "--no-warn-unused-cli",
            f"-DHAYPILE={ROOT}", *options)


def find_package(installed, build, compiler, components):
    """The arguments of CMake for the programs of this folder."""
    return configure(HERE, build, f"-DCMAKE_PREFIX_PATH={installed}",
                     f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCOMPONENTS={';'.join(components)}")


def build_with_cmake(installed, build, compiler, *components):
    run(*find_package(installed, build, compiler, components))
    run("cmake", "--build", build, "-j", "1")


def pkg_config_environment(installed):
    return os.environ | {"PKG_CONFIG_PATH": next(
        directory for directory, _, names in os.walk(installed) if "haypile-client.pc" in names)}


def build_with_pkg_config(installed, program, compiler):
    flags = run("pkg-config", "--cflags", "--libs", "haypile-client",
                env=pkg_config_environment(installed)).split()
    run(compiler, "-std=c++20", "-o", program, os.path.join(HERE, "consumer.cpp"), *flags)


def headers(installed):
    """The installed headers, as a program includes them."""
    include = os.path.join(installed, "include")
    return sorted(os.path.relpath(os.path.join(directory, name), include)
                  for directory, _, names in os.walk(include) for name in names)


def compile_header(installed, header, compiler, *options):
    """Compiles a program that has nothing but one header."""
    return attempt(compiler, "-fsyntax-only", "-I", os.path.join(installed, "include"), *options,
                   "-x", "c++", "-", input=f"#include <{header}>\n")
