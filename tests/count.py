#!/usr/bin/env python3
"""Adds up what the tests of a run counted: `count.py TESTLOG.json…` prints one line.

Check says "100%: Checks: 12, Failures: 0, Errors: 0", our scripts "12 passed, 0 failed"; a test
that says neither is one check. Exit 1 where something failed or nothing ran.
"""
import json
import re
import sys

passed = failed = skipped = 0
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        for test in map(json.loads, f):
            if test["result"] == "SKIP":
                skipped += 1
                continue
            good, bad = 0, 0
            for checks, failures, errors in re.findall(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)",
                                                       test.get("stdout", "")):
                bad += int(failures) + int(errors)
                good += int(checks) - int(failures) - int(errors)
            for line in re.findall(r"^(\d+) passed, (\d+) failed", test.get("stdout", ""), re.M):
                good, bad = good + int(line[0]), bad + int(line[1])
            fine = test["result"] in ("OK", "EXPECTEDFAIL")
            if fine and good + bad == 0:
                good = 1
            if not fine and bad == 0:       # it crashed or ran out of time
                bad = 1
            passed, failed = passed + good, failed + bad
if skipped:
    print(f"{skipped} tests skipped")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
