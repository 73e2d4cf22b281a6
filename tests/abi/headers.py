#!/usr/bin/env python3
"""Every public header alone, as C11 and as C++11, with all warnings as errors.

    headers.py CC CXX|- INCLUDE_FOLDER...

Also beside headers that applications have and that use many names: FreeType's, libjpeg's,
Python's; before ours and after. Those that are not installed are left out, and that is said.
"""
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wshadow", "-Wundef", "-fsyntax-only"]
NEIGHBOURS = {
    "ft2build.h": ("#include <ft2build.h>\n#include FT_FREETYPE_H\n", ["-I/usr/include/freetype2"]),
    "jpeglib.h": ("#include <stdio.h>\n#include <jpeglib.h>\n", []),
    "Python.h": ("#include <Python.h>\n", ["-isystem", sysconfig.get_paths()["include"]]),
}


def compiles(command, source, suffix):
    with tempfile.NamedTemporaryFile("w", suffix=suffix) as f:
        f.write(source)
        f.flush()
        p = subprocess.run([*command, f.name], capture_output=True, text=True)
    return p.returncode == 0, p.stderr


def main(cc, cxx, folders):
    includes = [x for folder in folders for x in ("-I", folder)]
    compilers = [(shlex.split(cc) + ["-std=c11", *WARNINGS, *includes], ".c")]
    if cxx != "-":
        compilers.append((shlex.split(cxx) + ["-std=c++11", *WARNINGS, *includes], ".cpp"))
    else:
        print("skip  C++: no compiler")
    headers = ["finetune.h"] + sorted(
        {"finetune/" + n for folder in folders if os.path.isdir(os.path.join(folder, "finetune"))
         for n in os.listdir(os.path.join(folder, "finetune")) if n.endswith(".h")})
    passed = failed = 0
    for command, suffix in compilers:
        jobs = [(h, f"#include <{h}>\n#include <{h}>\nextern int used;\n", []) for h in headers]
        for name, (lines, flags) in NEIGHBOURS.items():
            if not compiles([command[0], "-fsyntax-only", *flags], lines, suffix)[0]:
                print(f"skip  {name} beside ours: not installed")
                continue
            relaxed = [*flags, "-Wno-error", "-Wno-all", "-Wno-extra", "-w"]
            jobs += [(f"{name} before finetune.h", lines + "#include <finetune.h>\nextern int used;\n", relaxed),
                     (f"{name} after finetune.h", "#include <finetune.h>\n" + lines + "extern int used;\n", relaxed)]
        for what, source, flags in jobs:
            good, errors = compiles([*command, *flags], source, suffix)
            passed, failed = passed + good, failed + (not good)
            print(("ok    " if good else "FAIL  ") + f"{what} ({suffix[1:]})")
            if not good:
                print(errors)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
