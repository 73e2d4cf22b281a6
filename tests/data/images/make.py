"""Small pictures of every kind, and what Pillow and transformers make of them.

    make.py FOLDER

Run by hand with Pillow and transformers; the results are committed. What Pillow cannot write
(16 bits of colour, bits below a byte, interlacing) is written here. expected.safetensors has
FILE/rgb, FILE/upright, FILE/FILTER/HxW, processor/N/out, jitter/…: see the tests.
"""
import io
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

OUT = pathlib.Path(sys.argv[1])
RNG = np.random.default_rng(20261125)
FILTERS = dict(nearest=0, lanczos=1, bilinear=2, bicubic=3, box=4, hamming=5)


def picture(height, width, channels):
    """Slopes, an edge and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (7 + 3 * c) + y * (11 - 2 * c)) % 256 for c in range(channels)]
    a = np.stack(planes, -1) + RNG.integers(0, 24, (height, width, channels))
    a[height // 3:height // 2, width // 4:width // 2] = RNG.integers(0, 256, channels)
    return np.clip(a, 0, 255).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(values, bits):
    """Rows of numbers as PNG has them: most significant first, filled to whole bytes."""
    out = []
    for row in values.reshape(values.shape[0], -1):
        if bits == 16:
            out.append(row.astype(">u2").tobytes())
            continue
        unpacked = (row[:, None] >> np.arange(bits - 1, -1, -1)) & 1
        out.append(np.packbits(unpacked.astype(np.uint8).reshape(-1)).tobytes())
    return b"".join(b"\0" + r for r in out)


def png(values, bits, kind, extra=b"", interlaced=False):
    height, width = values.shape[:2]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
                  (0, 1, 2, 2), (1, 0, 2, 1)]
        parts = [values[y::dy, x::dx] for y, x, dy, dx in passes]
        data = b"".join(packed(p, bits) for p in parts if p.size)
    else:
        data = packed(values, bits)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
            + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def save(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation, big_endian):
    order = ">" if big_endian else "<"
    return (b"Exif\0\0" + (b"MM\0*" if big_endian else b"II*\0")
            + struct.pack(order + "IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0))


def pictures():
    rgb = picture(13, 19, 3)
    grey = picture(11, 14, 1)
    palette = chunk(b"PLTE", bytes(RNG.integers(0, 256, 30, dtype=np.uint8)))
    wide = RNG.integers(0, 65536, (9, 10, 1))
    wide[0, :4, 0] = 0, 200, 255, 256
    yield "rgb.png", png(rgb, 8, 2)
    yield "rgb-interlaced.png", png(rgb, 8, 2, interlaced=True)
    yield "rgb-16.png", png(RNG.integers(0, 65536, (7, 9, 3)), 16, 2)
    yield "rgb-key.png", png(rgb, 8, 2, chunk(b"tRNS", struct.pack(">3H", *map(int, rgb[2, 3]))))
    yield "rgb-gamma.png", png(rgb[:5, :6], 8, 2, chunk(b"gAMA", struct.pack(">I", 20000)))
    yield "alpha.png", png(picture(8, 9, 4), 8, 6)
    yield "alpha-16.png", png(RNG.integers(0, 65536, (5, 6, 4)), 16, 6, interlaced=True)
    yield "grey.png", png(grey, 8, 0)
    yield "grey-1.png", png(RNG.integers(0, 2, (6, 13, 1)), 1, 0, interlaced=True)
    yield "grey-2.png", png(RNG.integers(0, 4, (6, 13, 1)), 2, 0)
    yield "grey-4.png", png(RNG.integers(0, 16, (6, 13, 1)), 4, 0, chunk(b"tRNS", b"\0\3"))
    yield "grey-16.png", png(wide, 16, 0)
    yield "grey-16-interlaced.png", png(wide, 16, 0, interlaced=True)
    yield "grey-alpha.png", png(picture(5, 7, 2), 8, 4)
    yield "grey-alpha-16.png", png(RNG.integers(0, 65536, (5, 7, 2)), 16, 4)
    yield "palette.png", png(RNG.integers(0, 10, (9, 12, 1)), 8, 3, palette)
    yield "palette-1.png", png(RNG.integers(0, 2, (9, 12, 1)), 1, 3, chunk(b"PLTE", bytes(range(6))))
    yield "palette-4.png", png(RNG.integers(0, 10, (9, 12, 1)), 4, 3,
                               palette + chunk(b"tRNS", bytes([0, 128, 7])), interlaced=True)
    yield "palette-beyond.png", png(RNG.integers(0, 20, (4, 5, 1)), 8, 3, palette)
    yield "one.png", png(rgb[:1, :1], 8, 2)
    yield "line.png", png(rgb[:, :1], 8, 2)
    yield "turned.png", png(rgb[:4, :7], 8, 2, chunk(b"eXIf", exif(8, True)[6:]))

    big = Image.fromarray(picture(21, 30, 3))
    ink = Image.fromarray(picture(14, 17, 4), "CMYK")
    yield "444.jpg", save(big, "JPEG", quality=90, subsampling=0)
    yield "420.jpg", save(big, "JPEG", quality=80, subsampling=2)
    yield "422-progressive.jpg", save(big, "JPEG", quality=70, subsampling=1, progressive=True)
    yield "420-restart.jpg", save(big, "JPEG", quality=60, subsampling=2, restart_marker_blocks=2)
    yield "rgb.jpg", save(big, "JPEG", quality=90, keep_rgb=True)
    yield "grey.jpg", save(big.convert("L"), "JPEG", quality=80)
    yield "cmyk.jpg", save(ink, "JPEG", quality=90)
    yield "cmyk-progressive.jpg", save(ink, "JPEG", quality=60, progressive=True)
    yield "ycck.jpg", ycck(save(ink, "JPEG", quality=90))
    yield "one.jpg", save(big.crop((3, 3, 4, 4)), "JPEG", quality=90)
    plain = save(big.crop((0, 0, 17, 9)), "JPEG", quality=60)
    for n in range(1, 9):
        marker = exif(n, n % 2 == 0)
        yield f"exif-{n}.jpg", (plain[:2] + b"\xff\xe1" + struct.pack(">H", len(marker) + 2)
                                + marker + plain[2:])
    yield "exif-9.jpg", (plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif(9, True)) + 2)
                         + exif(9, True) + plain[2:])
    # A byte between segments is a warning that loses nothing.
    yield "stray-byte.jpg", plain[:-2] + b"\0" + plain[-2:]


def ycck(data):
    """The same numbers, said to be YCCK: another picture, and another way through."""
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    return data[:at] + b"\2" + data[at + 1:]


def processors():
    """Configurations, and the Pillow classes of transformers that read them."""
    import transformers.models.bit.image_processing_pil_bit as bit
    import transformers.models.convnext.image_processing_pil_convnext as convnext
    import transformers.models.deit.image_processing_pil_deit as deit
    import transformers.models.efficientnet.image_processing_pil_efficientnet as efficientnet
    import transformers.models.vit.image_processing_pil_vit as vit
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    yield convnext.ConvNextImageProcessorPil, dict(
        crop_pct=0.875, do_normalize=True, do_resize=True, image_mean=mean, image_std=std,
        resample=3, size={"shortest_edge": 21}, feature_extractor_type="ConvNextFeatureExtractor")
    yield convnext.ConvNextImageProcessorPil, dict(
        crop_pct=0.95, image_mean=mean, image_std=std, resample=2, size={"shortest_edge": 10},
        do_rescale=True, rescale_factor=1 / 255, image_processor_type="ConvNextImageProcessor")
    yield efficientnet.EfficientNetImageProcessorPil, dict(
        crop_size={"height": 15, "width": 14}, do_center_crop=False, do_normalize=True,
        do_rescale=True, do_resize=True, image_mean=mean,
        image_processor_type="EfficientNetImageProcessor", include_top=True,
        image_std=[0.47853944, 0.4732864, 0.47434163], resample=0,
        rescale_factor=0.00392156862745098, rescale_offset=False, size={"height": 12, "width": 17})
    yield efficientnet.EfficientNetImageProcessorPil, dict(
        crop_size={"height": 15, "width": 14}, do_center_crop=True, image_mean=mean, image_std=std,
        image_processor_type="EfficientNetImageProcessor", include_top=False, resample=3,
        rescale_factor=1 / 127.5, rescale_offset=True, size={"height": 21, "width": 17})
    yield vit.ViTImageProcessorPil, dict(
        do_normalize=True, do_resize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=2,
        size={"height": 16, "width": 16}, feature_extractor_type="ViTFeatureExtractor")
    yield bit.BitImageProcessorPil, dict(
        crop_size={"height": 14, "width": 14}, do_center_crop=True, do_convert_rgb=True,
        image_processor_type="BitImageProcessor", resample=3, size={"shortest_edge": 16})
    yield bit.BitImageProcessorPil, dict(                       # larger than the picture: black edges
        crop_size={"height": 33, "width": 14}, do_center_crop=True, do_resize=False,
        image_processor_type="BitImageProcessor", do_normalize=False)
    yield deit.DeiTImageProcessorPil, dict(
        crop_size={"height": 13, "width": 13}, image_processor_type="DeiTImageProcessorFast",
        size={"height": 18, "width": 16})


def write_tensors(path, tensors):
    header, at, names = {}, 0, {"uint8": "U8", "float32": "F32"}
    for name, a in tensors.items():
        header[name] = dict(dtype=names[a.dtype.name], shape=list(a.shape),
                            data_offsets=[at, at + a.nbytes])
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(np.ascontiguousarray(a).tobytes() for a in tensors.values()))


def main():
    tensors = {}
    opened = {}
    for name, data in pictures():
        (OUT / name).write_bytes(data)
        image = Image.open(io.BytesIO(data))
        opened[name] = image.convert("RGB")
        tensors[f"{name}/rgb"] = np.array(opened[name])
        if name.startswith("exif") or name == "turned.png":
            tensors[f"{name}/upright"] = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    for name in ("444.jpg", "line.png", "one.png"):
        for height, width in ((12, 8), (5, 45), (40, 33), (21, 7), (3, 30), (1, 1)):
            for label, filter in FILTERS.items():
                tensors[f"{name}/{label}/{height}x{width}"] = np.array(
                    opened[name].resize((width, height), filter))
    configurations = []
    for n, (kind, settings) in enumerate(processors()):
        configurations.append(settings)
        image = np.array(opened["444.jpg"])
        if "do_convert_rgb" not in settings:
            image = np.rot90(image).copy()
        out = kind(**settings)(Image.fromarray(image), return_tensors="np")["pixel_values"][0]
        tensors[f"processor/{n}/in"] = image
        tensors[f"processor/{n}/out"] = out.transpose(1, 2, 0).astype(np.float32)
    (OUT / "processors.json").write_text(json.dumps(configurations, indent=1) + "\n")

    image = opened["420.jpg"]
    tensors["jitter/in"] = np.array(image)
    for percent in (0, 35, 100, 170):
        for label, kind in dict(brightness=ImageEnhance.Brightness, contrast=ImageEnhance.Contrast,
                                saturation=ImageEnhance.Color).items():
            tensors[f"jitter/{label}/{percent}"] = np.array(kind(image).enhance(percent / 100))
    for shift in (-128, -77, -1, 0, 25, 127):
        h, s, v = image.convert("HSV").split()
        turned = (np.array(h).astype(np.int32) + shift).astype(np.uint8)
        tensors[f"jitter/hue/{shift}"] = np.array(
            Image.merge("HSV", (Image.fromarray(turned, "L"), s, v)).convert("RGB"))
    write_tensors(OUT / "expected.safetensors", tensors)


main()
