"""The rules that the sources and the documents keep, so that nobody has to remember them."""
import os
import re

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
COLUMNS_MAX = 100
README_LINES_MAX = 150
SOURCES = (".hpp", ".cpp", ".py", ".js", ".go")
DOCUMENT_COLUMNS_MAX = 120

# A comment that begins like this only makes sense together with the code beside it.
DANGLING = ("Of ", "To be ", "As ", "In which", "Under which", "By which", "From which", "For whom",
            "So many", "The same for")

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "dev", "broker",
             "client", "bench", "tests", "docs", "build"}

STANDARD = re.compile(r"<[a-z_0-9]+>$")
POSIX = re.compile(r"<((sys|netinet)/[a-z_]+|fcntl|unistd|malloc|poll|netdb|spawn|signal|pthread)"
                   r"\.h>$")
AMQP = re.compile(r"<haypile/amqp/[a-z_/]+\.hpp>$")
CONFIG = re.compile(r"<haypile/config\.hpp>$")
CLIENT = re.compile(r"<haypile/(client|connection|channel|message|message_properties|options|error"
                    r"|config|version)"
                    r"\.hpp>$")
BROKER = re.compile(r"<haypile/broker\.hpp>$")
# How text of others is shown, wherever that is.
PRINTABLE = re.compile(r"<haypile/amqp/printable\.hpp>$")
COMMAND_LINE = re.compile(r'"command_line/[a-z_]+\.hpp"$')
ASIO = re.compile(r"<boost/")

# Who may include what: the first folder that fits counts. A quoted include is within the layer's
# own folder unless it is listed.
LAYERS = [
    ("client/include/haypile/amqp/", [STANDARD, AMQP, CONFIG]),
    ("client/amqp/", [STANDARD, AMQP, re.compile(r'"[a-z_]+\.hpp"$')]),
    ("client/include/haypile/", [STANDARD, AMQP, CLIENT]),
    ("client/core/tls", [STANDARD, AMQP, CLIENT, re.compile(r"<openssl/[a-z_0-9]+\.h>$"),
                         re.compile(r"<arpa/inet\.h>$"), re.compile(r'"[a-z_]+\.hpp"$')]),
    ("client/core/", [STANDARD, AMQP, CLIENT, re.compile(r'"[a-z_]+\.hpp"$')]),
    ("client/src/", [STANDARD, POSIX, AMQP, CLIENT, re.compile(r'"(client/core/)?[a-z_]+\.hpp"$')]),
    ("client/command_line/", [STANDARD, re.compile(r"<CLI/"), COMMAND_LINE]),
    ("client/cli/", [STANDARD, POSIX, AMQP, CLIENT, re.compile(r"<(CLI|nlohmann)/"), COMMAND_LINE,
                     re.compile(r'"[a-z_]+\.hpp"$')]),
    ("client/examples/", [STANDARD, CLIENT]),
    ("broker/engine/", [STANDARD, re.compile(r'"engine/')]),
    ("broker/log/", [STANDARD, POSIX, re.compile(r"<xxhash\.h>$"), re.compile(r'"log/'),
                     re.compile(r'"engine/(backlog|canary|definitions|journal)\.hpp"$')]),
    ("broker/vhost/", [STANDARD, re.compile(r'"(vhost|engine|log)/')]),
    ("broker/session/", [STANDARD, AMQP, re.compile(r'"(session|engine)/')]),
    ("broker/server/", [STANDARD, POSIX, ASIO, BROKER, PRINTABLE, re.compile(r"<nlohmann/"),
                        re.compile(r'"(server|session|vhost|engine|log)/')]),
    ("broker/include/", [STANDARD, CONFIG]),
    ("broker/examples/", [STANDARD, CLIENT, BROKER]),
    ("broker/daemon/", [STANDARD, POSIX, BROKER, PRINTABLE, COMMAND_LINE,
                        re.compile(r"<(CLI|nlohmann|spdlog)/"), re.compile(r'"(daemon|log)/')]),
]


def sources(root):
    for folder in ("broker", "client", "bench", "tests"):
        for directory, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith((".hpp", ".cpp")):
                    path = os.path.join(directory, name)
                    with open(path) as file:
                        yield os.path.relpath(path, root), file.read()


def check_source(path, text):
    """What is wrong with one file, as (line, complaint)."""
    lines = text.split("\n")
    if len(lines) - 1 > FILE_LINES_MAX:
        yield len(lines), f"more than {FILE_LINES_MAX} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"more than {COLUMNS_MAX} columns"
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            yield number, "something is left to do"
    if path.endswith(".hpp") and "#pragma once" not in lines:
        yield 1, "no #pragma once"
    yield from check_functions(lines)
    yield from check_includes(path, lines)
    yield from check_comments(path, lines)


def check_functions(lines):
    """A block that begins at the margin and is no namespace, class or the like is a function;
    within a class it is one that begins a level deeper."""
    starts = {}
    kinds = []
    for number, line in enumerate(lines, 1):
        code = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'|//.*', "", line)
        for brace in re.findall(r"[{}]", code):
            if brace == "{":
                head = " ".join(lines[max(0, number - 4):number])
                head = re.split(r"[;}]", head.rsplit("{", 1)[0])[-1]
                outer = re.search(r"\b(namespace|class|struct|union|enum)\b[^()]*$", head)
                kinds.append("outer" if outer else "block")
                if kinds[-1] == "block" and "block" not in kinds[:-1]:
                    starts[len(kinds)] = number
            elif kinds:
                start = starts.pop(len(kinds), None)
                kinds.pop()
                if start and number - start + 1 > FUNCTION_LINES_MAX:
                    yield start, f"a function of more than {FUNCTION_LINES_MAX} lines"


def check_includes(path, lines):
    rules = next((rules for folder, rules in LAYERS if path.startswith(folder)), None)
    if rules is None:
        return
    for number, line in enumerate(lines, 1):
        included = re.match(r"\s*#\s*include\s+(\S+)", line)
        if included and not any(rule.match(included.group(1)) for rule in rules):
            yield number, f"may not include {included.group(1)}"


def check_comments(path, lines):
    """The first line of a comment on lines of its own must not begin in DANGLING's ways."""
    continues = False
    for number, line in enumerate(lines, 1):
        comment = re.match(r"\s*//\s*(.*)", line)
        if comment and not continues and comment.group(1).startswith(DANGLING):
            yield number, "a comment that begins with a fragment"
        continues = comment is not None


def source_folders(root):
    """The folders of the tree that have sources, without those of public headers."""
    for folder in ("broker", "client", "bench", "tests"):
        for directory, _, names in os.walk(os.path.join(root, folder)):
            path = os.path.relpath(directory, root)
            if "/include" not in path and any(name.endswith(SOURCES) for name in names):
                yield path


def documents(root):
    pages = [f"docs/{name}" for name in sorted(os.listdir(os.path.join(root, "docs")))
             if name.endswith(".md")]
    of_folders = [f"{path}/README.md" for path in source_folders(root)
                  if os.path.exists(os.path.join(root, path, "README.md"))]
    for path in ["README.md", *pages, *sorted(of_folders)]:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            yield path, file.read()


def check_document(path, text):
    """What is wrong with one document, as (line, complaint)."""
    lines = text.split("\n")
    if path == "README.md" and len(lines) - 1 > README_LINES_MAX:
        yield len(lines), f"more than {README_LINES_MAX} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > DOCUMENT_COLUMNS_MAX:
            yield number, f"more than {DOCUMENT_COLUMNS_MAX} columns"


def check_tree(root):
    for files, check in ((sources, check_source), (documents, check_document)):
        for path, text in files(root):
            for number, complaint in check(path, text):
                yield f"{path}:{number}: {complaint}"
    for path in source_folders(root):
        if path != "tests" and not os.path.exists(os.path.join(root, path, "README.md")):
            yield f"{path}: no README.md that says what lives there and what may not"
    for name in sorted(os.listdir(root)):
        if not name.startswith(".") and name not in TOP_LEVEL:
            yield f"{name}: not a name for the top of the tree"
