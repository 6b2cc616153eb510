#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""compare.py [--whole] DIR [NAME-PATTERN]

Compare what the module's emulator, Bochs and QEMU's TCG made of each test, from
DIR/ours.out and real.out (real mode once more, wholly emulated), bochs.out and tcg.out.
Bochs is the reference: a difference from it is an error unless a line in the file
"exclusions" beside this program knows it, and such a line that knows none is one where
the tests are --whole, no sample. TCG takes many short cuts (limits, accessed bits, reserved
bits, virtual interrupts): it is the second opinion on what differs from Bochs, and must
agree with us there or have an exclusion of its own. Where Bochs agrees with us TCG is
outvoted, and only counted, as are tests that are not for it since they would stop it.
Prints the tests' verdict in the words of tests/run. With a pattern it prints all that
is not excluded about the tests so named, and judges nothing.
"""
import argparse
import os
import re
import sys

OURS, SIDES = ("ours", "real"), ("bochs", "tcg")
# fields the exclusion of "*" does not stand for: that a test gave a result at all
LOST = "lost"


def read_results(path):
    """{number: {field: value}}; a field that is absent is as it was before the instruction."""
    results, complete = {}, False
    with open(path, errors="replace") as f:
        for line in f:
            number, *fields = line.split()
            complete = number == "END"
            results[number] = dict(field.split("=", 1) for field in fields if "=" in field)
    return results, complete


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


def disputed(results, us, side, number, ignore):
    """Fields in which @side differs from us, of TCG's those in which Bochs does, and whether it has others."""
    mine = results[us].get(number)
    fields = differences(mine, results[side].get(number), ignore)
    if side == SIDES[0]:
        return fields, False
    asked = differences(mine, results[SIDES[0]].get(number), ignore)
    return [f for f in fields if f in asked], any(f not in asked for f in fields)


def judge(results, us, side, names, exclusions, pattern):
    """Compare us with @side: prints, and returns whether all is well."""
    absent = excluded = outvoted = bad = 0
    names = [n for n in names if us in n[4].split(",")]
    for number, name, code, ignore, machines in names:
        if side not in machines.split(","):
            absent += 1
            continue
        fields, more = disputed(results, us, side, number, ignore.split(","))
        left = unexplained(side, name, fields, exclusions)
        outvoted += more
        excluded += bool(fields) and not left
        bad += bool(left)
        if left and (re.search(pattern, name) if pattern else bad <= 20):
            print(f"{us} and {side}: {','.join(left)}: ", end="")
            show(name, code, results, number)
    print(f"{'FAIL' if bad else 'PASS'} system-{us}-{side} {len(names) - absent} tests compared, {absent} not run, "
          f"{excluded} excluded, {outvoted} outvoted, {bad} differ")
    return not bad


def main(directory, pattern, whole):
    here = os.path.dirname(os.path.abspath(__file__))
    names = read_names(directory + "/names")
    exclusions = read_exclusions(here + "/exclusions")
    results, good = {}, True
    for machine in OURS + SIDES:
        results[machine], complete = read_results(f"{directory}/{machine}.out")
        if not complete:
            print(f"FAIL system-{machine} it stopped after {len(results[machine])} tests")
            good = False
    for us in OURS:
        for side in SIDES:
            good = judge(results, us, side, names, exclusions, pattern) and good
    for e in exclusions:
        for side in e.sides:
            if whole and not e.used[side]:
                print(f"FAIL system-exclusions no test needs this for {side}: {e.line}")
                good = False
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("directory")
    parser.add_argument("pattern", nargs="?")
    args = parser.parse_args()
    sys.exit(not main(args.directory, args.pattern, args.whole))
