#!/usr/bin/env python3
"""README.md's examples do what they say: the C program is compiled and run, the recipe is
trained, the command lines are run, all on a tiny model under the names that README uses.

    test_readme.py README.md FINETUNE CC INCLUDE_FOLDER BUILD_INCLUDE_FOLDER LIBRARY_FOLDER

A fenced block is an example when the line before it is <!-- example: NAME -->.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

import tiny


def examples(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    return dict(re.findall(r"<!-- example: (\S+) -->\n```\w*\n(.*?)```", text, re.S))


def main(readme, finetune, cc, *folders):
    include, build_include, libraries = folders
    found, failed = examples(readme), 0
    wanted = {"train.c", "reviews.yaml", "commands"}
    if set(found) != wanted:
        print(f"FAIL  README.md has the examples {sorted(found)}, expected {sorted(wanted)}")
        return 1
    with tempfile.TemporaryDirectory() as root:
        tiny.write_model(os.path.join(root, "minilm"))
        for name, n in (("train.csv", 64), ("test.csv", 32)):
            tiny.write_table(os.path.join(root, name), n, seed=n)
        for name in ("train.c", "reviews.yaml"):
            with open(os.path.join(root, name), "w", encoding="utf-8") as f:
                f.write(found[name])
        os.makedirs(os.path.join(root, "bin"))
        os.symlink(os.path.abspath(finetune), os.path.join(root, "bin", "finetune"))
        environment = dict(os.environ, PATH=os.path.join(root, "bin") + ":" + os.environ["PATH"],
                           LD_LIBRARY_PATH=libraries)
        compile_it = [*shlex.split(cc), "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", include, "-I", build_include,
                      "train.c", "-o", "train", "-L", libraries, "-lfinetune"]
        jobs = [("train.c compiles", compile_it), ("train.c runs", ["./train"]),
                ("commands", ["sh", "-e", "-c", found["commands"]])]
        for what, command in jobs:
            p = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
            print(("ok    " if p.returncode == 0 else "FAIL  ") + what)
            if p.returncode != 0:
                failed += 1
                print(p.stdout[-2000:] + p.stderr[-2000:])
    print(f"{len(jobs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
