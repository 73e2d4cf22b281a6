#!/usr/bin/env python3
"""Writes corpus/torchfile: small files as torch.save makes them, and such as it would not.

    make_torchfile.py            (needs torch; the files are committed)

NAME is a file of PyTorch's, NAME.pkl a pickle alone.
"""
import collections
import io
import os
import pathlib
import pickle
import struct
import zipfile

import torch

FOLDER = pathlib.Path(__file__).parent / "corpus" / "torchfile"
Dict = collections.OrderedDict


def ramp(*shape):
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape)


def save(name, value, **how):
    torch.save(value, FOLDER / name, **how)


def pickled(value, **how):
    """The pickle of what torch.save writes, alone."""
    file = io.BytesIO()
    torch.save(value, file, **how)
    archive = zipfile.ZipFile(file)
    return archive.read(archive.namelist()[0])


class Foreign:
    """What unpickling would call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    base = ramp(4, 6)
    plain = Dict(w=ramp(2, 3), b=ramp(3))
    views = Dict(t=ramp(2, 3).t(), e=ramp(1, 3).expand(2, 3), a=base, row=base[1], column=base[:, 2],
                 step=base[1::2, ::3], diagonal=base.diagonal(), p=ramp(2, 2, 3).permute(2, 0, 1))
    kinds = Dict((str(t).split(".")[1], ramp(3).to(t)) for t in (
        torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool, torch.uint16))
    train = {"epoch": 3, "best": 0.5, "state_dict": plain, "size": torch.Size([2]), "type": torch.float32,
             "device": torch.device("cpu"), "acc": torch.tensor(0.25), "lr": [0.1, 0.2], "note": "x", "n": 1 << 80}
    save("plain", plain)
    save("views", views)
    save("kinds", kinds)
    save("train", train)
    save("parameter", Dict(w=torch.nn.Parameter(ramp(2, 2).t()), z=torch.empty(0, 3), s=torch.tensor(2.0)))
    for name, value in ("plain", plain), ("views", views), ("train", train):
        save(name + "-old", value, _use_new_zipfile_serialization=False)
        save(name + "-old4", value, _use_new_zipfile_serialization=False, pickle_protocol=4)
    # Pickles alone stand in an archive whose storages have 64 bytes.
    square = ramp(4, 4)
    small = Dict(w=square, b=ramp(16), t=square.t(), e=square[:1].expand(3, 4), d=square.diagonal())
    for name, value in ("small", small), ("wrapped", dict(train, state_dict=small, acc=square[0, 0])):
        (FOLDER / (name + ".pkl")).write_bytes(pickled(value))
        (FOLDER / (name + "-4.pkl")).write_bytes(pickled(value, pickle_protocol=4))
    whole = (FOLDER / "plain").read_bytes()
    (FOLDER / "cut").write_bytes(whole[:len(whole) // 2])
    (FOLDER / "old-cut").write_bytes((FOLDER / "plain-old").read_bytes()[:-5])
    zipped = zipfile.ZipFile(FOLDER / "deflated", "w", zipfile.ZIP_DEFLATED)
    for entry in zipfile.ZipFile(FOLDER / "plain").infolist():
        zipped.writestr(zipfile.ZipInfo(entry.filename), zipfile.ZipFile(FOLDER / "plain").read(entry),
                        zipfile.ZIP_DEFLATED)
    zipped.close()
    (FOLDER / "system.pkl").write_bytes(pickle.dumps({"w": Foreign(os.system, "true")}, 2))
    (FOLDER / "getattr.pkl").write_bytes(pickle.dumps({"w": Foreign(getattr, "a", "upper")}, 4))
    (FOLDER / "lightning.pkl").write_bytes(
        b"\x80\x02}X\x10\x00\x00\x00hyper_parameterscpytorch_lightning.utilities.parsing\nAttributeDict\n)\x81s.")
    # Lists of lists: 2^60 elements to whoever walks them; numbers of a gigabyte; a memo far away.
    (FOLDER / "nested.pkl").write_bytes(pickled(Dict(w=square))[:-1] + b"X\x01\x00\x00\x00n]" + b"2\x86" * 60 + b"s.")
    (FOLDER / "doubled.pkl").write_bytes(b"\x80\x02]" + b"2\x86" * 60 + b".")
    (FOLDER / "long.pkl").write_bytes(b"\x80\x02\x8b\xff\xff\xff\x3f\x00.")
    (FOLDER / "text8.pkl").write_bytes(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.")
    (FOLDER / "memo.pkl").write_bytes(b"\x80\x02Nr\xff\xff\xff\xff.")
    huge = pickled(Dict(w=ramp(16).expand(4, 16)))
    (FOLDER / "expanded.pkl").write_bytes(huge)
    (FOLDER / "bomb.pkl").write_bytes(huge.replace(b"K\x04K\x10\x86", b"J\xff\xff\xff\x7fK\x10\x86"))
    (FOLDER / "beyond.pkl").write_bytes(huge.replace(b"K\x04K\x10\x86", b"K\x04K\x11\x86"))


if __name__ == "__main__":
    main()
