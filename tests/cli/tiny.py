"""A tiny BERT with a vocabulary of letters and some words, tables it can learn in a second,
and safetensors in and out: what tests of the command need, from the standard library."""
import json
import os
import random
import struct

WORDS = ("the an is was it and very not this that camera phone picture sound good great bad "
         "awful love hate works broken sharp dull cheap happy sad one two").split()
GOOD, BAD = "good great love sharp happy".split(), "bad awful hate dull sad".split()
VOCABULARY = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS +
              [c for c in "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-{}:\""] +
              ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"])
CONFIG = {
    "model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(VOCABULARY),
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 64, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    "pad_token_id": 0, "initializer_range": 0.02,
}


def shapes(config=CONFIG):
    width, inner = config["hidden_size"], config["intermediate_size"]
    out = {"embeddings.word_embeddings.weight": (config["vocab_size"], width),
           "embeddings.position_embeddings.weight": (config["max_position_embeddings"], width),
           "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], width),
           "embeddings.LayerNorm.weight": (width,), "embeddings.LayerNorm.bias": (width,)}
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        for name, rows, columns in (("attention.self.query", width, width), ("attention.self.key", width, width),
                                    ("attention.self.value", width, width),
                                    ("attention.output.dense", width, width),
                                    ("intermediate.dense", inner, width), ("output.dense", width, inner)):
            out[layer + name + ".weight"], out[layer + name + ".bias"] = (rows, columns), (rows,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            out[layer + name + ".weight"] = out[layer + name + ".bias"] = (width,)
    out["pooler.dense.weight"], out["pooler.dense.bias"] = (width, width), (width,)
    return out


def byte_pieces():
    """The pieces of single bytes in a byte-level vocabulary, in the order of the bytes."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in own]
    return [chr(b if b in own else 256 + others.index(b)) for b in range(256)]


def write_gpt2(folder):
    """A GPT-2 of two thin layers, without weights; its tokens are bytes."""
    os.makedirs(folder, exist_ok=True)
    vocabulary = {piece: i for i, piece in enumerate([*byte_pieces(), "<|endoftext|>"])}
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 32, "n_layer": 2,
              "n_head": 2, "n_positions": 64, "vocab_size": 257, "eos_token_id": 256,
              "bos_token_id": 256}
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as f:
        json.dump(vocabulary, f)
    with open(os.path.join(folder, "merges.txt"), "w") as f:
        f.write("#version: 0.2\n")
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>",
                   "bos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}, f)


def count(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def write_safetensors(path, tensors):
    """tensors: {name: (type, shape, numbers)}; type F32 or I64."""
    header, data = {}, b""
    for name, (kind, shape, numbers) in tensors.items():
        raw = struct.pack(f"<{len(numbers)}{'f' if kind == 'F32' else 'q'}", *numbers)
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """{name: (shape, numbers)}"""
    with open(path, "rb") as f:
        raw = f.read()
    n = struct.unpack("<Q", raw[:8])[0]
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name != "__metadata__":
            begin, end = (8 + n + o for o in t["data_offsets"])
            letter, size = {"F32": ("f", 4), "F64": ("d", 8), "I64": ("q", 8)}[t["dtype"]]
            out[name] = (t["shape"], struct.unpack(f"<{(end - begin) // size}{letter}", raw[begin:end]))
    return out


def write_model(folder, weights=True, classes=0, seed=1):
    """A model folder; with classes it is a classifier already."""
    os.makedirs(folder, exist_ok=True)
    config, prefix = dict(CONFIG), "bert." if classes else ""
    tensors = {prefix + n: s for n, s in shapes().items()}
    if classes:
        labels = [f"LABEL_{i}" for i in range(classes)]
        config.update(architectures=["BertForSequenceClassification"], id2label=dict(enumerate(labels)),
                      label2id={label: i for i, label in enumerate(labels)})
        tensors.update({"classifier.weight": (classes, CONFIG["hidden_size"]), "classifier.bias": (classes,)})
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    with open(os.path.join(folder, "vocab.txt"), "w") as f:
        f.write("\n".join(VOCABULARY) + "\n")
    if weights:
        draw = random.Random(seed)
        write_safetensors(os.path.join(folder, "model.safetensors"), {
            name: ("F32", shape, [1.0] * count(shape) if name.endswith("LayerNorm.weight") else
                   [0.0] * count(shape) if name.endswith("bias") else
                   [draw.gauss(0, 0.2) for _ in range(count(shape))])
            for name, shape in tensors.items()})
    return folder


def write_table(path, n, seed=1, labels=("negative", "positive")):
    """n rows, text and label; the label is in the words."""
    draw = random.Random(seed)
    with open(path, "w") as f:
        f.write("text,label\n")
        for i in range(n):
            words = [draw.choice(WORDS[:12]) for _ in range(draw.randint(2, 6))]
            words.insert(draw.randint(0, len(words)), draw.choice(GOOD if i % 2 else BAD))
            f.write(f"{' '.join(words)},{labels[i % 2]}\n")
    return path


def write_batch(path, rows=4, width=8, classes=2, seed=1):
    """Input tensors as `finetune forward` reads them, right-padded."""
    draw = random.Random(seed)
    lengths = [width] + [draw.randint(2, width) for _ in range(rows - 1)]
    ids = [draw.randrange(5, len(VOCABULARY)) if k < n else 0 for n in lengths for k in range(width)]
    mask = [int(k < n) for n in lengths for k in range(width)]
    write_safetensors(path, {"input_ids": ("I64", (rows, width), ids), "attention_mask": ("I64", (rows, width), mask),
                             "labels": ("I64", (rows,), [i % classes for i in range(rows)])})
    return path


RECIPE = """model: {path: tiny}
task: {type: classify, pool: mean}
data: {train: train.csv, validation: test.csv, test: test.csv}
train:
  epochs: 12
  batch_size: 8
  optimizer: {type: adamw, learning_rate: 1.0e-2}
  seed: 7
output: {dir: run}
"""
