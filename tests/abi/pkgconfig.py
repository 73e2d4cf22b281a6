#!/usr/bin/env python3
"""What an application does: install, ask pkg-config, compile, link, run.

    pkgconfig.py MESON_COMMAND BUILD_FOLDER PREFIX CC EXAMPLE.c

Installs into a temporary folder, compiles the example against what was installed, shared
and static, and runs both without arguments: they must start and print their usage (exit 2).
"""
import os
import shlex
import subprocess
import sys
import tempfile


def run(command, **kw):
    return subprocess.run(command, capture_output=True, text=True, **kw)


def main(meson, build, prefix, cc, example):
    passed = failed = 0

    def check(what, good, detail=""):
        nonlocal passed, failed
        passed, failed = passed + bool(good), failed + (not good)
        print(("ok    " if good else "FAIL  ") + what)
        if not good:
            print(detail)
        return good

    with tempfile.TemporaryDirectory() as root:
        p = run([*shlex.split(meson), "install", "-C", build, "--no-rebuild", "--destdir", root])
        if not check("meson install", p.returncode == 0, p.stdout + p.stderr):
            return 1
        installed = root + prefix
        found = [os.path.join(d, f) for d, _, files in os.walk(installed) for f in files]
        pc = [f for f in found if f.endswith("finetune.pc")]
        check("one finetune.pc", len(pc) == 1, str(pc))
        check("the command is installed", os.access(f"{installed}/bin/finetune", os.X_OK))
        check("the headers are installed",
              {"finetune.h", "version.h", "model.h"} <= {os.path.basename(f) for f in found})
        names = {os.path.basename(f) for f in found}
        check("shared and static library", {"libfinetune.so", "libfinetune.so.0", "libfinetune.a"} <= names, str(names))
        environment = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(pc[0]))
        library_folder = os.path.dirname(next(f for f in found if f.endswith("libfinetune.so.0")))
        for kind, flags in (("shared", []), ("static", ["--static"])):
            p = run(["pkg-config", f"--define-variable=prefix={installed}", "--cflags", "--libs", *flags, "finetune"],
                    env=environment)
            if not check(f"pkg-config ({kind})", p.returncode == 0, p.stderr):
                continue
            libraries = shlex.split(p.stdout)
            if kind == "static":        # this library static, the system's as they are
                libraries = [f"{library_folder}/libfinetune.a" if x == "-lfinetune" else x for x in libraries]
            program = os.path.join(root, kind)
            p = run([*shlex.split(cc), "-std=c11", example, "-o", program, *libraries])
            if not check(f"compile and link ({kind})", p.returncode == 0, p.stderr):
                continue
            p = run([program], env=dict(os.environ, LD_LIBRARY_PATH=library_folder) if kind == "shared" else None)
            check(f"run ({kind})", p.returncode == 2 and "usage" in p.stderr, p.stderr)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
