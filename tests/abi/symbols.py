#!/usr/bin/env python3
"""What the library shows and what it asks for.

    symbols.py HEADER_FOLDER MAP LIBRARY.so

Holds: functions in the headers = names in the version script = what the library exports;
every function's comment says @since; nothing is imported that ends, prints, reads the
environment or changes the process; no static data can be written to. Standard library,
nm and readelf only.
"""
import os
import re
import subprocess
import sys

# Allowed though they look alike, because they touch one thread only: uselocale() around
# strtod() and around jansson (base/numeric.c), and pthread_sigmask() in workers, so that the
# host's handlers run in the host's threads.
FORBIDDEN = set("""
    exit _exit _Exit quick_exit abort atexit raise kill system popen fork execve
    printf vprintf fprintf vfprintf dprintf puts fputs putchar putc fputc fwrite perror
    stdout stderr stdin
    __printf_chk __fprintf_chk __vprintf_chk __vfprintf_chk __fputs_chk
    getenv secure_getenv setenv unsetenv putenv
    signal sigaction sigprocmask pthread_kill setitimer alarm
    setlocale strtof strtold atof
    rand srand random srandom drand48 strtok localtime gmtime ctime asctime strerror
    chdir umask setrlimit dlopen
    """.split())
# Written by the compiler's runtime, not by us: crtstuff's own flags, and the processor's
# features that function clones are chosen by.
RUNTIME_DATA = re.compile(r"completed\.\d+$|__dso_handle$|__TMC_END__$|__cpu_model|__cpu_features2|"
                          r"^$|^\.bss$|^\.data$|__bss_start|_edata|_end$")


class Checks:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def __call__(self, what, findings):
        findings = sorted(findings)
        self.failed += bool(findings)
        self.passed += not findings
        print(("ok    " if not findings else "FAIL  ") + what)
        for finding in findings:
            print("      " + finding)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def declared(folder):
    """{function: text of the comment before it} over all headers."""
    out = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith((".h", ".h.in")):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text = f.read()
        for m in re.finditer(r"((?:/\*\*(?:(?!\*/).)*\*/\s*)?)FINE_API\s[^;(]*?\b(fine_\w+)\s*\(", text, re.S):
            out[m.group(2)] = m.group(1)
    return out


def in_map(path):
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/|#.*", "", f.read(), flags=re.S)
    return set(re.findall(r"^\s*(fine_\w+);", text, re.M))


def exported(library):
    symbols = {}
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        kind, name = line.split()[-2:]
        symbols[name.split("@")[0]] = kind
    return {n: k for n, k in symbols.items() if k != "A"}       # A: the version's node itself


def imported(library):
    return {line.split()[-1].split("@")[0]
            for line in run("nm", "-D", "--undefined-only", library).splitlines() if line.strip()}


def writable_data(library):
    """Objects in sections that stay writable: not .data.rel.ro, not thread-local."""
    sections = {m.group(1): m.group(2) for m in
                re.finditer(r"^\s*\[\s*(\d+)\]\s+(\S+)", run("readelf", "-SW", library), re.M)}
    for line in run("readelf", "-sW", library).splitlines():
        f = line.split()
        if len(f) >= 8 and f[0].rstrip(":").isdigit() and f[3] == "OBJECT" and \
                sections.get(f[6]) in (".data", ".bss") and f[2] != "0" and \
                not RUNTIME_DATA.search(f[7]):
            yield f"{f[7]} ({f[2]} bytes in {sections[f[6]]})"


def main(folder, map_file, library):
    check = Checks()
    comments = declared(folder)
    functions, names, symbols = set(comments), in_map(map_file), exported(library)
    check("every function of the headers is in the version script", functions - names)
    check("the version script names functions of the headers only", names - functions)
    check("every name of the version script is exported", names - set(symbols))
    check("nothing else is exported", set(symbols) - names)
    check("only functions are exported", {n for n, k in symbols.items() if k not in "Tti"})
    check("every function says since when it is there",
          {n for n, c in comments.items() if "@since" not in c})
    check("nothing forbidden is imported", imported(library) & FORBIDDEN)
    sanitized = any(s.startswith(("__asan", "__ubsan", "__tsan", "__gcov")) for s in imported(library))
    if sanitized:
        print("skip  writable data: a sanitizer's own are in this build")
    else:
        check("no static data can be written to", writable_data(library))
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
