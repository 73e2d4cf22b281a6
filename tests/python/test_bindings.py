"""The Python package on a tiny model: handles, errors, callbacks, estimators. Parts that need
NumPy or scikit-learn are skipped, and say so, where those are missing.

    test_bindings.py PACKAGE TINY_FOLDER_OF_tests/cli
"""
import gc
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[2])
import tiny  # noqa: E402

import finetune  # noqa: E402

try:
    import numpy as np
except ImportError:
    np = None
try:
    import sklearn
except ImportError:
    sklearn = None

GOOD = ["the camera is very good", "a great picture", "love this phone", "sharp and happy"] * 6
BAD = ["the camera is very bad", "an awful picture", "hate this phone", "dull and sad"] * 6
TEXTS, LABELS = GOOD + BAD, ["good"] * 24 + ["bad"] * 24


class Bindings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.tiny = os.path.join(cls.folder, "tiny")
        tiny.write_model(cls.tiny)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def trained(self, **given):
        model = finetune.Model.open(self.tiny)
        data = finetune.Dataset.from_rows(TEXTS, LABELS)
        model.set_task("classify", labels=data.labels, pool="mean")
        given = {"epochs": 12, "batch_size": 8, "seed": 1, **given}
        trainer = finetune.Trainer(model, data, finetune.Optimizer("adamw", learning_rate=1e-2), **given)
        return model, data, trainer

    def test_trains_saves_and_predicts(self):
        seen = []
        model, data, trainer = self.trained(progress=lambda p: seen.append(p["event"]) and 0)
        report = trainer.fit()
        trainer.close()
        self.assertEqual((report["steps"], seen.count("step"), seen[-1]), (72, 72, "done"))
        self.assertEqual(model.predict(["a good camera", "a bad camera"]), ["good", "bad"])
        self.assertGreater(model.evaluate(data)["metrics"]["accuracy"], 0.9)
        saved = os.path.join(self.folder, "saved")
        model.save(saved)
        again = finetune.Model.open(saved)
        self.assertEqual((again.task, again.labels), ("classify", ["bad", "good"]))
        self.assertIn("embeddings", repr(again))
        self.assertEqual(again.predict(TEXTS), model.predict(TEXTS))

    def test_steps_by_hand(self):
        model, _, trainer = self.trained(steps=3)
        n = 0
        while trainer.step():
            n += 1
            self.assertEqual(trainer.progress["step"], n)
        self.assertEqual(n, 3)
        with self.assertRaises(finetune.Error) as caught:
            model.session()
        self.assertEqual(caught.exception.code, "FINE_ESTATE")

    def test_errors_carry_code_and_findings(self):
        with self.assertRaises(finetune.Error) as caught:
            finetune.Model.open(os.path.join(self.folder, "nowhere"))
        self.assertEqual(caught.exception.code, "FINE_EIO")
        self.assertIn("nowhere", str(caught.exception))
        self.assertEqual(str(pickle.loads(pickle.dumps(caught.exception))), str(caught.exception))
        with self.assertRaises(finetune.Error) as caught:
            finetune.Recipe.parse("modle: {path: x}\ntrian: {}\n").check()
        self.assertGreater(len(caught.exception.findings), 1)
        with self.assertRaises(TypeError) as wrong:
            finetune.Optimizer("adamw", learning_rat=1)
        self.assertIn("learning_rate", str(wrong.exception))

    def test_what_a_callback_raises_comes_out(self):
        for raised in (ZeroDivisionError("no"), KeyboardInterrupt()):
            def fail(progress):
                if progress["step"] == 2:
                    raise raised
                return 0
            _, _, trainer = self.trained(progress=fail)
            with self.assertRaises(type(raised)):
                trainer.fit()
            self.assertEqual(trainer.progress["step"], 2)
            trainer.close()
        _, _, trainer = self.trained(progress=lambda p: 1)
        with self.assertRaises(finetune.Error) as caught:
            trainer.fit()
        self.assertEqual(caught.exception.code, "FINE_ECANCELLED")

    def test_handles_go_in_any_order(self):
        model, data, trainer = self.trained(steps=2)
        model.close(), data.close()
        self.assertTrue(trainer.step())
        trainer.close()
        trainer.close()
        with self.assertRaises(ValueError):
            trainer.step()
        del trainer, model, data
        gc.collect()
        code = (f"import sys; sys.path[:0] = {sys.argv[1:3]!r}\nimport finetune\n"
                f"m = finetune.Model.open({self.tiny!r}); d = finetune.Dataset.from_rows(['a', 'b'], ['x', 'y'])\n")
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_the_lock_is_free_meanwhile(self):
        _, _, trainer = self.trained(epochs=30)
        ticks, stop = [], threading.Event()
        thread = threading.Thread(target=lambda: [ticks.append(stop.wait(0.001)) for _ in range(100000)
                                                  if not stop.is_set()])
        thread.start()
        trainer.fit()
        stop.set()
        thread.join()
        self.assertGreater(len(ticks), 3)

    def test_recipes(self):
        tiny.write_table(os.path.join(self.folder, "train.csv"), 48)
        recipe = finetune.Recipe.parse(tiny.RECIPE.replace("validation: test.csv, test: test.csv", "validation: 0.25"),
                                       self.folder)
        recipe["train.epochs"] = 2
        self.assertEqual(recipe["train.seed"], "7")
        self.assertIn("weight_decay", recipe.resolved)
        report = recipe.check().run(os.path.join(self.folder, "run"))
        self.assertIn("validation", report["metrics"])

    def test_tokens_and_schedules(self):
        tokenizer = finetune.Tokenizer(self.tiny)
        ids = tokenizer.encode("the camera is good")
        self.assertEqual(tokenizer.decode(ids), "the camera is good")
        self.assertAlmostEqual(finetune.Schedule("linear", warmup=2).factor(1, 10), 0.5)

    @unittest.skipIf(np is None, "skipped: NumPy is not installed")
    def test_arrays(self):
        model, _, trainer = self.trained(steps=1)
        trainer.close()
        ids = np.array([[2, 5, 6, 3], [2, 7, 3, 0]])
        mask = (ids > 0).astype(np.int64)
        out = model.forward({"input_ids": ids, "attention_mask": mask, "labels": np.array([0, 1])}, hidden_states=True)
        self.assertEqual(out["logits"].shape, (2, 2))
        self.assertEqual(out["hidden_states.0"].shape, (2, 4, 16))
        loss = model.backward({"input_ids": ids, "attention_mask": mask, "labels": np.array([0, 1])})
        self.assertAlmostEqual(loss, float(out["loss"]), places=5)
        self.assertGreater(model.clip_gradients(0), 0)
        before = model.values("classifier.bias")
        finetune.Optimizer("sgd", learning_rate=0.1).step(model)
        self.assertFalse(np.array_equal(before, model.values("classifier.bias")))
        model.set_values("classifier.bias", before)
        self.assertTrue(np.array_equal(before, model.values("classifier.bias")))
        self.assertEqual(model.embed(["a", "b"]).shape, (2, 16))

    @unittest.skipIf(np is None, "skipped: NumPy is not installed")
    def test_estimators(self):
        settings = dict(epochs=12, batch_size=8, learning_rate=1e-2, pool="mean", seed=1)
        clf = finetune.TextClassifier(self.tiny, **settings).fit(np.array(TEXTS), np.array(LABELS))
        self.assertEqual(list(clf.classes_), ["bad", "good"])
        self.assertGreater(clf.score(TEXTS, LABELS), 0.9)
        np.testing.assert_allclose(clf.predict_proba(TEXTS).sum(axis=1), 1, rtol=1e-5)
        again = pickle.loads(pickle.dumps(clf))
        self.assertEqual(list(again.predict(TEXTS)), list(clf.predict(TEXTS)))
        with self.assertRaises(TypeError):
            clf.predict([1, 2])
        with self.assertRaises(ValueError):
            finetune.TextClassifier(self.tiny).fit(["a", "b"], ["x", "x"])
        with self.assertRaises(ValueError):
            finetune.TextClassifier(self.tiny).predict(["a"])
        reg = finetune.TextRegressor(self.tiny, **settings).fit(TEXTS, [1.0] * 24 + [-1.0] * 24)
        self.assertGreater(reg.score(TEXTS, [1.0] * 24 + [-1.0] * 24), 0.5)

    @unittest.skipIf(sklearn is None, "skipped: scikit-learn is not installed")
    def test_with_scikit_learn(self):
        from sklearn.base import clone
        from sklearn.model_selection import GridSearchCV, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer
        clf = finetune.TextClassifier(self.tiny, epochs=8, batch_size=8, learning_rate=1e-2, pool="mean")
        self.assertEqual(clone(clf).get_params(), clf.get_params())
        self.assertGreater(cross_val_score(clf, np.array(TEXTS), np.array(LABELS), cv=2).mean(), 0.7)
        search = GridSearchCV(clf, {"learning_rate": [1e-2, 1e-6]}, cv=2).fit(np.array(TEXTS), np.array(LABELS))
        self.assertEqual(search.best_params_, {"learning_rate": 1e-2})
        pipeline = make_pipeline(FunctionTransformer(lambda texts: [t.lower() for t in texts]), clf)
        self.assertGreater(pipeline.fit(TEXTS, LABELS).score(TEXTS, LABELS), 0.7)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
