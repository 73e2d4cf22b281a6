#!/usr/bin/env python3
"""EfficientNets that the library saves: AutoModelForImageClassification gives our logits and labels, also after a pass
that moved the running statistics; a module with efficientnet_pytorch's names loads them strictly.

    roundtrip_efficientnet.py LIBRARY

Where it runs and where it is skipped: roundtrip.py.
"""
import ctypes
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from roundtrip import F32, Library, check, near, run

I64 = 8
LABELS = ["no", "yes", "n\u00e4h"]
SIZES = (2, 3, 45, 50)


def put(library, tensors, name, kind, values, c_type, sizes):
    library.call("fine_tensors_put", tensors, name.encode(), ctypes.c_int32(kind), ctypes.c_int64(len(sizes)),
                 (ctypes.c_int64 * len(sizes))(*sizes), (c_type * len(values))(*values))


def batch(library, pixels, labels=None):
    tensors = library.new("fine_tensors_new", library.context)
    put(library, tensors, "pixel_values", F32, pixels.flatten().tolist(), ctypes.c_float, SIZES)
    if labels is not None:
        put(library, tensors, "labels", I64, labels, ctypes.c_int64, SIZES[:1])
    return tensors


def trained(library, base, saved, pixels):
    """A new head, one pass by the batch's statistics, saved; our logits after that."""
    model = library.new("fine_model_open", library.context, base.encode(), None)
    library.set_task(model, "classify-image", None, LABELS)
    labelled, plain = batch(library, pixels, [0, 2]), batch(library, pixels)
    library.call("fine_model_set_batch_statistics", model, ctypes.c_int32(1))
    library.call("fine_model_backward", model, labelled, ctypes.c_double(1), None)
    library.call("fine_model_set_batch_statistics", model, ctypes.c_int32(0))
    library.call("fine_model_save", model, saved.encode())
    out = ctypes.c_void_p()
    library.call("fine_model_forward", model, plain, ctypes.c_int32(0), ctypes.byref(out))
    _, logits = library.tensor(out, "logits")
    for kind, handle in (("tensors", out), ("tensors", labelled), ("tensors", plain), ("model", model)):
        library.free(kind, handle)
    return logits


def hugging(library, scratch, pixels):
    import torch
    import transformers
    base, saved = os.path.join(scratch, "base"), os.path.join(scratch, "saved")
    model = transformers.EfficientNetForImageClassification(transformers.EfficientNetConfig(
        width_coefficient=0.05, depth_coefficient=0.6, hidden_dim=64, depthwise_padding=[2], dropout_rate=0.3))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(1 + 0.3 * torch.randn(p.shape) if p.ndim == 1 else
                    torch.randn(p.shape) * (p.numel() / p.shape[0]) ** -0.5)
    model.save_pretrained(base)
    logits = trained(library, base, saved, pixels)
    theirs, report = transformers.AutoModelForImageClassification.from_pretrained(saved, output_loading_info=True)
    with torch.no_grad():
        want = theirs.eval()(pixel_values=pixels).logits
    check("transformers': logits", *near(logits, want.flatten().tolist(), 5e-6))
    check("transformers': labels", [theirs.config.id2label[i] for i in range(len(LABELS))] == LABELS)
    left = {key: sorted(names) for key, names in report.items() if names}
    check("transformers': nothing is missing or left over", not left, str(left))


def plain(library, scratch, pixels):
    import safetensors.torch
    import torch
    from make_efficientnet import Net
    saved = os.path.join(scratch, "plain")
    logits = trained(library, os.path.join(HERE, "efficientnet-pytorch"), saved, pixels)
    net = Net(True, torch.nn.functional.silu).eval()
    net._fc = torch.nn.Linear(net._fc.in_features, len(LABELS))
    net.load_state_dict(safetensors.torch.load_file(os.path.join(saved, "model.safetensors")))
    with torch.no_grad():
        check("efficientnet_pytorch's: logits", *near(logits, net(pixels)[0].flatten().tolist(), 5e-6))


def main(path):
    import torch
    torch.manual_seed(3)
    library, pixels = Library(path), torch.randn(SIZES)
    with tempfile.TemporaryDirectory() as scratch:
        hugging(library, scratch, pixels)
        plain(library, scratch, pixels)
    library.free("context", library.context)
    return 1 if check.n_failed else 0


if __name__ == "__main__":
    run(__file__, main)
