#!/usr/bin/env python3
"""Prints tests/unit/efficientnet_names.def: what four sources call the tensors of EfficientNets, and how large they are.

    names_efficientnet.py > ../unit/efficientnet_names.def

Run by hand; needs torch with transformers, timm, torchvision and efficientnet_pytorch. A digest is FNV-1a (64 bits) over
lines "NAME 32 3 3 3", sorted, of parameters and running statistics; the counts of batches are left out.
"""
import functools

import efficientnet_pytorch
import timm
import torch
import torchvision.models
import transformers

COEFFICIENTS = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2.0, 3.1))
HIDDEN = (1280, 1280, 1408, 1536, 1792, 2048, 2304, 2560)


def of_transformers(n):
    width, depth = COEFFICIENTS[n]
    return transformers.EfficientNetForImageClassification(transformers.EfficientNetConfig(
        width_coefficient=width, depth_coefficient=depth, hidden_dim=HIDDEN[n], num_labels=1000))


def digest(model):
    lines = sorted(f"{name} {' '.join(map(str, t.shape))}\n" for name, t in model.state_dict().items() if t.ndim)
    return functools.reduce(lambda h, b: (h ^ b) * 0x100000001B3 % 2**64, "".join(lines).encode(), 0xCBF29CE484222325)


def rows():
    for n in range(8):
        yield "TRANSFORMERS", f"efficientnet_b{n}", lambda n=n: of_transformers(n)
        yield "TORCHVISION", f"efficientnet_b{n}", lambda n=n: getattr(torchvision.models, f"efficientnet_b{n}")()
        yield "EFFICIENTNET_PYTORCH", f"efficientnet-b{n}", \
            lambda n=n: efficientnet_pytorch.EfficientNet.from_name(f"efficientnet-b{n}")
    for name in [f"{tf}efficientnet_{kind}" for tf in ("", "tf_")
                 for kind in [f"b{n}" for n in range(8)] + [f"lite{n}" for n in range(5)]]:
        yield "TIMM", name, lambda name=name: timm.create_model(name)


def main():
    print("/* Made by tests/golden/names_efficientnet.py: school, architecture, parameters, digest of names and shapes. */")
    for school, name, make in rows():
        with torch.device("meta"):
            model = make()
        print(f'{{ FINE__{school}, "{name}", {sum(p.numel() for p in model.parameters())}, '
              f"UINT64_C(0x{digest(model):016x}) }},")


if __name__ == "__main__":
    main()
