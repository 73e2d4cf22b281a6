#!/usr/bin/env python3
"""The commands of models whose answers are tokens: generate, and predict for masks.

    test_generate.py FINETUNE
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tiny

FINETUNE = os.path.abspath(sys.argv.pop(1))
GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "gpt2"


def run(*args, stdin="", cwd=None):
    return subprocess.run([FINETUNE, *args], input=stdin, cwd=cwd, capture_output=True, text=True,
                          timeout=60)


def results(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


class Generate(unittest.TestCase):
    golden = json.loads((GOLDEN / "generated.json").read_text())
    prompts = "".join(row["prompt"] + "\n" for row in golden)

    def test_json(self):
        done = run("generate", str(GOLDEN), "--json", "--max-tokens", "24", stdin=self.prompts)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([row["ids"] for row in results(done)], [row["ids"] for row in self.golden])
        self.assertEqual(sorted(results(done)[0]), ["ids", "text", "tokens_per_second"])

    def test_for_people(self):
        plain = run("generate", str(GOLDEN), stdin="a\n")
        self.assertEqual(plain.returncode, 0, plain.stderr)
        self.assertEqual(plain.stdout.rstrip("\n"),
                         results(run("generate", str(GOLDEN), "--json", stdin="a\n"))[0]["text"])

    def test_draws(self):
        draw = lambda *more: [r["ids"] for r in results(run(
            "generate", str(GOLDEN), "--json", "--temperature", "1.2", "--top-k", "40", "--top-p",
            "0.9", "--max-tokens", "30", *more, stdin="a\na\n"))]
        self.assertEqual(draw("--threads", "1"), draw("--threads", "3"))
        self.assertNotEqual(draw(), draw("--seed", "1"))
        self.assertNotEqual(*draw("--ignore-end"))          # each line has a stream of its own

    def test_json_prompts(self):
        both = run("generate", str(GOLDEN), "--json", stdin='a\n{"text": "a"}\n')
        self.assertEqual(results(both)[0]["ids"], results(both)[1]["ids"])

    def test_wrong_use(self):
        for more in (["--max-tokens", "0"], ["--temperature", "-1"], ["--top-p", "0"]):
            self.assertEqual(run("generate", str(GOLDEN), *more).returncode, 2, more)
        long = run("generate", str(GOLDEN), stdin="x" * 97 + "\n")
        self.assertEqual(long.returncode, 3)
        self.assertIn("97 ids, but the model takes from 1 to 96", long.stderr)
        self.assertEqual(run("predict", str(GOLDEN), stdin="a\n").returncode, 3)
        with tempfile.TemporaryDirectory() as folder:
            tiny.write_model(folder, classes=2)
            other = run("generate", folder, stdin="a\n")
            self.assertEqual(other.returncode, 3)
            self.assertIn("language-model", other.stderr)


class Masks(unittest.TestCase):
    def test_predict(self):
        with tempfile.TemporaryDirectory() as folder:
            tiny.write_model(os.path.join(folder, "tiny"))
            pathlib.Path(folder, "t.txt").write_text("the phone is good\n" * 20)
            pathlib.Path(folder, "r.yaml").write_text(
                "{model: tiny, task: fill-mask, data: {train: t.txt, documents: lines},"
                " train: {steps: 60, batch_size: 4, optimizer: {learning_rate: 1.0e-2}},"
                " output: run}")
            train = run("train", "r.yaml", cwd=folder)
            self.assertEqual(train.returncode, 0, train.stderr)
            done = run("predict", "run/model", "--json", cwd=folder,
                       stdin="the [MASK] is [MASK]\n[MASK]\n")
            self.assertEqual(done.returncode, 0, done.stderr)
            fills = [row["fills"] for row in results(done)]
            self.assertEqual([len(f) for f in fills], [2, 1])
            self.assertEqual([f[0]["token"] for f in fills[0]], ["phone", "good"])
            for mask in fills[0]:
                scores = [one["score"] for one in mask]
                self.assertEqual(len(scores), 5)
                self.assertEqual(scores, sorted(scores, reverse=True))
                self.assertLessEqual(sum(scores), 1.000001)
            plain = run("predict", "run/model", cwd=folder, stdin="the [MASK] is [MASK]\n")
            self.assertEqual(plain.stdout.split("\t")[::2], ["phone", "good"])
            none = run("predict", "run/model", cwd=folder, stdin="the phone\n")
            self.assertEqual(none.returncode, 3)
            self.assertIn("[MASK]", none.stderr)


unittest.main()
