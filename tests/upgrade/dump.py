"""A data directory as text and back.

    file PATH SIZE          a file; what no line says of it is zero
    OFFSET HEX              bytes of it, in hexadecimal digits, from an offset in decimal ones

Paths are within the directory. A file that only sets space aside, or is locked, has no bytes."""
import os
import re

LINE_BYTES = 48
GAP_BYTES = 16  # as many zeros begin a new line
NO_BYTES = ("lock", "reserve")
NONZERO = re.compile(rb"[^\0](?:[^\0]|\0{1,%d}(?!\0))*" % (GAP_BYTES - 1), re.DOTALL)


def paths_of(directory):
    for folder, _, names in os.walk(directory):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), directory)


def lines_of(data):
    for match in NONZERO.finditer(data):
        for at in range(match.start(), match.end(), LINE_BYTES):
            yield f"{at} {data[at:min(at + LINE_BYTES, match.end())].hex()}"


def to_text(directory):
    lines = []
    for path in sorted(paths_of(directory)):
        # Spares are made anew at the start.
        if os.path.basename(path).startswith("spare"):
            continue
        with open(os.path.join(directory, path), "rb") as file:
            data = file.read()
        has_bytes = os.path.basename(path) not in NO_BYTES
        lines.append(f"file {path} {len(data) if has_bytes else 0}")
        lines += lines_of(data) if has_bytes else []
    return "\n".join(lines) + "\n"


def from_text(text, directory):
    file = None
    for line in text.splitlines():
        if line.startswith("file "):
            _, path, size = line.split(" ")
            path = os.path.join(directory, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if file:
                file.close()
            file = open(path, "wb")
            file.truncate(int(size))
        else:
            at, digits = line.split(" ")
            file.seek(int(at))
            file.write(bytes.fromhex(digits))
    if file:
        file.close()
