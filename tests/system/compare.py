#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""compare.py DIR [NAME-PATTERN]

Compare what the module's emulator, Bochs and QEMU's TCG made of each test, from
DIR/ours.out, bochs.out and tcg.out. Bochs is the reference: a difference from it is an
error unless a line in the file "exclusions" beside this program knows it, and such a
line that knows none is one. TCG takes many short cuts (limits, accessed bits, reserved
bits, virtual interrupts): it is the second opinion on what differs from Bochs, and must
agree with us there or have an exclusion of its own. Where Bochs agrees with us TCG is
outvoted, and only counted.
Prints the tests' verdict in the words of tests/run. With a pattern it prints all that
is not excluded about the tests so named, and judges nothing.
"""
import os
import re
import sys

SIDES = ("bochs", "tcg")
# fields the exclusion of "*" does not stand for: that a test gave a result at all
LOST = "lost"


def read_results(path):
    """{number: {field: value}}; a field that is absent is as it was before the instruction."""
    results, whole = {}, False
    with open(path, errors="replace") as f:
        for line in f:
            number, *fields = line.split()
            whole = number == "END"
            results[number] = dict(field.split("=", 1) for field in fields if "=" in field)
    return results, whole


def read_names(path):
    with open(path) as f:
        return [line.rstrip("\n").split("\t") for line in f]


class Exclusion:
    """side | pattern of names | fields or * | reason"""

    def __init__(self, line, where):
        parts = [p.strip() for p in line.split(" | ", 3)]
        if len(parts) != 4 or not set(parts[0].split(",")) <= set(SIDES) or not parts[3]:
            raise SystemExit(f"{where}: not an exclusion: {line}")
        self.sides, self.line = parts[0].split(","), line
        self.name, self.fields = re.compile(parts[1]), re.compile(parts[2].replace("*", ".*"))
        self.used = {side: 0 for side in self.sides}

    def covers(self, side, name, field):
        return side in self.sides and self.name.search(name) and self.fields.fullmatch(field)


def read_exclusions(path):
    with open(path) as f:
        return [Exclusion(line.strip(), f"{path}:{n}") for n, line in enumerate(f, 1)
                if line.strip() and not line.startswith("#")]


def differences(ours, theirs, ignore):
    if ours is None or theirs is None:
        return [LOST]
    return [f for f in sorted(set(ours) | set(theirs)) if f not in ignore and ours.get(f) != theirs.get(f)]


def unexplained(side, name, fields, exclusions):
    left = []
    for field in fields:
        for e in exclusions:
            if e.covers(side, name, field):
                e.used[side] += 1
                break
        else:
            left.append(field)
    return left


def show(name, code, results, number):
    print(f"{name} [{code}]")
    for machine, r in results.items():
        fields = r.get(number)
        print(f"  {machine:6}", "-" if fields is None else " ".join(f"{k}={v}" for k, v in fields.items()))


def main(directory, pattern=None):
    here = os.path.dirname(os.path.abspath(__file__))
    names = read_names(directory + "/names")
    exclusions = read_exclusions(here + "/exclusions")
    results, failed = {}, False
    for machine in ("ours",) + SIDES:
        results[machine], whole = read_results(f"{directory}/{machine}.out")
        if not whole:
            print(f"FAIL system-{machine} it stopped after {len(results[machine])} of {len(names)} tests")
            failed = True
    for side in SIDES:
        bad = excluded = outvoted = 0
        for number, name, code, ignore in names:
            fields = differences(results["ours"].get(number), results[side].get(number), ignore.split(","))
            if side != SIDES[0]:
                asked = differences(results["ours"].get(number), results[SIDES[0]].get(number), ignore.split(","))
                outvoted += any(f not in asked for f in fields)
                fields = [f for f in fields if f in asked]
            left = unexplained(side, name, fields, exclusions)
            excluded += bool(fields) and not left
            bad += bool(left)
            if left and (re.search(pattern, name) if pattern else bad <= 20):
                print(f"{side}: {','.join(left)}: ", end="")
                show(name, code, results, number)
        unused = [e.line for e in exclusions if side in e.used and not e.used[side]]
        if pattern or any(os.environ.get(name) for name in ("SYSTEM_SEED", "SYSTEM_LIMIT")):
            unused = []         # another sample need not have all of it
        for line in unused:
            print(f"no test needs this any more for {side}: {line}")
        verdict = "FAIL" if bad or unused else "PASS"
        failed = failed or verdict == "FAIL"
        print(f"{verdict} system-{side} {len(names)} tests compared, {excluded} excluded, "
              f"{outvoted} outvoted, {bad} differ")
    return failed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    sys.exit(main(*sys.argv[1:]))
