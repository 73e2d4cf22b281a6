#!/usr/bin/env python3
"""Makes tests/golden/resnet-*: what PyTorch and transformers compute on small ResNets of random weights.

    make_resnet.py [FOLDER]

Needs torch, transformers and safetensors; nothing is downloaded. All is computed in float64 from weights that are
float32, then stored: loss, logits and curves as F64, the rest as F32. Two runs on one kind of machine give the same bytes.

resnet-hugging   transformers' names: bottlenecks with the stride in the first 1x1 and in the first stage, SiLU
resnet-grouped   torchvision's and timm's names, by a module of our own: bottlenecks in two groups
resnet-cifar     "module." before every name, a 3x3 stem and padded shortcuts, by a module of our own; no count of batches

model.safetensors, config.json   the network
inputs.safetensors               three images of 21 x 18 (odd sides inside), labels
expected.safetensors             loss, logits, hidden_states.N (the stem, then one a stage), grad.NAME; with "train."
                                 before them the same by the batch's own statistics, and train.after.NAME: the running
                                 ones after that; train.losses, train.norms: ten AdamW steps in training mode
"""
import copy
import json
import os
import sys

import safetensors.torch
import torch
import transformers
from torch import nn
from torch.nn import functional as F

SEED, CLASSES, STEPS = 41, 3, 10


class Block(nn.Module):
    """Basic with a padded shortcut, or a bottleneck in groups with a projected one."""

    def __init__(self, cin, inner, cout, stride, groups):
        super().__init__()
        sizes = [(cin, inner, 1, 1), (inner, inner, 3, stride), (inner, cout, 1, 1)] if groups else \
            [(cin, inner, 3, stride), (inner, cout, 3, 1)]
        self.n, self.stride, self.more = len(sizes), stride, cout - cin
        for i, (a, b, k, s) in enumerate(sizes, 1):
            self.add_module(f"conv{i}", nn.Conv2d(a, b, k, s, k // 2, bias=False, groups=groups if groups and i == 2 else 1))
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)) \
            if groups and (stride > 1 or cin != cout) else None

    def forward(self, x):
        h = x
        for i in range(1, self.n + 1):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
            h = h if i == self.n else F.relu(h)
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.more:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(h + x)


class Net(nn.Module):
    def __init__(self, width, layers, groups, inner):
        super().__init__()
        self.small, cin = not groups, width
        self.conv1 = nn.Conv2d(3, width, 3 if self.small else 7, 1 if self.small else 2, 1 if self.small else 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.n = len(layers)
        for s, depth in enumerate(layers):
            cout = (width << s) * (1 if self.small else 4)
            blocks = []
            for b in range(depth):
                blocks.append(Block(cin, inner(width << s), cout, 2 if s and b == 0 else 1, groups))
                cin = cout
            self.add_module(f"layer{s + 1}", nn.Sequential(*blocks))
        self.add_module("linear" if self.small else "fc", nn.Linear(cin, CLASSES))

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = x if self.small else F.max_pool2d(x, 3, 2, 1)
        states = [x]
        for s in range(self.n):
            x = getattr(self, f"layer{s + 1}")(x)
            states.append(x)
        return (self.linear if self.small else self.fc)(x.mean((2, 3))), states


class Hugging(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.net = transformers.ResNetForImageClassification(config)

    def forward(self, x):
        out = self.net(x, output_hidden_states=True)
        return out.logits, out.hidden_states


def draw(model):
    random = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, p in [*model.named_parameters(), *model.named_buffers()]:
            if not p.dtype.is_floating_point:
                p.fill_(7)
                continue
            noise = torch.randn(p.shape, generator=random)
            fan = p[0].numel() if p.ndim > 1 else 1
            p.copy_(0.5 + noise.abs() if name.endswith("running_var") else
                    1 + 0.2 * noise if p.ndim == 1 and name.endswith("weight") else
                    0.1 * noise if p.ndim == 1 else noise / fan ** 0.5)
    return model


def one_pass(model, x, labels, train):
    model = copy.deepcopy(model).double().train(train)
    logits, states = model(x.double())
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    out = {"loss": loss, "logits": logits} | {f"hidden_states.{i}": s.float() for i, s in enumerate(states)}
    out |= {f"grad.{n}": p.grad.float() for n, p in model.named_parameters()}
    if train:
        out |= {f"after.{n}": b.float() for n, b in model.named_buffers() if b.dtype.is_floating_point}
    return out


def curve(model, x, labels):
    model = copy.deepcopy(model).double().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, foreach=False)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x.double())[0], labels)
        loss.backward()
        losses.append(float(loss.detach()))
        norms.append(float(torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in model.parameters()]))))
        optimizer.step()
    return {"losses": torch.tensor(losses).double(), "norms": torch.tensor(norms).double()}


def write(folder, model, config, rename, drop=()):
    os.makedirs(folder, exist_ok=True)
    random = torch.Generator().manual_seed(SEED + 1)
    x = torch.randn(3, 3, 21, 18, generator=random)
    labels = torch.tensor([2, 0, 1])
    expected = one_pass(model, x, labels, False)
    train = one_pass(model, x, labels, True) | curve(model, x, labels)
    expected |= {f"train.{n}": t for n, t in train.items() if not n.startswith("hidden")}

    def named(key):
        for before in ("train.grad.", "train.after.", "grad."):
            if key.startswith(before):
                return before + rename(key[len(before):])
        return key

    save = lambda tensors, name: safetensors.torch.save_file(
        {k: v.detach().contiguous() for k, v in tensors.items()}, os.path.join(folder, name),
        {"format": "pt", "torch": torch.__version__})
    save({named(k): v for k, v in expected.items()}, "expected.safetensors")
    save({rename(k): v for k, v in model.state_dict().items() if not k.endswith(tuple(drop))}, "model.safetensors")
    save({"pixel_values": x, "labels": labels}, "inputs.safetensors")
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
        f.write("\n")


def main(root):
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[8, 12], depths=[2, 1], layer_type="bottleneck",
                                       hidden_act="silu", downsample_in_first_stage=True, downsample_in_bottleneck=True,
                                       num_labels=CLASSES)
    hugging = draw(Hugging(config))
    plain = json.loads(config.to_json_string()) | {"architectures": ["ResNetForImageClassification"]}
    write(os.path.join(root, "resnet-hugging"), hugging, plain, lambda name: name.removeprefix("net."))
    write(os.path.join(root, "resnet-grouped"), draw(Net(4, [1, 2], 2, lambda planes: 2 * planes)),
          {"architecture": "resnet", "naming": "torchvision", "block": "bottleneck", "layers": [1, 2], "width": 4,
           "groups": 2, "width_per_group": 64, "num_classes": CLASSES, "label_names": ["cat", "dog", "owl"]},
          lambda name: name)
    write(os.path.join(root, "resnet-cifar"), draw(Net(4, [1, 2], 0, lambda planes: planes)),
          {"architecture": "cifar-resnet", "layers": [1, 2], "width": 4, "num_classes": CLASSES},
          lambda name: "module." + name, ["num_batches_tracked"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
