"""Splits a SQuAD file for cross-validation: K pairs of files, whole articles in each.

    folds.py FILE K OUT

Fold i's test file has every K-th article from the i-th on, its training file the rest, so that
no text of the one stands in the other. Then, for each i:

    finetune train answer_minilm.yaml --set data.train=OUT/i-train.json \\
        --set data.test=OUT/i-test.json --out runs/fold-i
"""
import json
import pathlib
import sys


def main():
    path, k, out = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
    data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    articles = data["data"]
    out.mkdir(parents=True, exist_ok=True)
    for fold in range(k):
        parts = {"test": articles[fold::k],
                 "train": [a for i, a in enumerate(articles) if i % k != fold]}
        for name, part in parts.items():
            (out / f"{fold}-{name}.json").write_text(
                json.dumps({**data, "data": part}, ensure_ascii=False), encoding="utf-8")
            n = sum(len(p["qas"]) for a in part for p in a["paragraphs"])
            print(f"{fold}-{name}.json: {len(part)} articles, {n} questions")


main()
