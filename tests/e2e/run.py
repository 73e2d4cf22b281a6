#!/usr/bin/env python3
"""Recipes that must reach what they say, on tiny data, from the outside.

    run.py FINETUNE

Some are also run with other numbers of threads, and killed and resumed: the weights are the
same, bit for bit.

Each NAME.yaml here says "# wants: PATH NUMBER" for numbers of the done line that must be
reached, and "# most: PATH NUMBER" for those that must not be above it. The tables are made here; the model has random weights.
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "cli"))
import tiny

try:
    import yaml
except ImportError:
    yaml = None

TOPICS = ["sound", "picture", "camera", "phone"]
CAFE = "caf\u00e9"              # one byte in Latin-1
EXACT = ("reviews", "fill")    # recipes whose bits are compared
FILL = ["the", "an", "is", "was", "it", "and", "very"]


def words(draw, *inside):
    out = [draw.choice(FILL) for _ in range(draw.randint(2, 6))]
    for word in inside:
        out.insert(draw.randint(0, len(out)), word)
    return " ".join(out)


def write_answers(path, n, draw):
    """Which thing is good? The two words behind "great", where the context has it."""
    articles = [{"title": f"t{i}", "paragraphs": []} for i in range(8)]
    for i in range(n):
        fill = [draw.choice([*FILL, CAFE]) for _ in range(draw.randint(4, 30))]
        at = draw.randint(0, len(fill))
        answer = f"{draw.choice(TOPICS)} {draw.choice(TOPICS)}"
        if i % 4 == 0:
            context, answers = " ".join(fill), []
        else:
            context = " ".join(fill[:at] + ["great", answer] + fill[at:])
            answers = [{"text": answer, "answer_start": context.index("great") + 6}]
        question = {"id": f"q{i}", "question": draw.choice(["that one", "is it this"]),
                    "answers": answers, "is_impossible": not answers}
        articles[i % 8]["paragraphs"].append({"context": context, "qas": [question]})
    with open(path, "w") as f:
        json.dump({"version": "v2.0", "data": articles}, f)


def write_tables(folder, name, n, seed):
    draw = random.Random(seed)
    path = lambda ending: os.path.join(folder, ending)
    tiny.write_table(path(f"reviews{name}.csv"), n, seed)
    with open(path(f"topics{name}.all"), "w", encoding="latin-1") as f:
        for i in range(n):
            f.write(f"{TOPICS[i % 4]} {words(draw, TOPICS[i % 4], CAFE)}\n")
    with open(path(f"pairs{name}.jsonl"), "w") as f:
        for i in range(n):
            second = draw.choice(tiny.GOOD if i % 2 else tiny.BAD)
            f.write(json.dumps({"first": words(draw), "second": words(draw, second),
                                "same": "yes" if i % 2 else "no"}) + "\n")
    write_answers(path(f"answers{name}.json"), n, random.Random(seed))
    with open(path(f"stars{name}.tsv"), "w") as f:
        f.write("review\tstars\tbrand\n")
        for i in range(n):
            n_good = i % 3
            inside = [draw.choice(tiny.GOOD)] * n_good + [draw.choice(tiny.BAD)] * (2 - n_good)
            f.write(f"{words(draw, *inside)}\t{n_good - 1}.5\tb{i // 3 % 8}\n")
    write_tags(path(f"things{name}.conll"), n, draw)
    write_topics(path(f"several{name}.csv"), n, draw)


def write_tags(path, n, draw):
    """Things of one or two words, and how they are found."""
    with open(path, "w") as f:
        for _ in range(n):
            lines = [(word, "O") for word in words(draw).split()]
            for word in draw.sample(tiny.GOOD + tiny.BAD, 2):
                lines.append((word, "B-GOOD" if word in tiny.GOOD else "B-BAD"))
                lines.append((draw.choice(FILL), "O"))
            lines += [(word, "BI"[i] + "-THING") for i, word in enumerate(draw.sample(TOPICS, draw.randint(1, 2)))]
            f.write("".join(f"{word}\tO\t{tag}\n" for word, tag in lines) + "\n")


def write_topics(path, n, draw):
    """Any number of topics a row, none too."""
    with open(path, "w") as f:
        f.write("text,topics\n")
        for _ in range(n):
            inside = draw.sample(TOPICS, draw.randint(0, 3))
            f.write(f"{words(draw, *inside)},{'; '.join(inside)}\n")


def write_texts(folder, name, n, seed):
    """Plain text whose words follow from those before, and prompts with their completions."""
    draw = random.Random(seed)
    thing = lambda: draw.choice(["phone", "camera", "picture", "sound"])
    says = lambda x: "good great sharp" if x in ("phone", "camera") else "bad awful dull"
    with open(os.path.join(folder, f"texts{name}.txt"), "w") as f:
        for i in range(n):
            x, y = thing(), thing()
            f.write(f"the {x} is {says(x)}\nand the {y} is {says(y)}\n\n")
    with open(os.path.join(folder, f"prompts{name}.jsonl"), "w") as f:
        for i in range(n):
            x = thing()
            f.write(json.dumps({"prompt": f"the {x} is", "completion": " " + says(x)}) + "\n")


def find(value, path):
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def check_resolved(path):
    """Another YAML reader takes numbers for numbers, and labels for texts."""
    if yaml is None:
        return []
    resolved = yaml.safe_load(path.read_text(encoding="utf-8"))
    optimizer = resolved["train"]["optimizer"]
    numbers = [optimizer["learning_rate"], optimizer["weight_decay"],
               *optimizer.get("betas", []), resolved["train"]["clip_norm"]]
    texts = resolved["task"].get("labels", [])
    return ([f"{path}: not all numbers: {numbers}"] if {type(n) for n in numbers} != {float} else
            []) + [f"{path}: {t!r} is no text" for t in texts if not isinstance(t, str)]


def check(recipe, folder, finetune):
    wants, most = ([line.split()[2:4] for line in recipe.read_text().splitlines()
                    if line.startswith(f"# {word}:")] for word in ("wants", "most"))
    shutil.copy(recipe, folder)
    done = subprocess.run([finetune, "train", recipe.name, "--json", "--threads", "2"],
                          cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        return [f"exit {done.returncode}: {done.stderr.strip()}"]
    last = json.loads(done.stdout.splitlines()[-1])
    run_folder = pathlib.Path(folder, "runs", recipe.stem)
    return check_resolved(run_folder / "recipe.yaml") + [f"{path} is {find(last, path)}, wanted {number}" for path, number in wants
            if not (find(last, path) or 0) >= float(number)] + [
        f"{path} is {find(last, path)}, and not at most {number}" for path, number in most
        if not (find(last, path) or 1e9) <= float(number)] + ([] if wants or most else ["wants nothing"])


def predict(folder, finetune, model, text):
    done = subprocess.run([finetune, "predict", f"runs/{model}/model", "--json"], cwd=folder,
                          input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_answers(recipe, folder, finetune):
    """What a task's own form of an answer says, and that evaluate agrees with the run."""
    if recipe.stem == "things":
        answer, empty = predict(folder, finetune, "things", "the camera phone is good\n\n")
        found = [(t["start"], t["end"], t["label"], t["text"]) for t in answer["tags"]]
        wanted = [(4, 16, "THING", "camera phone"), (20, 24, "GOOD", "good")]
        return ([] if found == wanted and empty == {"tags": []}
                else [f"{found} instead of {wanted}; {empty} for no text"])
    if recipe.stem == "several":
        answer, = predict(folder, finetune, "several", "the sound and the camera\n")
        done = subprocess.run([finetune, "evaluate", "runs/several/model", "several-test.csv", "--json"],
                              cwd=folder, capture_output=True, text=True, check=True)
        return ([] if answer["labels"] == ["camera", "sound"] and set(answer["scores"]) == set(TOPICS)
                and json.loads(done.stdout)["n"] == 48 else [f"{answer}, {done.stdout}"])
    return []


def weights(folder, name):
    return pathlib.Path(folder, name, "model", "model.safetensors").read_bytes()


def steps(folder, name):
    lines = pathlib.Path(folder, name, "metrics.jsonl").read_text().splitlines()
    return [e["step"] for e in map(json.loads, lines) if e["event"] == "step"]


def killed(command, folder, seconds):
    """Kills the run, without a word, after a while; False: it was over before."""
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        run.kill()
    run.wait()
    return run.returncode != 0


def check_bits(recipe, folder, finetune):
    """Threads change nothing; nor does kill -9, at several moments, and --resume."""
    command = [finetune, "train", recipe.name, "--set", "train.checkpoint_every=7"]
    name = lambda run: f"{recipe.stem}-{run}"
    started = time.monotonic()
    subprocess.run([*command, "--out", name("whole")], cwd=folder, capture_output=True, check=True)
    duration = time.monotonic() - started
    findings = []
    for threads in "15":
        subprocess.run([*command, "--out", name(threads), "--threads", threads], cwd=folder,
                       capture_output=True, check=True)
        if weights(folder, name(threads)) != weights(folder, name("whole")):
            findings.append(f"other weights with {threads} threads")
    for i in range(4):
        killed([*command, "--out", name("killed"), "--resume"], folder, duration * (0.2 + 0.2 * i))
    subprocess.run([*command, "--out", name("killed"), "--resume"], cwd=folder, capture_output=True,
                   check=True)
    if weights(folder, name("killed")) != weights(folder, name("whole")):
        findings.append("other weights after kill -9 and --resume")
    if steps(folder, name("killed")) != steps(folder, name("whole")):
        findings.append("metrics.jsonl tells other steps after kill -9 and --resume")
    return findings


def check_places(recipe, folder, finetune):
    """Threads change nothing; predictions are bytes of the context; transformers' names."""
    findings = []
    for threads in "15":
        subprocess.run([finetune, "train", recipe.name, "--out", threads, "--threads", threads,
                        "--set", "train.steps=9"], cwd=folder, capture_output=True, check=True)
    if weights(folder, "1") != weights(folder, "5"):
        findings.append("other weights with another number of threads")
    context = f"{CAFE} was very it is {CAFE} great phone sound and it is the {CAFE} " + "is it " * 9
    asked = json.dumps({"question": "that one", "context": context}) + f"\nthat one\t{context}\n"
    done = subprocess.run([finetune, "predict", "runs/answers/model", "--json", "--top", "30"],
                          cwd=folder, input=asked, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(lines) != 2 or lines[0] != lines[1]:
        return findings + [f"predict: {done.stdout} {done.stderr}"]
    for place in [lines[0], *lines[0]["best"]]:
        if context.encode()[place["start"]:place["end"]].decode() != place["answer"]:
            findings.append(f"{place} isn't where it is said to be")
    if lines[0]["answer"] != "phone sound" or not 10 < len(lines[0]["best"]) <= 21:
        findings.append(f"the answer is {lines[0]}")
    if not 0.99 < sum(place["score"] for place in lines[0]["best"]) < 1.01:
        findings.append("scores don't add up to 1")
    done = subprocess.run([finetune, "evaluate", "runs/answers/model", "answers-test.json",
                           "--json"], cwd=folder, capture_output=True, text=True)
    test = [json.loads(line) for line in
            pathlib.Path(folder, "runs/answers/metrics.jsonl").read_text().splitlines()][-1]
    if json.loads(done.stdout)["metrics"]["span_f1"] != test["metrics"]["test"]["span_f1"]:
        findings.append("evaluate finds another F1 than the run")
    config = json.loads(pathlib.Path(folder, "runs/answers/model/config.json").read_text())
    if config["architectures"] != ["BertForQuestionAnswering"]:
        findings.append(f"the folder is a {config['architectures']}")
    return findings


def main():
    recipes, n_failed = sorted(HERE.glob("*.yaml")), 0
    with tempfile.TemporaryDirectory() as folder:
        tiny.write_model(os.path.join(folder, "tiny"))
        tiny.write_gpt2(os.path.join(folder, "tiny-gpt2"))
        write_texts(folder, "", 120, 1)
        write_texts(folder, "-test", 30, 2)
        write_tables(folder, "", 160, 1)
        write_tables(folder, "-test", 48, 2)
        for recipe in recipes:
            findings = check(recipe, folder, os.path.abspath(sys.argv[1]))
            if recipe.stem in EXACT and not findings:
                findings = check_bits(recipe, folder, os.path.abspath(sys.argv[1]))
            findings = findings or check_answers(recipe, folder, os.path.abspath(sys.argv[1]))
            if recipe.stem == "answers" and not findings:
                findings = check_places(recipe, folder, os.path.abspath(sys.argv[1]))
            for finding in findings:
                print(f"{recipe.name}: {finding}")
                n_failed += 1
    print(f"{len(recipes)} recipes, {n_failed} findings")
    return 1 if n_failed or not recipes else 0


sys.exit(main())
