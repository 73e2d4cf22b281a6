#!/usr/bin/env python3
"""How the command behaves, seen from outside: exit codes, what goes to which stream, signals.

    test_cli.py FINETUNE
"""
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import tiny

FINETUNE = ""
COMMANDS = "train evaluate predict embed tokenize forward overfit merge bench inspect".split()


def run(*args, stdin="", cwd=None, **kw):
    text = isinstance(stdin, str)
    p = subprocess.run([FINETUNE, *args], input=stdin, capture_output=True, text=text, cwd=cwd, timeout=120, **kw)
    return p.returncode, p.stdout, p.stderr


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        path = lambda name: os.path.join(cls.folder, name)
        tiny.write_model(path("tiny"))
        tiny.write_model(path("classifier"), classes=2)
        tiny.write_model(path("bare"), weights=False)
        tiny.write_table(path("train.csv"), 96)
        tiny.write_table(path("test.csv"), 40, seed=2)
        tiny.write_batch(path("in.safetensors"))
        with open(path("recipe.yaml"), "w") as f:
            f.write(tiny.RECIPE)
        code, cls.trained_out, cls.trained_err = run("train", "recipe.yaml", "--json", cwd=cls.folder)
        assert code == 0, cls.trained_err
        cls.model = path("run/model")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read(self, *names):
        with open(self.path(*names), "rb") as f:
            return f.read()

    def expect(self, code, *args, stdin="", says="", cwd=None):
        """Runs, compares the exit code, and looks for a text in standard error."""
        got, out, err = run(*args, stdin=stdin, cwd=cwd or self.folder)
        self.assertEqual(got, code, f"{args}: {err}")
        self.assertIn(says, err)
        return out, err

    # ---- usage ----

    def test_usage(self):
        self.expect(2, says="Usage: finetune")
        self.expect(2, "trian", says="did you mean 'train'")
        self.expect(2, "dance", says="finetune --help")
        for later in ("plan", "sweep", "export"):
            self.expect(2, later, "x", says="not available in version")
        out, _ = self.expect(0, "--version")
        self.assertRegex(out, r"^finetune \d+\.\d+\.\d+\n$")
        out, _ = self.expect(0, "--help")
        for command in COMMANDS:
            self.assertIn(f"  {command} ", out)

    def test_every_command_has_help_and_the_common_options(self):
        for command in COMMANDS:
            out, err = self.expect(0, command, "--help")
            self.assertEqual(err, "")
            for option in ("--threads", "--memory-limit", "--quiet", "--json", "--help"):
                self.assertIn(f"  {option}", out)

    def test_wrong_options(self):
        self.expect(2, "predict", says="expected MODEL")
        self.expect(2, "predict", "a", "b", "c", says="one argument too many")
        self.expect(2, "predict", "--jsonn", "m", says="did you mean '--json'")
        self.expect(2, "predict", "m", "--threads", says="--threads needs N")
        self.expect(2, "predict", "m", "--threads", "two", says="expected a whole number")
        self.expect(2, "predict", "m", "--threads", "1000", says="at most 256")
        self.expect(2, "predict", "m", "--json=1", says="takes no value")
        self.expect(2, "predict", "m", "--memory-limit", "5 apples", says="expected a size")
        self.expect(2, "train", "recipe.yaml", "--set", "epochs", says="expected KEY=VALUE")
        self.expect(2, "tokenize", "tiny", "--offsets", "words", says="bytes or chars")
        self.expect(2, "bench", "tiny", "--mode", "fast", says="expected full")
        self.expect(2, "bench", "tiny", "--dropout", "1.5", says="below 1")

    # ---- train ----

    def test_train_events(self):
        events = json_lines(self.trained_out)
        kinds = [e["event"] for e in events]
        self.assertEqual(kinds[-1], "done")
        self.assertEqual(set(kinds) - {"step", "evaluate", "checkpoint", "done"}, set())
        self.assertEqual(kinds.count("step"), 144)
        done = events[-1]
        for key in ("metrics", "best_step", "model", "seconds", "peak_bytes"):
            self.assertIn(key, done)
        for split in ("validation", "test"):
            self.assertGreater(done["metrics"][split]["accuracy"], 0.9)
        for name in ("model/config.json", "model/model.safetensors", "model/finetune.json", "model/README.md",
                     "metrics.jsonl", "report.html", "recipe.yaml", "checkpoints"):
            self.assertTrue(os.path.exists(self.path("run", name)), name)

    def test_an_adapter_from_training_to_merging(self):
        """Trained, kept as PEFT's folder, read again, folded in: always the same answers."""
        adapter = ["--set", "model.adapter.type=lora", "--set", "model.adapter.targets=[query, dense]",
                   "--set", "model.adapter.rank=4", "--set", "model.adapter.dropout=0.1",
                   "--set", "train.optimizer.learning_rate=0.01", "--set", "train.epochs=4"]
        self.expect(0, "train", "recipe.yaml", "--out", "run-lora", *adapter)
        files = sorted(os.listdir(self.path("run-lora", "model")))
        self.assertIn("adapter_config.json", files)
        self.assertIn("adapter_model.safetensors", files)
        self.assertNotIn("model.safetensors", files)
        config = json.loads(self.read("run-lora", "model", "adapter_config.json"))
        self.assertEqual((config["peft_type"], config["r"], config["target_modules"]), ("LORA", 4, ["query", "dense"]))
        text = "the camera is very good\n"
        before, _ = self.expect(0, "predict", "run-lora/model", "--json", stdin=text)
        out, _ = self.expect(0, "merge", "run-lora/model", "run-lora/merged", "--json")
        proof = json.loads(out)
        self.assertLess(proof["max_logit_difference"], 1e-5)
        self.assertEqual((proof["label_flips"], proof["n"]), (0, 64))
        after, _ = self.expect(0, "predict", "run-lora/merged", "--json", stdin=text)
        for label, score in json.loads(before)["scores"].items():
            self.assertAlmostEqual(json.loads(after)["scores"][label], score, places=5)
        self.expect(3, "merge", "run-lora/merged", "x", says="there is no adapter")
        # a second run on the same place, cut in two, ends with the same bits
        self.expect(0, "train", "recipe.yaml", "--out", "run-lora2", *adapter, "--threads", "3")
        self.assertEqual(self.read("run-lora", "model", "adapter_model.safetensors"),
                         self.read("run-lora2", "model", "adapter_model.safetensors"))

    def test_adapters_that_do_not_fit(self):
        self.expect(3, "train", "recipe.yaml", "--set", "model.adapter.type=lora",
                    says="is missing: the layers to adapt")
        self.expect(3, "train", "recipe.yaml", "--set", "model.adapter.type=lora",
                    "--set", "model.adapter.targets=[c_attn]", says="there are query, key, value, dense")
        self.expect(3, "train", "recipe.yaml", "--set", "model.adapter.rank=4", says="is for lora, not for none")

    def test_train_for_people(self):
        out, err = self.expect(0, "train", "recipe.yaml", "--out", "run-people", "--set", "train.epochs=1")
        self.assertIn("accuracy", out)
        self.assertIn("model: ", out)
        self.assertNotIn("\r", err)
        self.assertIn("step 12/12", err)
        out, err = self.expect(0, "train", "recipe.yaml", "--out", "run-quiet", "--set", "train.epochs=1", "--quiet")
        self.assertEqual(err, "")

    def test_bar_on_a_terminal(self):
        master, slave = pty.openpty()
        p = subprocess.Popen([FINETUNE, "train", "recipe.yaml", "--out", "run-bar"], cwd=self.folder,
                             stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        seen = b""
        try:
            while piece := os.read(master, 4096):
                seen += piece
        except OSError:
            pass                        # Linux says EIO where the other end is closed
        os.close(master)
        self.assertEqual(p.wait(), 0)
        self.assertRegex(seen, rb"\r\x1b\[K\[=*>? *\] \d+/144  loss \d+\.\d+  \d+ rows/s  .* left")

    def test_wrong_recipe(self):
        self.write("wrong.yaml", tiny.RECIPE.replace("epochs", "epohcs").replace("adamw", "adamv"))
        _, err = self.expect(3, "train", "wrong.yaml", "--out", "run-wrong")
        self.assertIn("wrong.yaml:5:", err)
        self.assertIn("did you mean 'epochs'", err)
        self.assertIn("wrong.yaml:7:", err)
        self.assertFalse(os.path.exists(self.path("run-wrong")))
        self.expect(3, "train", "absent.yaml", says="absent.yaml")
        self.expect(3, "train", "recipe.yaml", "--set", "train.epochs=many", says="train.epochs")
        self.expect(3, "train", "recipe.yaml", "--set", "data.train=absent.csv", says="absent.csv")

    def test_data_that_do_not_fit(self):
        rows = self.read("train.csv").decode().splitlines()
        rows[5] = rows[5].rsplit(",", 1)[0] + ",0.5,1"
        self.write("ragged.csv", "\n".join(rows) + "\n")
        self.expect(3, "train", "recipe.yaml", "--set", "data.train=ragged.csv", "--out", "run-ragged",
                    says="ragged.csv:6")
        self.assertFalse(os.path.exists(self.path("run-ragged", "model")))

    def test_unwritable_run_folder(self):
        self.write("occupied", "a file")
        self.expect(1, "train", "recipe.yaml", "--out", "occupied", says="occupied")

    def interrupted(self, out_folder, number):
        p = subprocess.Popen([FINETUNE, "train", "recipe.yaml", "--json", "--out", out_folder], cwd=self.folder,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(5):
            p.stdout.readline()
        p.send_signal(number)
        out, err = p.communicate(timeout=60)
        return p.returncode, err

    def test_interrupt_and_resume(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            folder = f"run-{number.name}"
            code, err = self.interrupted(folder, number)
            self.assertEqual(code, 4, err)
            last = err.splitlines()[-1]
            self.assertRegex(last, r"^stopped after step \d+ of 144; go on with: finetune train ")
            words = shlex.split(last.split("go on with: finetune ")[1])
            self.assertIn("--resume", words)
            out, _ = self.expect(0, *words)
            done = json_lines(out)[-1]
            self.assertEqual(done["event"], "done")
            for name in ("model.safetensors", "head.safetensors"):
                if os.path.exists(self.path("run/model", name)):
                    self.assertEqual(self.read("run/model", name), self.read(folder, "model", name),
                                     f"{name} differs after resuming")

    # ---- evaluate ----

    def test_evaluate(self):
        out, _ = self.expect(0, "evaluate", self.model, "test.csv", "--json")
        report = json.loads(out)
        self.assertEqual(report["n"], 40)
        self.assertGreater(report["metrics"]["accuracy"], 0.9)
        done = json_lines(self.trained_out)[-1]
        self.assertAlmostEqual(report["metrics"]["accuracy"], done["metrics"]["test"]["accuracy"])
        out, _ = self.expect(0, "evaluate", self.model, "test.csv")
        self.assertRegex(out, r"accuracy +0\.9|accuracy +1\.0")

    def test_evaluate_overrides_columns(self):
        text = self.read("test.csv").decode().replace("text,label", "sentence,kind").replace(",", ";")
        self.write("other.csv", text)
        self.expect(3, "evaluate", self.model, "other.csv")
        out, _ = self.expect(0, "evaluate", self.model, "other.csv", "--text", "sentence", "--label", "kind",
                             "--separator", ";", "--json")
        self.assertEqual(json.loads(out)["n"], 40)
        rows = text.replace(";", "\t").splitlines()[1:]
        self.write("bare.tsv", "\n".join(rows) + "\n")
        out, _ = self.expect(0, "evaluate", self.model, "bare.tsv", "--header", "text,label", "--json")
        self.assertEqual(json.loads(out)["n"], 40)
        self.expect(2, "evaluate", self.model, "test.csv", "--quote", "french")

    def test_evaluate_on_wrong_data(self):
        self.expect(3, "evaluate", self.model, "absent.csv", says="absent.csv")
        self.write("unknown.csv", "text,label\ngood,splendid\n")
        self.expect(3, "evaluate", self.model, "unknown.csv", says="unknown.csv:2")
        self.expect(3, "evaluate", "absent", "test.csv", says="absent")

    # ---- predict ----

    def test_predict(self):
        lines = "it is great\nthis was awful\n\n"
        out, _ = self.expect(0, "predict", self.model, stdin=lines)
        self.assertEqual([line.split("\t")[0] for line in out.splitlines()[:2]], ["positive", "negative"])
        self.assertEqual(len(out.splitlines()), 3)
        out, _ = self.expect(0, "predict", self.model, "--json", stdin=lines)
        for answer in json_lines(out):
            self.assertAlmostEqual(sum(answer["scores"].values()), 1, places=5)
            self.assertEqual(answer["label"], max(answer["scores"], key=answer["scores"].get))
        self.write("lines.txt", "\ufeffit is great\r\nthis was awful")
        again, _ = self.expect(0, "predict", self.model, "lines.txt", "--json")
        self.assertEqual(json_lines(again), json_lines(out)[:2])

    def test_predict_json_lines(self):
        out, _ = self.expect(0, "predict", self.model, stdin='{"text": "it is great", "label": "?"}\nit is great\n')
        self.assertEqual(*out.splitlines())
        self.expect(3, "predict", self.model, stdin='{"text": \n', says="standard input:1:")
        self.expect(3, "predict", self.model, stdin='good\n{"txt": "good"}\n', says="standard input:2: no text under")
        self.expect(0, "predict", self.model, "--plain", stdin="{not json\n")
        out, _ = self.expect(0, "predict", self.model, "--text", "t", stdin='{"t": "it is great"}\n')
        self.assertTrue(out.startswith("positive"))

    def test_predict_many_and_odd(self):
        lines = "".join(f"{'good' if i % 2 else 'bad'} {i}\n" for i in range(1000))
        out, _ = self.expect(0, "predict", self.model, stdin=lines)
        self.assertEqual(len(out.splitlines()), 1000)
        code, out, err = run("predict", self.model, stdin=b"good \x00 \xff\xfe\n\xc3\xa9\n")
        self.assertEqual((code, out.count(b"\n")), (0, 2), err)
        out, err = self.expect(0, "predict", self.model, stdin="good " * 300 + "\n", says="1 of 1 texts were cut")
        self.expect(3, "predict", self.model, "absent.txt", says="absent.txt")
        self.expect(3, "predict", "absent", stdin="x\n", says="absent")

    def test_predict_answers_a_slow_pipe_at_once(self):
        p = subprocess.Popen([FINETUNE, "predict", self.model, "--quiet"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        for text, label in (("great", "positive"), ("awful", "negative"), ("good", "positive")):
            p.stdin.write(text + "\n")
            p.stdin.flush()
            self.assertTrue(p.stdout.readline().startswith(label))
        p.stdin.close()
        self.assertEqual(p.wait(timeout=30), 0)
        p.stdout.close()

    def test_no_task_yet(self):
        self.expect(3, "predict", "tiny", stdin="", says="no task yet")

    # ---- embed, tokenize ----

    def test_embed(self):
        out, _ = self.expect(0, "embed", "tiny", "--json", stdin="good\nvery bad\n")
        vectors = [e["embedding"] for e in json_lines(out)]
        self.assertEqual([len(v) for v in vectors], [16, 16])
        out, _ = self.expect(0, "embed", "tiny", "--normalize", "--pool", "cls", stdin="good\n")
        self.assertAlmostEqual(sum(float(x) ** 2 for x in out.split()), 1, places=5)
        self.expect(2, "embed", "tiny", "--pool", "max", stdin="good\n")

    def test_tokenize(self):
        os.makedirs(self.path("only-vocab"), exist_ok=True)
        shutil.copy(self.path("tiny/vocab.txt"), self.path("only-vocab"))
        out, _ = self.expect(0, "tokenize", "only-vocab", stdin="The camera is bad!\n")
        self.assertEqual(out, "[CLS] the camera is bad ! [SEP]\n")
        out, _ = self.expect(0, "tokenize", "tiny", "--json", stdin="é good\n")
        got = json.loads(out)
        self.assertEqual(got["tokens"], ["[CLS]", "e", "good", "[SEP]"])
        self.assertEqual(got["ids"], [tiny.VOCABULARY.index(t) for t in got["tokens"]])
        self.assertEqual(got["offsets"], [[0, 0], [0, 2], [3, 7], [0, 0]])
        out, _ = self.expect(0, "tokenize", "tiny", "--json", "--offsets", "chars", stdin="é good\n")
        self.assertEqual(json.loads(out)["offsets"], [[0, 0], [0, 1], [2, 6], [0, 0]])
        out, _ = self.expect(0, "tokenize", "tiny", "--pair", stdin="good\tbad\n")
        self.assertEqual(out, "[CLS] good [SEP] bad [SEP]\n")
        self.expect(3, "tokenize", "tiny", "--pair", stdin="good\n", says="standard input:1: no tab")
        out, _ = self.expect(0, "tokenize", "tiny", "--max-length", "3", stdin="good bad sad\n")
        self.assertEqual(out, "[CLS] good [SEP]\n")
        self.expect(3, "tokenize", "absent", stdin="x\n", says="absent")

    # ---- forward, overfit ----

    def test_forward(self):
        out, _ = self.expect(0, "forward", "classifier", "in.safetensors", "out.safetensors", "--gradients", "--json")
        self.assertEqual(json.loads(out)["logits"], [4, 2])
        got = tiny.read_safetensors(self.path("out.safetensors"))
        self.assertEqual(got["logits"][0], [4, 2])
        self.assertEqual(got["hidden_states.0"][0], [4, 8, 16])
        self.assertIn("hidden_states.2", got)
        self.assertAlmostEqual(got["loss"][1][0], json.loads(out)["loss"], places=6)
        names = {n[5:] for n in got if n.startswith("grad.")}
        want = tiny.read_safetensors(self.path("classifier/model.safetensors"))
        self.assertEqual(names, set(want))
        self.expect(1, "forward", "classifier", "in.safetensors", "absent/out.safetensors", says="absent")
        self.write("broken.safetensors", "no tensors")
        self.expect(3, "forward", "classifier", "broken.safetensors", "out2.safetensors", says="broken.safetensors")
        self.assertFalse(os.path.exists(self.path("out2.safetensors")))

    def test_forward_refuses_other_padding(self):
        tiny.write_safetensors(self.path("left.safetensors"), {
            "input_ids": ("I64", (1, 3), [0, 7, 8]), "attention_mask": ("I64", (1, 3), [0, 1, 1])})
        self.expect(3, "forward", "classifier", "left.safetensors", "out2.safetensors")

    def test_overfit(self):
        names = [n for n in tiny.read_safetensors(self.path("classifier/model.safetensors")) if "layer.1" in n
                 or n.startswith(("classifier", "bert.pooler"))]
        base = {"optimizer": "adamw", "lr": 1e-2, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01,
                "weight_decay_on": "every trained parameter", "clip": None, "trainable": "all"}
        for change in ({}, {"clip": 1.0, "schedule": "linear", "warmup_steps": 3, "total_steps": 10,
                            "accumulation": 2, "weight_decay_on": "all but biases and norms"},
                       {"trainable": names}, {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}):
            settings = self.write("settings.json", json.dumps({**base, **change}))
            out, _ = self.expect(0, "overfit", "classifier", "in.safetensors", settings, "--json")
            got = json.loads(out)
            self.assertEqual((len(got["losses"]), len(got["grad_norms"])), (10, 10))
            self.assertLess(got["final_loss"], got["losses"][0])
        self.write("settings.json", json.dumps({**base, "trainable": ["no.such.weight"]}))
        self.expect(3, "overfit", "classifier", "in.safetensors", "settings.json", says="not in the model")
        self.write("settings.json", "{,}")
        self.expect(3, "overfit", "classifier", "in.safetensors", "settings.json", says="settings.json:1:")

    # ---- bench, inspect ----

    def test_bench(self):
        keys = {"mode", "batch", "tokens", "ms_per_step_min", "ms_per_step_median", "items_per_second", "peak_bytes",
                "threads"}
        for model in ("tiny", "bare"):
            for mode in ("full", "last2", "head", "infer"):
                out, _ = self.expect(0, "bench", model, "--mode", mode, "--batch", "4", "--tokens", "16", "--classes",
                                     "3", "--steps", "2", "--threads", "2", "--json")
                got = json.loads(out)
                self.assertLessEqual(keys, set(got))
                self.assertEqual((got["mode"], got["batch"], got["tokens"], got["threads"]), (mode, 4, 16, 2))
                self.assertGreater(got["ms_per_step_min"], 0)
        self.expect(0, "bench", "tiny", "--batch", "4", "--tokens", "16", "--steps", "1", "--dropout", "0")
        for mode in ("full", "infer"):
            out, _ = self.expect(0, "bench", "tiny", "--texts", "train.csv", "--batch", "8", "--steps", "1", "--mode",
                                 mode, "--json")
            self.assertEqual(json.loads(out)["steps"], 12)
        self.expect(2, "bench", "tiny", "--tokens", "65", says="at most 64")
        self.expect(3, "bench", "absent")

    def test_inspect(self):
        out, _ = self.expect(0, "inspect", "classifier", "--json")
        got = json.loads(out)
        self.assertEqual({t["name"] for t in got["tensors"]},
                         set(tiny.read_safetensors(self.path("classifier/model.safetensors"))))
        self.assertEqual(got["vocab_size"], len(tiny.VOCABULARY))
        out, _ = self.expect(0, "inspect", "classifier", "--freeze", "embeddings..1", "--json")
        frozen = {t["stage"] for t in json.loads(out)["tensors"] if t["frozen"]}
        self.assertEqual(frozen, {"embeddings", "1"})
        out, _ = self.expect(0, "inspect", "classifier")
        self.assertIn("classifier.weight", out)
        self.expect(2, "inspect", "classifier", "--freeze", "embeddings..9")
        out, _ = self.expect(0, "inspect", "train.csv", "--json")
        self.assertEqual(json.loads(out)["rows"], 96)
        out, _ = self.expect(0, "inspect", "recipe.yaml")
        self.assertIn("learning_rate", out)
        self.expect(3, "inspect", "absent.csv", says="absent.csv")

    # ---- resources ----

    def test_memory_limit(self):
        self.expect(5, "predict", self.model, "--memory-limit", "10kB", stdin="good\n")
        self.expect(5, "train", "recipe.yaml", "--memory-limit", "20kB", "--out", "run-limit")
        self.expect(0, "predict", self.model, "--memory-limit", "1GiB", stdin="good\n")

    def test_results_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            p = subprocess.run([FINETUNE, "predict", self.model], input="good\n", text=True, stdout=full,
                               stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn("standard output", p.stderr)

    def test_threads_do_not_change_answers(self):
        lines = "".join(f"good {i} bad\n" for i in range(50))
        answers = {self.expect(0, "predict", self.model, "--json", "--threads", n, stdin=lines)[0] for n in "125"}
        self.assertEqual(len(answers), 1)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    FINETUNE = os.path.abspath(sys.argv.pop(1))
    result = unittest.main(exit=False, verbosity=1).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(bad > 0)
