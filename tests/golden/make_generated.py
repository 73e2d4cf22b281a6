#!/usr/bin/env python3
"""Makes tests/golden/gpt2: a small GPT-2 with random weights, prompts, and the ids that transformers
goes on with, greedily.

    make_generated.py FOLDER        (needs torch and transformers)
"""
import json
import pathlib
import sys

import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
import tiny

PROMPTS = ["ROMEO:", "a", "", "to be, or not to be, that is the question", "caf\u00e9 \u2615"]


def main():
    folder = pathlib.Path(sys.argv[1])
    tiny.write_gpt2(folder)
    torch.manual_seed(5)
    config = transformers.GPT2Config(vocab_size=257, n_layer=2, n_head=3, n_embd=24, n_positions=96,
                                     n_inner=40, bos_token_id=256, eos_token_id=256,
                                     scale_attn_by_inverse_layer_idx=True, initializer_range=0.4)
    model = transformers.GPT2LMHeadModel(config).eval()
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    ids_of = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    pieces, wanted = tiny.byte_pieces(), []
    for prompt in PROMPTS:
        ids = [ids_of[pieces[b]] for b in prompt.encode()] or [256]
        with torch.no_grad():
            out = model.generate(torch.tensor([ids]), max_new_tokens=24, do_sample=False,
                                 pad_token_id=256)[0].tolist()[len(ids):]
        wanted.append({"prompt": prompt, "ids": out[:-1] if out[-1:] == [256] else out})
    (folder / "generated.json").write_text(json.dumps(wanted) + "\n")


main()
