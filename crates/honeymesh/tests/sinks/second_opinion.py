"""Reads sinks with Python's own readers and Unicode tables: second_opinion.py FILE…; exits 1 and says what is wrong."""
import csv
import io
import json
import sys
import unicodedata

FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
FORBIDDEN = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
INVISIBLE = "\u034f\u115f\u1160\u3164\uffa0\u2800\u180b\ufe00\ufe0f"


def characters(text, ends):
    """Nothing that is obeyed or cannot be seen, but the ends of lines."""
    for c in set(text) - set(ends):
        if unicodedata.category(c) in FORBIDDEN or c in INVISIBLE:
            raise ValueError(f"U+{ord(c):04X} {unicodedata.name(c, '')}")


def cells(text, delimiter, strict):
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict))
    for row in rows:
        for cell in row:
            if cell.lstrip().lstrip('"').lstrip().startswith(FORMULA):
                raise ValueError(f"a formula: {cell[:80]!r}")
    return rows


def check(path):
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    kind = path.rsplit(".", 1)[-1]
    characters(text, "\r\n" if kind == "csv" else "\n")
    if kind == "csv":
        rows = cells(text, ",", True)
        cells(text, ";", False)
        if len({len(row) for row in rows}) != 1:
            raise ValueError("rows of different widths")
        header = rows[0]
        for row in rows[1:]:
            fields = dict(zip(header, row))["fields"]
            json.loads(fields or "{}")
    elif kind == "json":
        json.loads(text)
    elif kind == "jsonl":
        for line in text.split("\n")[:-1]:
            if not isinstance(json.loads(line), dict):
                raise ValueError("no object")


wrong = 0
for path in sys.argv[1:]:
    try:
        check(path)
    except (ValueError, csv.Error) as error:
        wrong += 1
        print(f"{path}: {error}")
sys.exit(1 if wrong else 0)
