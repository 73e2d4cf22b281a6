#!/usr/bin/env python3
"""Makes tests/golden/bert/pytorch_model.bin of model.safetensors beside it, as torch.save writes it: wrapped as training
scripts do, matrices as transposed views, the queries, keys and values of a layer as parts of one storage.

    make_torch.py

Needs torch and safetensors.
"""
import collections
import pathlib

import safetensors.torch
import torch

FOLDER = pathlib.Path(__file__).parent / "bert"


def main():
    state = collections.OrderedDict(safetensors.torch.load_file(FOLDER / "model.safetensors"))
    for name, tensor in list(state.items()):
        if tensor.dim() == 2 and ".dense." in name:
            state[name] = torch.nn.Parameter(tensor.t().contiguous().t())
        if name.endswith(".query.weight"):
            names = [name.replace("query", part) for part in ("query", "key", "value")]
            whole = torch.cat([state[n] for n in names]).t().contiguous()
            state.update(zip(names, whole.t().split(len(tensor))))
    state["bert.embeddings.position_ids"] = torch.arange(37).expand(1, -1)
    torch.save({"epoch": 3, "loss": 0.25, "state_dict": state}, FOLDER / "pytorch_model.bin")


if __name__ == "__main__":
    main()
