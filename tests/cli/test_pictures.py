"""The command on pictures: folders of classes and lists of paths, training with augmentation,
scoring, predicting, and what is wrong with them. Standard library of Python only.

    test_pictures.py FINETUNE MODEL/config.json
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

FINETUNE, MODEL = os.path.abspath(sys.argv[1]), os.path.dirname(os.path.abspath(sys.argv[2]))
COLOURS = {"blue": (40, 60, 200), "green": (40, 190, 60), "red": (210, 50, 40)}
RECIPE = """model: {path: tiny}
task: {type: classify-image}
data: {train: train, validation: 0.2, test: test, image_size: 16, augment: {flip: 0.5, pad: 2, mixup: 0.2}}
train:
  epochs: 12
  batch_size: 8
  optimizer: {type: adamw, learning_rate: 2.0e-2}
  seed: 3
output: {dir: run}
"""


def png(path, colour, width, height, rng):
    rows = b"".join(b"\0" + bytes(max(0, min(255, c + rng.randrange(-40, 40)))
                                  for _ in range(width) for c in colour) for _ in range(height))
    chunk = lambda kind, data: (struct.pack(">I", len(data)) + kind + data +
                                struct.pack(">I", zlib.crc32(kind + data)))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def run(*args, cwd, stdin=""):
    p = subprocess.run([FINETUNE, *args], input=stdin, capture_output=True, text=True, cwd=cwd, timeout=120)
    return p.returncode, p.stdout, p.stderr


class Pictures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        shutil.copytree(MODEL, cls.path("tiny"))
        rng = random.Random(1)
        with open(cls.path("list.csv"), "w") as f:
            f.write("file,kind\n")
            for part, n in (("train", 20), ("test", 6)):
                for name, colour in COLOURS.items():
                    os.makedirs(cls.path(part, name))
                    for i in range(n):
                        path = os.path.join(part, name, f"{i}.png")
                        png(cls.path(path), colour, 12 + i % 7, 9 + i % 5, rng)
                        if part == "test":
                            f.write(f"{path},{name}\n")
        cls.write("recipe.yaml", RECIPE)
        cls.code, cls.out, cls.err = run("train", "recipe.yaml", "--json", "--threads", "2", cwd=cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.folder, *names)

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w") as f:
            f.write(text)

    def read(self, *names):
        with open(self.path(*names), "rb") as f:
            return f.read()

    def expect(self, code, *args, says="", stdin=""):
        got, out, err = run(*args, cwd=self.folder, stdin=stdin)
        self.assertEqual(got, code, f"{args}: {err}")
        self.assertIn(says, err)
        return out

    def test_learns_colours(self):
        self.assertEqual(self.code, 0, self.err)
        done = json.loads(self.out.splitlines()[-1])
        self.assertGreater(done["metrics"]["test"]["accuracy"], 0.9)
        self.assertEqual(done["metrics"]["test"]["top5_accuracy"], 1)
        for name in ("config.json", "model.safetensors", "preprocessor_config.json", "finetune.json"):
            self.assertTrue(os.path.exists(self.path("run", "model", name)), name)

    def test_the_same_bits_for_any_number_of_threads(self):
        for n in ("1", "5"):
            self.expect(0, "train", "recipe.yaml", "--out", "run" + n, "--threads", n)
            self.assertEqual(self.read("run", "model", "model.safetensors"),
                             self.read("run" + n, "model", "model.safetensors"))

    def test_goes_on_where_it_was_stopped(self):
        half = ["--out", "run-half", "--set", "train.checkpoint_every=10"]
        self.expect(0, "train", "recipe.yaml", *half)
        for name in os.listdir(self.path("run-half", "checkpoints")):
            if name.startswith("step-") and name > "step-000050":
                shutil.rmtree(self.path("run-half", "checkpoints", name))
        shutil.rmtree(self.path("run-half", "model"))
        self.expect(0, "train", "recipe.yaml", *half, "--resume")
        self.assertEqual(self.read("run", "model", "model.safetensors"),
                         self.read("run-half", "model", "model.safetensors"))

    def test_scores_folders_and_lists_alike(self):
        folder = json.loads(self.expect(0, "evaluate", "run/model", "test", "--json"))
        table = json.loads(self.expect(0, "evaluate", "run/model", "list.csv", "--text", "file", "--label", "kind",
                                       "--json"))
        self.assertEqual(folder["n"], 18)
        self.assertEqual(folder["metrics"], table["metrics"])

    def test_predicts_paths(self):
        out = self.expect(0, "predict", "run/model", "--json", stdin="test/red/0.png\ntest/blue/1.png\n")
        answers = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([a["label"] for a in answers], ["red", "blue"])
        self.assertAlmostEqual(sum(answers[0]["scores"].values()), 1, places=5)
        self.expect(3, "predict", "run/model", says="nowhere.png", stdin="nowhere.png\n")

    def test_what_is_wrong_is_said_with_its_place(self):
        shutil.copytree(self.path("train"), self.path("bad"))
        whole = self.read("bad", "red", "3.png")
        with open(self.path("bad", "red", "3.png"), "wb") as f:
            f.write(whole[:60])
        with open(self.path("bad", "green", "7.png"), "wb") as f:
            f.write(b"GIF89a" + bytes(40))
        self.write("bad.yaml", RECIPE.replace("train: train", "train: bad"))
        _, _, err = run("train", "bad.yaml", "--out", "run-bad", cwd=self.folder)
        for text in ("bad/red/3.png", "bad/green/7.png", "GIF"):
            self.assertIn(text, err)
        self.assertFalse(os.path.exists(self.path("run-bad", "model")))
        out = self.expect(0, "train", "bad.yaml", "--out", "run-skip", "--set", "data.on_bad_row=skip",
                          "--set", "train.steps=2", "--json")
        self.assertEqual(json.loads(out.splitlines()[-1])["skipped"]["train"], 2)
        self.expect(3, "train", "recipe.yaml", "--out", "x", "--set", "data.test=run", says="no picture")
        self.write("gone.csv", "text,label\ntest/red/0.png,red\ntest/red/99.png,red\ntest/blue/0.png,blue\n")
        self.expect(3, "evaluate", "run/model", "gone.csv", says="gone.csv:3:")
        self.expect(3, "train", "recipe.yaml", "--set", "task.type=classify", says="is a folder")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
