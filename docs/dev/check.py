#!/usr/bin/env python3
"""Checks the documents: relative links lead somewhere, headings that links name
are there, every test and file that is named in code marks exists, and each hazard
of docs/hazards.md names a test.

    python3 docs/dev/check.py
"""

import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
documents = sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])
tests = set()
for file in subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "*_test.go"], capture_output=True, text=True, check=True).stdout.split():
    tests.update(re.findall(r"^func ((?:Test|Fuzz|Benchmark)\w+)\(", (root / file).read_text(), re.M))
every = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split()
names = {pathlib.PurePosixPath(f).name for f in every}
# Names of parts of tests, where tests are written: whole texts in quotes.
parts = set()
for file in every:
    if file.endswith("_test.go") or file.startswith("internal/enforce/enforcetest/"):
        parts.update(re.findall(r'"([^"\\\n]+)"', (root / file).read_text()))
faults = []


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path):
    return {anchor(h) for h in re.findall(r"^#+ (.*)$", path.read_text(), re.M)}


for doc in documents:
    text = doc.read_text()
    where = doc.relative_to(root)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, part = target.partition("#")
        path = (doc.parent / file) if file else doc
        if not path.exists():
            faults.append(f"{where}: {target}: there is no such file")
        elif part and part not in anchors(path):
            faults.append(f"{where}: {target}: there is no such heading")
    for word in re.findall(r"`([^`\n]+)`", prose):
        test = re.fullmatch(r"((?:Test|Fuzz|Benchmark)[A-Z]\w*)(?:/(.*))?", word)
        if test and (test[1] not in tests or test[2] and test[2] not in parts):
            faults.append(f"{where}: there is no test {word}")
        if re.fullmatch(r"[\w./-]+\.(go|s|sh|py|md|txt|json|svg)", word) and "/" in word and not word.startswith(("/", "./", "~", "audit/", "docs/bench")):
            if not any(f == word or f.endswith("/" + word) for f in every):
                faults.append(f"{where}: there is no file {word}")
        elif re.fullmatch(r"\w+\.(go|s)", word) and word not in names:
            faults.append(f"{where}: there is no file {word}")
        elif re.fullmatch(r"(cmd|internal|test|scripts|docs|api|examples)/[\w/.-]*/?", word) and not (root / word).exists() and word != "docs/bench":
            faults.append(f"{where}: there is no folder {word}")

for row in re.findall(r"^\|.*\|$", (root / "docs/hazards.md").read_text(), re.M):
    if not re.match(r"\| hazard |\|---", row) and not re.search(r"`(Test|Fuzz)\w+[^`]*` \|$|`(Test|Fuzz)\w+[^`]*`,", row):
        faults.append(f"docs/hazards.md: no test holds: {row}")

for f in faults:
    print(f)
print(f"{len(documents)} documents, {len(faults)} faults")
sys.exit(1 if faults else 0)
