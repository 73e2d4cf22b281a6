#!/usr/bin/env python3
"""The C++ example as a stranger builds it: install, cmake finds us by pkg-config, build, run.

    cmake_app.py MESON_COMMAND BUILD_FOLDER PREFIX CMAKE SOURCE
"""
import os
import shlex
import subprocess
import sys
import tempfile


def run(command, **kw):
    p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, **kw)
    print(f"{p.returncode:4} {' '.join(command[:6])}")
    return p


def expect(p, code=0):
    if p.returncode != code:
        print(p.stdout)
        sys.exit(1)
    return p.stdout


def main(meson, build, prefix, cmake, source):
    with tempfile.TemporaryDirectory() as root:
        expect(run([*shlex.split(meson), "install", "-C", build, "--no-rebuild", "--destdir", root]))
        installed = root + prefix
        found = [os.path.join(d, f) for d, _, files in os.walk(installed) for f in files]
        pc = next(f for f in found if f.endswith("/finetune.pc"))
        with open(pc, encoding="utf-8") as f:
            text = f.read()
        # Installed aside: the prefix is where it lies, as a package's would be.
        with open(pc, "w", encoding="utf-8") as f:
            f.write("".join(f"prefix={installed}\n" if line.startswith("prefix=") else line
                            for line in text.splitlines(True)))
        library = os.path.dirname(next(f for f in found if f.endswith("/libfinetune.so.0")))
        environment = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(pc), LD_LIBRARY_PATH=library)
        expect(run([cmake, "-S", source, "-B", f"{root}/app"], env=environment))
        expect(run([cmake, "--build", f"{root}/app"], env=environment))
        program = f"{root}/app/trainer"
        expect(run([program], env=environment), 2)
        missing = run([program, f"{root}/no-model", f"{root}/no.csv", f"{root}/out"], env=environment)
        if "no-model" not in expect(missing, 1):
            sys.exit("the error does not name the folder: " + missing.stdout)
        model = f"{root}/model"
        os.mkdir(model)
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
        with open(f"{model}/config.json", "w", encoding="utf-8") as f:
            f.write('{"model_type": "bert", "vocab_size": 7, "hidden_size": 8, "num_hidden_layers": 1,'
                    ' "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 16}')
        with open(f"{model}/vocab.txt", "w", encoding="utf-8") as f:
            f.write("\n".join(words) + "\n")
        with open(f"{root}/rows.csv", "w", encoding="utf-8") as f:
            f.write("text,label\n" + "good,yes\nbad,no\n" * 20)
        out = expect(run([program, "--random-weights", model, f"{root}/rows.csv", f"{root}/out"],
                         env=environment))
        if "saved" not in out or not os.path.exists(f"{root}/out/model.safetensors"):
            sys.exit("nothing was saved: " + out)
        # The stop button before the start: it stops at the first step, and says so.
        out = expect(run([program, "--random-weights", "--stop-after", "1", model, f"{root}/rows.csv",
                          f"{root}/stopped"], env=environment), 3)
        if "stopped" not in out:
            sys.exit("it did not stop: " + out)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
