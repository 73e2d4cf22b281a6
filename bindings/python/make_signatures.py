#!/usr/bin/env python3
"""Writes finetune/_signatures.py from the public headers: every function, options struct and
constant, once. With --check it only says whether the file is what the headers say.

    make_signatures.py INCLUDE [--check]
"""
import pathlib
import re
import sys

HEADERS = "status context tensors tokenizer report dataset model train recipe".split()
CALLBACKS = {}          # name: (result, arguments), as the headers have them
PLAIN = {"int": "c_int", "int32_t": "c_int32", "int64_t": "c_int64", "double": "c_double", "float": "c_float",
         "size_t": "c_size_t", "void": "None"}


def clean(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"//[^\n]*", " ", text)
    text = re.sub(r"\\\n", " ", text)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#") and 'extern "C"' not in line)


def ctype(spelling, structs):
    """The ctypes expression of a C type such as "const char *const *"."""
    stars = spelling.count("*")
    base = re.sub(r"\b(const|struct)\b|\*", " ", spelling).split()[0]
    if base in CALLBACKS:
        return base
    if stars == 0:
        return PLAIN.get(base, "c_void_p")
    if base == "char":
        inner, stars = "c_char_p", stars - 1
    elif base == "void" or (base.startswith("fine_") and base not in structs):
        inner, stars = "c_void_p", stars - 1
    else:
        inner = base if base in structs else PLAIN[base]
    return "POINTER(" * stars + inner + ")" * stars


def split_name(declaration):
    match = re.match(r"(.*?)(\w+)\s*$", declaration.strip(), re.S)
    return match.group(1).strip(), match.group(2)


def fields(body, structs):
    out = []
    for line in body.split(";"):
        line = " ".join(line.split())
        if not line:
            continue
        call = re.match(r".*\(\*(\w+)\)\s*\(", line)
        if call:
            out.append((call.group(1), "c_void_p"))
            continue
        first, *more = line.split(",")
        kind, name = split_name(first)
        out.append((name, ctype(kind, structs)))
        base = kind.rstrip("* ")
        for other in more:
            stars = other.count("*")
            out.append((other.strip(" *"), ctype(base + " " + "*" * stars, structs)))
    return out


def read(include):
    text = "\n".join(clean((include / "finetune" / f"{name}.h").read_text()) for name in HEADERS)
    for result, name, arguments in re.findall(r"typedef (\w+) \(\*(\w+)\)\(([^;]*?)\);", text):
        CALLBACKS[name] = (result, arguments)
    structs = {}
    for name, body in re.findall(r"struct (\w+) \{(.*?)\n\};", text, re.S):
        structs[name] = None
    for name, body in re.findall(r"struct (\w+) \{(.*?)\n\};", text, re.S):
        structs[name] = fields(body, structs)
    functions = []
    for result, name, arguments in re.findall(r"FINE_API\s+([\w\s*]+?)\s*\*?\b(fine_\w+)\s*\(([^;]*?)\)\s*;", text):
        pointer = re.search(re.escape(result) + r"\s*(\**)" + name + r"\b", text)
        result = result + " " + (pointer.group(1) if pointer else "")
        arguments = " ".join(arguments.split())
        kinds = [] if arguments == "void" else [ctype(split_name(a)[0], structs) for a in arguments.split(",")]
        functions.append((name, ctype(result, structs), kinds))
    constants = {}
    for body in re.findall(r"enum \{(.*?)\}", text, re.S):
        value = -1
        for item in body.split(","):
            match = re.match(r"\s*(FINE_\w+)\s*(?:=\s*(-?\d+))?\s*$", item)
            if match:
                value = int(match.group(2)) if match.group(2) else value + 1
                constants[match.group(1)] = value
    source = (include / "finetune" / "status.h").read_text()
    errors = [(name, int(value), words) for name, value, words in
              re.findall(r"X\((FINE_\w+),\s*(-\d+),\s*\"([^\"]*)\"\)", source)]
    functions.append(("fine_version", "c_char_p", []))
    return structs, sorted(functions), constants, errors


def write(structs, functions, constants, errors):
    out = ['"""Made by make_signatures.py from the public headers: change those, not this file."""',
           "from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int, c_int32, c_int64,",
           "                    c_size_t, c_void_p)", "",
           ""]
    for name, members in structs.items():
        out.append(f"\nclass {name}(Structure):")
        out.append("    pass\n")
    out.append("")
    for name, (result, arguments) in CALLBACKS.items():
        kinds = [ctype(split_name(a)[0], structs) for a in " ".join(arguments.split()).split(",")]
        out.append(f"{name} = CFUNCTYPE({', '.join([PLAIN[result], *kinds])})")
    for name, members in structs.items():
        out.append(f"{name}._fields_ = [")
        out += [f'    ("{member}", {kind}),' for member, kind in members]
        out.append("]")
    out.append("\nFUNCTIONS = {")
    for name, result, kinds in functions:
        out.append(f'    "{name}": ({result}, [{", ".join(kinds)}]),')
    out.append("}\n")
    out += [f"{name} = {value}" for name, value in constants.items()]
    out.append("\nERRORS = {")
    out += [f'    {value}: ("{name}", "{words}"),' for name, value, words in errors]
    out.append("}")
    return "\n".join(out) + "\n"


def main():
    include = pathlib.Path(sys.argv[1])
    target = pathlib.Path(__file__).parent / "finetune" / "_signatures.py"
    text = write(*read(include))
    if "--check" not in sys.argv:
        target.write_text(text)
        return 0
    if not target.exists() or target.read_text() != text:
        print("bindings/python/finetune/_signatures.py is not what the headers say: run make_signatures.py include")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
