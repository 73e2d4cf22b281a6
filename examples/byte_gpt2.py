#!/usr/bin/env python3
"""A GPT-2 that is still to be trained, whose tokens are bytes: for text where no weights are at
hand. Writes FOLDER/model (config.json and the tokenizer's files; the recipe's model.init: random
draws the weights), FOLDER/train.txt and FOLDER/validation.txt, the last tenth of TEXT.

    byte_gpt2.py FOLDER TEXT [LAYERS WIDTH HEADS CONTEXT]
"""
import json
import pathlib
import sys

END = "<|endoftext|>"


def pieces():
    """How a byte-level vocabulary spells each byte: printable ones as they are, the others with
    characters from U+0100 on (Radford et al., 2019)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b if b in printable else 256 + others.index(b)) for b in range(256)]


def main():
    if len(sys.argv) not in (3, 7):
        return __doc__
    folder, text = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_bytes()
    layers, width, heads, context = map(int, sys.argv[3:] or (4, 128, 4, 128))
    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 257,
              "n_layer": layers, "n_embd": width, "n_head": heads, "n_positions": context,
              "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
              "bos_token_id": 256, "eos_token_id": 256}
    vocabulary = {piece: i for i, piece in enumerate([*pieces(), END])}
    (model / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (model / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (model / "merges.txt").write_text("#version: 0.2\n")
    (model / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "GPT2Tokenizer", "bos_token": END, "eos_token": END,
         "unk_token": END}) + "\n")
    cut = text.rfind(b"\n\n", 0, len(text) * 9 // 10) + 2
    (folder / "train.txt").write_bytes(text[:cut])
    (folder / "validation.txt").write_bytes(text[cut:])
    return 0


sys.exit(main())
