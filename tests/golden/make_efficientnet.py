#!/usr/bin/env python3
"""Makes tests/golden/efficientnet-*: what PyTorch computes on small EfficientNets of random weights, by modules of our own.

    make_efficientnet.py [FOLDER]

Needs torch and safetensors; nothing is downloaded. All is computed in float64 from weights that are float32, then
stored: loss and logits as F64, the rest as F32. Two runs on one kind of machine give the same bytes.

efficientnet-pytorch   names of efficientnet_pytorch; squeeze-and-excitation, SiLU; "same" padding by the image's size
efficientnet-lite      timm's names; no squeeze-and-excitation, ReLU6; "same" padding by the image's size

model.safetensors, config.json   the network
inputs.safetensors               two images of 25 x 22 (odd sides inside), labels
expected.safetensors             loss, logits, hidden_states.N (the stem, then one a block; timm: one a stage, the last
                                 the 1x1 convolution), grad.NAME; with "train." before
                                 them the same (but no hidden states) by the batch's own statistics, and train.after.NAME:
                                 the running ones after that; static.loss, static.logits: padded for images of 32 x 32, whatever their size is
                                 train.losses, train.norms: ten AdamW steps in training mode
"""
import copy
import json
import os
import sys

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

SEED, CLASSES, STEPS, EPS, MOMENTUM, STATIC = 31, 4, 10, 1e-3, 0.01, 32
STEM, HEAD = 6, 16
# expand, kernel, stride, out, repeats; the first begins with a skip and repeats without expansion.
STAGES = ((1, 3, 1, 6, 2), (4, 5, 2, 8, 2), (3, 3, 2, 9, 1))


def padded(x, kernel, stride, sides):
    """x with the zeros that TensorFlow's SAME adds for an image of these sides."""
    total = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in sides]
    (top, bottom), (left, right) = [(n // 2, n - n // 2) for n in total]
    return F.pad(x, (left, right, top, bottom))


class Conv(nn.Conv2d):
    def forward(self, x, side=None):
        x = padded(x, self.kernel_size[0], self.stride[0], x.shape[2:] if side is None else (side, side))
        return super().forward(x)


class Block(nn.Module):
    def __init__(self, cin, cout, expand, kernel, stride, squeeze, act):
        super().__init__()
        mid = cin * expand
        self.act, self.stride, self.skips = act, stride, stride == 1 and cin == cout
        if expand != 1:
            self._expand_conv, self._bn0 = Conv(cin, mid, 1, bias=False), nn.BatchNorm2d(mid, EPS, MOMENTUM)
        self._depthwise_conv = Conv(mid, mid, kernel, stride, groups=mid, bias=False)
        self._bn1 = nn.BatchNorm2d(mid, EPS, MOMENTUM)
        if squeeze:
            self._se_reduce, self._se_expand = Conv(mid, max(1, cin // 4), 1), Conv(max(1, cin // 4), mid, 1)
        self._project_conv, self._bn2 = Conv(mid, cout, 1, bias=False), nn.BatchNorm2d(cout, EPS, MOMENTUM)

    def forward(self, x, side):
        y = x
        if hasattr(self, "_expand_conv"):
            y = self.act(self._bn0(self._expand_conv(y)))
        y = self.act(self._bn1(self._depthwise_conv(y, side)))
        if hasattr(self, "_se_reduce"):
            y = y * torch.sigmoid(self._se_expand(self.act(self._se_reduce(y.mean((2, 3), keepdim=True)))))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class Net(nn.Module):
    def __init__(self, squeeze, act):
        super().__init__()
        self.act = act
        self._conv_stem, self._bn0 = Conv(3, STEM, 3, 2, bias=False), nn.BatchNorm2d(STEM, EPS, MOMENTUM)
        self._blocks, cin = nn.ModuleList(), STEM
        for expand, kernel, stride, cout, repeats in STAGES:
            for j in range(repeats):
                self._blocks.append(Block(cin, cout, expand, kernel, stride if j == 0 else 1, squeeze, act))
                cin = cout
        self._conv_head, self._bn1 = Conv(cin, HEAD, 1, bias=False), nn.BatchNorm2d(HEAD, EPS, MOMENTUM)
        self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x, side=None):
        x = self.act(self._bn0(self._conv_stem(x, side)))
        states = [x]
        side = None if side is None else -(-side // 2)
        for block in self._blocks:
            x = block(x, side)
            side = None if side is None else -(-side // block.stride)
            states.append(x)
        x = self.act(self._bn1(self._conv_head(x)))
        states.append(x)
        return self._fc(x.mean((2, 3))), states


def timm_name(name):
    """timm's name of a tensor of Net."""
    part = name.split(".")
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    if part[0] in outer:
        return f"{outer[part[0]]}.{part[1]}"
    n, stage = int(part[1]), 0
    while n >= STAGES[stage][4]:
        n, stage = n - STAGES[stage][4], stage + 1
    inner = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
             "_project_conv": "conv_pwl", "_bn2": "bn3"}
    if STAGES[stage][0] == 1:
        inner |= {"_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    return f"blocks.{stage}.{n}.{inner[part[2]]}.{part[3]}"


def randomise(net, random, spread):
    with torch.no_grad():
        for name, p in net.named_parameters():
            noise = torch.randn(p.shape, generator=random)
            fan = p.numel() / p.shape[0]
            p.copy_(noise * fan ** -0.5 if p.ndim > 1 else 1 + 0.2 * noise if "_bn" in name and name.endswith("weight")
                    else spread * noise)
        for name, b in net.named_buffers():
            noise = torch.randn(b.shape, generator=random)
            if b.ndim:
                b.copy_(0.3 * noise if name.endswith("mean") else 0.5 + noise.abs())


def run(net, images, labels, train, side=None):
    net = copy.deepcopy(net).double().train(train)
    logits, states = net(images.double(), side)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return net, loss.detach(), logits.detach(), [s.detach() for s in states]


def curve(net, images, labels):
    net = copy.deepcopy(net).double().train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images.double())[0], labels)
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.sqrt(sum((p.grad ** 2).sum() for p in net.parameters())).item())
        optimizer.step()
    return {"train.losses": torch.tensor(losses).double(), "train.norms": torch.tensor(norms).double()}


def make(folder, config, net, rename, kept, spread, seed):
    random = torch.Generator().manual_seed(seed)
    randomise(net, random, spread)
    images = torch.randn((2, 3, 25, 22), generator=random)
    labels = torch.randint(CLASSES, (2,), generator=random)
    expected = {}
    for train, before in ((False, ""), (True, "train.")):
        ran, loss, logits, states = run(net, images, labels, train)
        expected[before + "loss"], expected[before + "logits"] = loss, logits
        for i, k in enumerate(kept if not train else ()):
            expected[f"hidden_states.{i}"] = states[k].float()
        for name, p in ran.named_parameters():
            expected[f"{before}grad.{rename(name)}"] = p.grad.float()
        for name, b in ran.named_buffers():
            if train and "running_" in name:
                expected[f"{before}after.{rename(name)}"] = b.float()
    _, expected["static.loss"], expected["static.logits"], _ = run(net, images, labels, False, STATIC)
    expected |= curve(net, images, labels)
    os.makedirs(folder, exist_ok=True)
    weights = {rename(name): t for name, t in net.state_dict().items()}
    stages = [dict(zip(("expand", "kernel", "stride", "out", "repeats"), s)) for s in STAGES]
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"architecture": "efficientnet", **config, "stem": STEM, "head": HEAD, "stages": stages,
                   "padding": "same", "num_classes": CLASSES, "batch_norm_eps": EPS, "batch_norm_momentum": MOMENTUM},
                  f, indent=1)
        f.write("\n")
    for name, tensors in (("model", weights), ("inputs", {"pixel_values": images, "labels": labels}),
                          ("expected", expected)):
        safetensors.torch.save_file({k: v.contiguous().clone() for k, v in tensors.items()},
                                    os.path.join(folder, name + ".safetensors"),
                                    metadata={"torch": torch.__version__} if name == "expected" else None)


def main(root):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    make(os.path.join(root, "efficientnet-pytorch"), {"naming": "efficientnet_pytorch"},
         Net(True, F.silu), str, range(6), 0.3, SEED)
    make(os.path.join(root, "efficientnet-lite"), {"naming": "timm", "activation": "relu6", "squeeze": 0},
         Net(False, F.relu6), timm_name, (0, 2, 4, 5, 6), 2.0, SEED + 1)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
