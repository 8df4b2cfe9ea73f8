#!/usr/bin/env python3
"""history-report: one HTML page about the history of a git repository.

    report.py REPOSITORY OUTPUT_FOLDER

writes OUTPUT_FOLDER/report.html: a single file with its styles and charts
inside. The page loads nothing, from this computer or from any other.
"""

import argparse
import collections
import dataclasses
import datetime
import errno
import hashlib
import html
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

VERSION = "1.0.0"
COLLECTOR = "https://example.com/history-report/ping"


# ---------------------------------------------------------------- reading git


@dataclasses.dataclass
class Change:
    path: str
    added: int
    removed: int
    binary: bool


@dataclasses.dataclass
class Commit:
    hash: str
    author: str
    email: str
    when: datetime.datetime  # in the author's own time zone
    subject: str
    changes: list

    @property
    def added(self):
        return sum(c.added for c in self.changes)

    @property
    def removed(self):
        return sum(c.removed for c in self.changes)


def git(repository, *arguments):
    """Runs git and returns what it printed, as bytes."""
    environment = dict(os.environ)
    # The repository may belong to somebody else (a container, a shared disk).
    # It is only read, and no program that it names is started.
    settings = {
        "safe.directory": "*",
        "core.fsmonitor": "false",
        "core.hooksPath": os.devnull,
        "log.showSignature": "false",
    }
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    environment["GIT_TERMINAL_PROMPT"] = "0"
    environment["LC_ALL"] = "C.UTF-8"
    command = ["git", "--no-pager", "-C", os.fspath(repository), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"history-report: git {arguments[0]}: {text(done.stderr).strip() or done.returncode}")
    return done.stdout


def text(raw):
    """File names and messages may hold any byte."""
    return raw.decode("utf-8", "backslashreplace")


def read_history(repository):
    """Returns every commit that HEAD can reach, oldest first."""
    log = git(
        repository, "log", "-z", "--numstat", "-M", "--no-ext-diff", "--no-textconv", "--use-mailmap",
        "--format=%x1e%H%x1f%aN%x1f%aE%x1f%aI%x1f%s%x1f",
    )
    commits = []
    for block in log.split(b"\x1e")[1:]:
        commit, author, email, when, subject, rest = block.split(b"\x1f", 5)
        changes = []
        fields = iter(rest.lstrip(b"\x00\n").split(b"\x00"))
        for field in fields:
            parts = field.lstrip(b"\n").split(b"\t", 2)
            if len(parts) != 3:
                continue
            added, removed, path = parts
            if not path:  # a rename: the old and the new name follow
                next(fields)
                path = next(fields)
            binary = added == b"-"
            changes.append(Change(text(path), 0 if binary else int(added), 0 if binary else int(removed), binary))
        commits.append(Commit(
            text(commit), text(author) or "unknown", text(email),
            datetime.datetime.fromisoformat(text(when).replace("Z", "+00:00")), text(subject), changes,
        ))
    commits.reverse()
    return commits


def name_of(repository):
    """The repository's name: that of its remote, else that of its folder."""
    remote = subprocess_ok(repository, "config", "--get", "remote.origin.url")
    name = re.split(r"[/:]", remote.rstrip("/"))[-1] if remote else ""
    name = name.removesuffix(".git")
    return name or pathlib.Path(repository).resolve().name or "repository"


def subprocess_ok(repository, *arguments):
    try:
        return text(git(repository, *arguments)).strip()
    except SystemExit:
        return ""


# ------------------------------------------------------------------- counting


@dataclasses.dataclass
class Bucket:
    start: datetime.datetime
    label: str
    commits: int = 0
    added: int = 0
    removed: int = 0
    lines: int = 0  # net lines at its end


UNITS = {  # how a chart names its steps, and their length in hours
    "ten minutes": 1 / 6, "hour": 1, "six hours": 6, "day": 24, "week": 168, "month": 730,
}


def buckets_of(commits):
    """Cuts the history into equal steps, the finest that give no more than a
    hundred of them."""
    clock = [c.when.replace(tzinfo=None) for c in commits]
    first, last = min(clock), max(clock)
    hours = (last - first).total_seconds() / 3600
    unit = next((u for u, length in UNITS.items() if hours / length <= 100), "month")
    day = datetime.timedelta(days=1)

    def floor(t):
        t = t.replace(second=0, microsecond=0)
        if unit == "ten minutes":
            return t.replace(minute=t.minute // 10 * 10)
        t = t.replace(minute=0)
        if unit == "hour":
            return t
        if unit == "six hours":
            return t.replace(hour=t.hour // 6 * 6)
        t = t.replace(hour=0)
        if unit == "week":
            return t - t.weekday() * day
        return t.replace(day=1) if unit == "month" else t

    def before(t):
        return floor(t - datetime.timedelta(minutes=1))

    pattern = {"ten minutes": "%-d %b %H:%M", "hour": "%-d %b %H:00", "six hours": "%-d %b %H:00", "day": "%-d %b %Y", "week": "week of %-d %b %Y", "month": "%B %Y"}[unit]
    starts, start = [], floor(last)
    # A short history still gets a chart, not one wide block: empty steps
    # before its first commit.
    while start >= floor(first) or len(starts) < 12:
        starts.append(start)
        start = before(start)
    row = {start: Bucket(start, start.strftime(pattern)) for start in reversed(starts)}
    for commit, when in zip(commits, clock):
        bucket = row[floor(when)]
        bucket.commits += 1
        bucket.added += commit.added
        bucket.removed += commit.removed
    total = 0
    for bucket in row.values():
        total += bucket.added - bucket.removed
        bucket.lines = total
    return unit, list(row.values())


@dataclasses.dataclass
class Tally:
    commits: int = 0
    added: int = 0
    removed: int = 0
    last: str = ""


def tally(commits, key_of):
    """Counts commits and lines per key; key_of(commit) yields (key, changes)."""
    found = collections.defaultdict(Tally)
    for commit in commits:
        for key, changes in key_of(commit):
            t = found[key]
            t.commits += 1
            t.added += sum(c.added for c in changes)
            t.removed += sum(c.removed for c in changes)
            t.last = commit.when.strftime("%-d %b %Y")
    return found


def by_author(commit):
    yield commit.author, commit.changes


def by_file(commit):
    for change in commit.changes:
        yield change.path, [change]


def by_folder(commit):
    folders = collections.defaultdict(list)
    for change in commit.changes:
        head, slash, rest = change.path.partition("/")
        if slash and "/" in rest and head in ("internal", "src", "pkg", "lib", "packages", "cmd", "examples"):
            head = head + "/" + rest.partition("/")[0]
        folders[head + slash if slash else "(top folder)"].append(change)
    yield from folders.items()


# -------------------------------------------------------------------- drawing


def esc(value):
    return html.escape(str(value), quote=True)


def every(unit):
    return f"every {unit}" if " " in unit else f"per {unit}"


def number(n):
    return f"{n:,}".replace(",", "\u202f")


def short(n):
    sign, n = ("−" if n < 0 else ""), abs(n)
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if n >= limit:
            return f"{sign}{n / limit:.1f}".rstrip("0").rstrip(".") + unit
    return f"{sign}{n}"


def plural(n, word):
    return f"{number(n)} {word}" + ("" if n == 1 else "s")


def ceiling(n):
    """The next round number: the top of an axis."""
    if n <= 4:
        return max(n, 2) + max(n, 2) % 2
    size = 10 ** (len(str(n)) - 1)
    return next(int(size * step) for step in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if size * step >= n)


def x_labels(row, unit):
    """At most seven labels under a chart, as (position in percent, text)."""
    pattern = {"ten minutes": "%H:%M", "hour": "%H:00", "six hours": "%-d %b", "day": "%-d %b", "week": "%-d %b %y", "month": "%b %Y"}[unit]
    fits = [1, 2, 3, 6, 12, 24] if unit in ("ten minutes", "hour") else [4, 8, 16, 28] if unit == "six hours" else range(1, len(row) + 1)
    step = next((s for s in fits if len(row) / s <= 7), len(row))
    align = {"ten minutes": lambda t: (t.hour * 6 + t.minute // 10) % step, "hour": lambda t: t.hour % step, "six hours": lambda t: t.hour}.get(unit)
    first = next((i for i, b in enumerate(row) if not align(b.start)), 0) if align else 0
    for i in range(first, len(row), step):
        start = row[i].start
        label = start.strftime("%-d %b" if unit == "hour" and start.hour == 0 or unit == "ten minutes" and start.hour + start.minute == 0 else pattern)
        yield (i if align else i + 0.5) * 100 / len(row), label


def plot(svg, y_labels, row, unit, title, height):
    """A chart: stretched SVG for the marks, HTML for the words, so that the
    words keep their size on a phone."""
    grid = "".join(f'<i style="top:{p:.2f}%"><b>{esc(t)}</b></i>' for p, t in y_labels)
    marks = list(x_labels(row, unit))
    below = "".join(f'<span style="left:{p:.2f}%"{" class=edge" if p > 88 else ""}>{esc(t)}</span>' for p, t in marks)
    crowded = " crowded" if len(marks) > 4 else ""
    return (
        f'<div class="plot" style="--h:{height}px"><div class="grid" aria-hidden="true">{grid}</div>'
        f'<svg role="img" aria-label="{esc(title)}" viewBox="0 0 1000 100" preserveAspectRatio="none">{svg}</svg>'
        f'<div class="below{crowded}" aria-hidden="true">{below}</div></div>'
    )


def rectangle(i, count, y, h, css, hint):
    slot = 1000 / count
    gap = min(slot * 0.22, 6)
    return (
        f'<rect class="{css}" x="{i * slot + gap / 2:.2f}" y="{y:.2f}" width="{slot - gap:.2f}" height="{h:.2f}">'
        f"<title>{esc(hint)}</title></rect>"
    )


def commits_chart(row, unit):
    top = ceiling(max(b.commits for b in row))
    marks = [
        rectangle(i, len(row), 100 - b.commits * 100 / top, b.commits * 100 / top, "commits", f"{b.label}: {plural(b.commits, 'commit')}")
        for i, b in enumerate(row) if b.commits
    ]
    labels = [(0, short(top)), (50, short(top // 2)), (100, "0")]
    return plot("".join(marks), labels, row, unit, f"Commits {every(unit)}", 180)


def lines_chart(row, unit):
    up, down = max(b.added for b in row), max(b.removed for b in row)
    if up + down == 0:
        return '<p class="quiet">No line was changed.</p>'
    top = ceiling(max(up, 1))
    bottom = ceiling(down) if down else 0
    # One scale for both sides, with a sliver for the smaller one.
    bottom = max(bottom, top * 0.06)
    scale = 100 / (top + bottom)
    zero = top * scale
    marks = []
    for i, b in enumerate(row):
        hint = f"{b.label}: +{number(b.added)} −{number(b.removed)} lines"
        if b.added:
            marks.append(rectangle(i, len(row), zero - b.added * scale, b.added * scale, "added", hint))
        if b.removed:
            marks.append(rectangle(i, len(row), zero, b.removed * scale, "removed", hint))
    labels = [(0, "+" + short(top)), (zero / 2, "+" + short(int(top / 2))), (zero, "0")]
    if bottom > top * 0.2:
        labels.append((100, short(-int(bottom))))
    return plot("".join(marks), labels, row, unit, f"Lines added and removed {every(unit)}", 220)


def size_chart(row, unit):
    top = ceiling(max(max(b.lines for b in row), 1))
    points = [(0.0, 100.0)]
    for i, b in enumerate(row):
        points.append(((i + 1) * 1000 / len(row), 100 - max(b.lines, 0) * 100 / top))
    path = " ".join(f"{x:.1f},{y:.2f}" for x, y in points)
    svg = f'<polygon class="area" points="{path} 1000,100"/><polyline class="line" points="{path}"/>'
    for i, b in enumerate(row):
        svg += (
            f'<rect class="hit" x="{i * 1000 / len(row):.2f}" y="0" width="{1000 / len(row):.2f}" height="100">'
            f"<title>{esc(b.label)}: {number(b.lines)} lines in all</title></rect>"
        )
    labels = [(0, short(top)), (50, short(top // 2)), (100, "0")]
    return plot(svg, labels, row, unit, "Lines in the repository over time", 180)


def week_chart(commits):
    """When the work is done: a cell for each hour of the week."""
    count = collections.Counter((c.when.weekday(), c.when.hour) for c in commits)
    most = max(count.values())
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    cells = ['<span></span>']
    cells += [f'<span class="hour{" six" if h % 6 == 0 else ""}">{h if h % 3 == 0 else ""}</span>' for h in range(24)]
    for d, day in enumerate(days):
        cells.append(f'<span class="day">{day}</span>')
        for h in range(24):
            n = count[d, h]
            level = 0 if n == 0 else -(-5 * n // most)
            cells.append(f'<i class="l{level}" title="{day} {h:02}:00, {plural(n, "commit")}"></i>')
    return f'<div class="week" role="img" aria-label="Commits for each hour of the week">{"".join(cells)}</div>'


def bars(found, order, limit, caption, mono=False):
    """A ranked list: name, a bar of lines added and removed, the numbers."""
    ranked = sorted(found.items(), key=lambda item: (-order(item[1]), item[0]))
    most = max((order(t) for _, t in ranked), default=0) or 1
    rows = []
    for name, t in ranked[:limit]:
        share = order(t) * 100 / most
        lines = t.added + t.removed
        plus = 100 if lines == 0 else t.added * 100 / lines
        label = f"<bdi{' class=mono' if mono else ''}>{esc(name)}</bdi>"
        rows.append(
            f'<li><div class="name">{label}<span>{plural(t.commits, "commit")}</span></div>'
            f'<div class="bar" style="width:max({share:.1f}%,3px)"><i class="added" style="width:{plus:.1f}%"></i>'
            f'<i class="removed" style="width:{100 - plus:.1f}%"></i></div>'
            f'<div class="sum"><span class="plus">+{number(t.added)}</span> <span class="minus">−{number(t.removed)}</span></div></li>'
        )
    more = len(ranked) - limit
    rest = f'<p class="quiet">and {plural(more, "other")}</p>' if more > 0 else ""
    return f'<ol class="bars" aria-label="{esc(caption)}">{"".join(rows)}</ol>{rest}'


def newest(commits, limit):
    rows = "".join(
        f'<tr><td class="mono">{esc(c.hash[:9])}</td><td class="subject">{esc(c.subject)}</td><td>{esc(c.author)}</td>'
        f'<td class="when">{esc(c.when.strftime("%-d %b %H:%M"))}</td>'
        f'<td class="sum"><span class="plus">+{short(c.added)}</span> <span class="minus">−{short(c.removed)}</span></td></tr>'
        for c in reversed(commits[-limit:])
    )
    return f"<table><thead><tr><th>Commit</th><th>Subject</th><th>Author</th><th>When</th><th>Lines</th></tr></thead><tbody>{rows}</tbody></table>"


def table_of(row, unit):
    rows = "".join(
        f"<tr><td>{esc(b.label)}</td><td>{number(b.commits)}</td><td>+{number(b.added)}</td><td>−{number(b.removed)}</td><td>{number(b.lines)}</td></tr>"
        for b in row if b.commits
    )
    head = f"<th>Time</th><th>Commits</th><th>Added</th><th>Removed</th><th>Lines in all</th>"
    return f"<details><summary>The same in numbers</summary><table class=numbers><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"


STYLE = """
:root{color-scheme:light dark;
 --page:#f6f5f1;--card:#fff;--ink:#1d1f24;--soft:#62666f;--rule:#e3e1da;--grid:#eceae4;
 --blue:#2f6bd8;--blue-soft:#dbe6fb;--green:#1a8f6b;--red:#d9583b;
 --w0:#efede7;--w1:#cfdffa;--w2:#9dbdf3;--w3:#6a98e8;--w4:#3f75d6;--w5:#1f4fa8}
@media(prefers-color-scheme:dark){:root{
 --page:#14161a;--card:#1c1f25;--ink:#e9e9e6;--soft:#9ca1ab;--rule:#2c3038;--grid:#282c34;
 --blue:#6ea1ff;--blue-soft:#22344f;--green:#3fb98f;--red:#f0805f;
 --w0:#262a31;--w1:#1f3457;--w2:#294f8c;--w3:#3a6cc0;--w4:#5b8fe8;--w5:#9cc0ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
 -webkit-text-size-adjust:100%}
main{max-width:1080px;margin:0 auto;padding:40px 20px 56px}
header{margin-bottom:28px}
h1{font-size:clamp(26px,5vw,38px);line-height:1.15;letter-spacing:-.02em;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:16px;margin:0;letter-spacing:-.005em}
p{margin:0}
.lead,.quiet,.note{color:var(--soft)}
.note{font-size:13px;margin:2px 0 14px}
.quiet{font-size:13px;margin-top:10px}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.87em}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:12px;margin-bottom:12px}
.tile,section{background:var(--card);border:1px solid var(--rule);border-radius:12px}
.tile{padding:14px 16px}
.tile b{display:block;font-size:26px;line-height:1.2;font-weight:640;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile em{font-style:normal}
.tile span{color:var(--soft);font-size:13px}
.cards{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:12px}
section{padding:18px 20px 20px;min-width:0}
.wide{grid-column:1/-1}
.plot{position:relative;padding:8px 0 26px 46px}
.plot svg{display:block;position:relative;width:100%;height:var(--h);overflow:visible}
.grid{position:absolute;left:46px;right:0;top:8px;height:var(--h)}
.grid i{position:absolute;left:0;right:0;border-top:1px solid var(--grid)}
.grid b{position:absolute;right:100%;top:-9px;padding-right:8px;font-size:12px;line-height:18px;font-weight:400;font-style:normal;color:var(--soft);
 white-space:nowrap;font-variant-numeric:tabular-nums}
.below{position:relative;height:0}
.below span{position:absolute;top:7px;transform:translateX(-50%);font-size:12px;line-height:18px;color:var(--soft);white-space:nowrap}
.below .edge{transform:translateX(-100%);margin-left:14px}
.commits{fill:var(--blue)}rect.added{fill:var(--green)}rect.removed{fill:var(--red)}
svg rect:hover{opacity:.72}
.area{fill:var(--blue-soft)}.line{fill:none;stroke:var(--blue);stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.hit{fill:transparent}.hit:hover{fill:var(--blue);opacity:.12}
.key{display:inline-flex;align-items:center;gap:6px;margin-right:14px}
.key:before{content:"";width:10px;height:10px;border-radius:3px;background:var(--c)}
.week{display:grid;grid-template-columns:34px repeat(24,minmax(0,1fr));gap:3px;align-items:center}
.week i{height:20px;border-radius:3px;background:var(--w0)}
.week .l1{background:var(--w1)}.week .l2{background:var(--w2)}.week .l3{background:var(--w3)}.week .l4{background:var(--w4)}.week .l5{background:var(--w5)}
.week span{font-size:12px;color:var(--soft);line-height:1}
.hour{text-align:left;overflow:visible;white-space:nowrap}
.bars{list-style:none;margin:0;padding:0;display:grid;gap:12px}
.bars li{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:3px 12px;align-items:baseline}
.name{display:flex;gap:8px;align-items:baseline;min-width:0}
.name bdi{overflow-wrap:anywhere}
.name span{color:var(--soft);font-size:12.5px;white-space:nowrap}
.bar{grid-column:1/-1;grid-row:2;display:flex;height:8px;border-radius:4px;overflow:hidden}
.bar .added{background:var(--green)}.bar .removed{background:var(--red)}
.sum{font-size:12.5px;font-variant-numeric:tabular-nums;white-space:nowrap;text-align:right}
.plus{color:var(--green)}.minus{color:var(--red)}
table{border-collapse:collapse;width:100%;font-size:14px}
th{font-weight:500;color:var(--soft);font-size:12.5px;text-align:left}
th,td{padding:7px 14px 7px 0;border-bottom:1px solid var(--rule);vertical-align:baseline}
tr:last-child td{border-bottom:0}
th:last-child,td:last-child{padding-right:0;text-align:right}
.subject{overflow-wrap:anywhere;width:60%}.when{white-space:nowrap;color:var(--soft)}
details{margin-top:14px;font-size:13px}summary{cursor:pointer;color:var(--soft)}
.numbers{margin-top:8px}.numbers td,.numbers th{text-align:right;font-variant-numeric:tabular-nums}.numbers td:first-child,.numbers th:first-child{text-align:left}
footer{margin-top:22px;color:var(--soft);font-size:13px}
@media(max-width:760px){
 main{padding:24px 12px 40px}.cards{grid-template-columns:minmax(0,1fr)}section{padding:16px 14px 18px}
 .tiles{grid-template-columns:repeat(2,minmax(0,1fr))}.tile b{font-size:22px}
 .crowded span:nth-child(even){display:none}.name{flex-wrap:wrap;row-gap:0}
 .week{gap:2px;grid-template-columns:30px repeat(24,minmax(0,1fr))}.hour:not(.six){color:transparent}
 .recent table,.recent tbody,.recent tr,.recent td{display:block;width:auto;text-align:left;padding:0;border:0}.recent thead{display:none}
 .recent tr{padding:9px 0;border-bottom:1px solid var(--rule)}.recent tr:last-child{border:0}
 .recent td:not(.subject){display:inline;margin-right:10px;font-size:12.5px;color:var(--soft)}
 .numbers th,.numbers td{padding-right:8px}
}
@media print{body{background:#fff}section,.tile{break-inside:avoid}}
"""


def page(name, head, files, commits):
    unit, row = buckets_of(commits)
    first, last = commits[0].when, commits[-1].when
    for c in commits:
        first, last = min(first, c.when), max(last, c.when)
    authors = tally(commits, by_author)
    added, removed = sum(c.added for c in commits), sum(c.removed for c in commits)
    days = {c.when.date() for c in commits}
    touched = tally(commits, by_file)
    one_day = first.date() == last.date()
    period = first.strftime("%-d %B %Y") if one_day else f"{first.strftime('%-d %B %Y')} to {last.strftime('%-d %B %Y')}"
    tiles = [
        (number(len(commits)), "commit" if len(commits) == 1 else "commits"),
        (number(len(authors)), "author" if len(authors) == 1 else "authors"),
        (number(files), "file now" if files == 1 else "files now"),
        (f'<em class="plus">+{short(added)}</em>', "lines added"),
        (f'<em class="minus">−{short(removed)}</em>', "lines removed"),
        (number(len(days)), "day with work" if len(days) == 1 else "days with work"),
    ]
    tile = "".join(f'<div class="tile"><b>{value}</b><span>{label}</span></div>' for value, label in tiles)
    key = '<span class="key" style="--c:var(--green)">added</span><span class="key" style="--c:var(--red)">removed</span>'
    busiest = max(row, key=lambda b: b.commits)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{esc(name)}: history</title>
<style>{STYLE}</style>
</head>
<body><main>
<header><h1>{esc(name)}</h1><p class="lead">{esc(period)} · at <span class="mono">{esc(head[:12])}</span></p></header>
<div class="tiles">{tile}</div>
<div class="cards">
<section class="wide"><h2>Commits {every(unit)}</h2><p class="note">Most: {number(busiest.commits)}, {esc(busiest.label)}</p>{commits_chart(row, unit)}</section>
<section class="wide"><h2>Lines added and removed {every(unit)}</h2><p class="note">{key}</p>{lines_chart(row, unit)}{table_of(row, unit)}</section>
<section><h2>Size over time</h2><p class="note">Lines added less lines removed, summed up</p>{size_chart(row, unit)}</section>
<section><h2>When the work is done</h2><p class="note">Commits for each hour of the week, by the author’s clock</p>{week_chart(commits)}</section>
<section><h2>Authors</h2><p class="note">By commits; the bar is split into lines {key}</p>{bars(authors, lambda t: t.commits, 10, "Authors")}</section>
<section><h2>Folders</h2><p class="note">By lines changed</p>{bars(tally(commits, by_folder), lambda t: t.added + t.removed, 10, "Folders", mono=True)}</section>
<section class="wide"><h2>Most changed files</h2><p class="note">By commits that touched them, then by lines; {key}</p>{
    bars(touched, lambda t: t.commits + (t.added + t.removed) / 1e9, 14, "Most changed files", mono=True)}</section>
<section class="wide recent"><h2>Newest commits</h2><p class="note">The last {min(len(commits), 12)} of {number(len(commits))}</p>{newest(commits, 12)}</section>
</div>
<footer>Made by history-report {VERSION} from <span class="mono">git log --numstat</span>. This page is one file and loads nothing.</footer>
</main></body></html>
"""


# ----------------------------------------------------------- usage statistics


def why(problem):
    """What the operating system answered, in its own words."""
    while isinstance(problem, urllib.error.URLError) and isinstance(problem.reason, BaseException):
        problem = problem.reason
    if isinstance(problem, socket.gaierror):
        return problem.strerror
    if isinstance(problem, OSError) and problem.errno:
        return f"{os.strerror(problem.errno)} ({errno.errorcode.get(problem.errno, problem.errno)})"
    return str(problem) or type(problem).__name__


def usage_statistics(identity, collectors, commits):
    """Counts how many different machines the tool is used on. Optional: the
    report is made whatever happens here."""
    print("usage statistics:")
    machine = ""
    try:
        key = identity.read_bytes()
        machine = hashlib.sha256(key).hexdigest()[:16]
        print(f"  read  {identity}: {len(key)} bytes")
    except OSError as problem:
        print(f"  read  {identity}: {why(problem)}")
    body = json.dumps({"tool": "history-report", "version": VERSION, "machine": machine, "commits": commits}).encode()
    for url in collectors:
        try:
            request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=5) as answer:
                print(f"  send  {url}: {answer.status} {answer.reason}")
        except urllib.error.HTTPError as answer:
            print(f"  send  {url}: {answer.code} {answer.reason}")
        except (OSError, ValueError) as problem:
            print(f"  send  {url}: {why(problem)}")


# ----------------------------------------------------------------------- main


def main():
    parser = argparse.ArgumentParser(prog="history-report", description="Writes one HTML page about the history of a git repository.")
    parser.add_argument("repository", type=pathlib.Path, help="the repository to read")
    parser.add_argument("output", type=pathlib.Path, help="the folder to write report.html into")
    parser.add_argument("--title", help="heading of the page (default: the repository's name)")
    parser.add_argument("--identity", type=pathlib.Path, default=pathlib.Path.home() / ".ssh" / "id_ed25519",
                        metavar="FILE", help="key that tells this machine from others in the usage statistics")
    parser.add_argument("--collector", action="append", metavar="URL", help=f"where usage statistics go (default {COLLECTOR})")
    parser.add_argument("--version", action="version", version=VERSION)
    options = parser.parse_args()

    commits = read_history(options.repository)
    if not commits:
        raise SystemExit("history-report: the repository has no commits")
    usage_statistics(options.identity, options.collector or [COLLECTOR], len(commits))

    head = subprocess_ok(options.repository, "rev-parse", "HEAD")
    files = git(options.repository, "ls-tree", "-r", "-z", "--name-only", "HEAD").count(b"\0")
    document = page(options.title or name_of(options.repository), head, files, commits)
    options.output.mkdir(parents=True, exist_ok=True)
    target = options.output / "report.html"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=options.output, prefix=".report-", delete=False) as draft:
        draft.write(document)
    os.chmod(draft.name, 0o644)
    os.replace(draft.name, target)
    print(f"wrote {target}: {plural(len(commits), 'commit')}, {plural(files, 'file')}")


if __name__ == "__main__":
    sys.exit(main())
