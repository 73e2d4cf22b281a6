#!/usr/bin/env python3
"""Image models that the library saves: transformers opens its own school's to our logits and labels, and PyTorch's
modules load the others strictly, name by name.

    roundtrip_resnet.py LIBRARY

Where it runs and where it is skipped: roundtrip.py.
"""
import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from roundtrip import Library, check, near, run

LABELS = ["cat", "dog", 'n\u00e4h "\\', "\u732b"]


def pixels_of(folder):
    import safetensors.torch
    return safetensors.torch.load_file(os.path.join(folder, "inputs.safetensors"))["pixel_values"]


def ours(library, model, folder):
    import ctypes
    inputs = library.new("fine_tensors_open", library.context, os.path.join(folder, "inputs.safetensors").encode())
    if library.lib.fine_model_n_labels(ctypes.c_void_p(model.value)) > 0:
        none = (ctypes.c_int64 * 3)(-100, -100, -100)
        library.call("fine_tensors_put", inputs, b"labels", ctypes.c_int32(8), ctypes.c_int64(1),
                     (ctypes.c_int64 * 1)(3), none)
    out = ctypes.c_void_p()
    library.call("fine_model_forward", model, inputs, ctypes.c_int32(0), ctypes.byref(out))
    _, logits = library.tensor(out, "logits")
    library.free("tensors", out)
    library.free("tensors", inputs)
    return logits


def save(library, base, labels, scratch, name):
    """The base with this many labels, saved: its folder and our logits."""
    saved = os.path.join(scratch, name)
    model = library.new("fine_model_open", library.context, base.encode(), None)
    if labels:
        library.set_task(model, "classify-image", None, labels)
    library.call("fine_model_save", model, saved.encode())
    logits = ours(library, model, base)
    library.free("model", model)
    return saved, logits


def hugging(library, scratch):
    import safetensors.torch
    import torch
    import transformers
    base = os.path.join(HERE, "resnet-hugging")
    weights = safetensors.torch.load_file(os.path.join(base, "model.safetensors"))
    bases = {"whole": base}
    for name, keys in (("bare", {k.removeprefix("resnet."): v for k, v in weights.items() if k.startswith("resnet.")}),
                       ("wrapped", {"module." + k: v for k, v in weights.items()})):
        bases[name] = os.path.join(scratch, "base-" + name)
        shutil.copytree(base, bases[name])
        safetensors.torch.save_file(keys, os.path.join(bases[name], "model.safetensors"), {"format": "pt"})
    for name, folder in bases.items():
        for labels in (LABELS, None) if name != "bare" else (LABELS,):
            saved, logits = save(library, folder, labels, scratch, f"saved-{name}-{labels is None}")
            theirs = transformers.AutoModelForImageClassification.from_pretrained(saved).eval()
            with torch.no_grad():
                want = theirs(pixel_values=pixels_of(base)).logits.flatten().tolist()
            check(f"{name}, {'new head' if labels else 'as it was'}: logits", *near(logits, want, 5e-6))
            check(f"{name}: labels", list(theirs.config.id2label.values()) == (labels or [f"LABEL_{i}" for i in range(3)]))
            there = {k for k in safetensors.torch.load_file(os.path.join(saved, "model.safetensors"))}
            check(f"{name}: every name is transformers'", there == set(theirs.state_dict()))


def plain(library, scratch):
    import safetensors.torch
    import torch
    from make_resnet import Net
    nets = {"resnet-grouped": lambda: Net(4, [1, 2], 2, lambda planes: 2 * planes),
            "resnet-cifar": lambda: Net(4, [1, 2], 0, lambda planes: planes)}
    for name, make in nets.items():
        base = os.path.join(HERE, name)
        saved, logits = save(library, base, LABELS, scratch, name)
        net = make().eval()
        head = net.linear if net.small else net.fc
        head.weight, head.bias = (torch.nn.Parameter(torch.empty(len(LABELS), *p.shape[1:])) for p in (head.weight, head.bias))
        there = safetensors.torch.load_file(os.path.join(saved, "model.safetensors"))
        before = safetensors.torch.load_file(os.path.join(base, "model.safetensors"))
        check(f"{name}: names as they came", set(there) == set(before))
        there = {k.removeprefix("module."): v for k, v in there.items()}
        # torch takes a missing count of batches for 0
        lacking = [k for k in net.load_state_dict(there, strict=False).missing_keys if not k.endswith("num_batches_tracked")]
        check(f"{name}: nothing is missing", not lacking, str(lacking))
        with torch.no_grad():
            want = net(pixels_of(base))[0].flatten().tolist()
        check(f"{name}: logits", *near(logits, want, 5e-6))
        with open(os.path.join(saved, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        with open(os.path.join(base, "config.json"), encoding="utf-8") as f:
            asked = json.load(f) | {"num_classes": len(LABELS), "label_names": LABELS}
        check(f"{name}: config.json as it came, with the classes", config == asked, str(config))


def main(path):
    library = Library(path)
    with tempfile.TemporaryDirectory() as scratch:
        hugging(library, scratch)
        plain(library, scratch)
    library.free("context", library.context)
    return 1 if check.n_failed else 0


if __name__ == "__main__":
    run(__file__, main)
