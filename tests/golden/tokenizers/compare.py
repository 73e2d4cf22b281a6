#!/usr/bin/env python3
"""compare.py LIBFINETUNE.SO [SEED [ROUNDS]]: random tokenizers and texts, through the
library and through Hugging Face's tokenizers; every id, type and offset must agree.

Exit 77 (skipped) where that package is missing. Characters are drawn from what this
Python's Unicode knows, since single_word asks the machine's Unicode for letters.
"""
import ctypes
import os
import random
import sys
import tempfile
import unicodedata

try:
    from tokenizers import AddedToken, Tokenizer, processors
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
except ImportError:
    print("skipped: this Python has no package 'tokenizers'")
    sys.exit(77)


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("max_length", ctypes.c_int64),
                ("offsets", ctypes.c_int32), ("add_special", ctypes.c_int32)]


class Ours:
    def __init__(self, path):
        self.lib = lib = ctypes.CDLL(path)
        lib.fine_error_message.restype = ctypes.c_char_p
        lib.fine_encoding_count.restype = ctypes.c_int64
        for name, kind in (("ids", ctypes.c_int32), ("type_ids", ctypes.c_int32),
                           ("offsets", ctypes.c_int64)):
            getattr(lib, "fine_encoding_" + name).restype = ctypes.POINTER(kind)
        self.context = ctypes.c_void_p()
        self.check(lib.fine_context_new(ctypes.byref(self.context), None))

    def check(self, code):
        if code < 0:
            raise RuntimeError(self.lib.fine_error_message().decode())

    def open(self, path):
        tokenizer = ctypes.c_void_p()
        self.check(self.lib.fine_tokenizer_open(ctypes.byref(tokenizer), self.context,
                                                path.encode()))
        return tokenizer

    def encode(self, tokenizer, a, b, most, special):
        lib = self.lib
        options = Options(ctypes.sizeof(Options), most, 1, special)
        a, b = a.encode(), b.encode() if b is not None else None
        e = ctypes.c_void_p()
        self.check(lib.fine_tokenizer_encode(
            ctypes.byref(e), tokenizer, a, ctypes.c_int64(len(a)), b,
            ctypes.c_int64(len(b) if b is not None else 0), ctypes.byref(options)))
        n = lib.fine_encoding_count(e)
        offsets = lib.fine_encoding_offsets(e)
        result = (lib.fine_encoding_ids(e)[:n], lib.fine_encoding_type_ids(e)[:n],
                  [(offsets[2 * i], offsets[2 * i + 1]) for i in range(n)])
        lib.fine_encoding_free(e)
        return result


ADDED = ["[CLS]", "[SEP]", "[MASK]", "[cls]", "<x>", "<x>y", "foo", "Foo", "the", "été", "a b",
         "ab\u0323", "#", "我", "\u0130"]
ODD = [0x4E00, 0x535A, 0xF900, 0xAC00, 0x2F800, 0x20000, 0x130, 0x1E9B, 0x344, 0xF73, 0xFB2C,
       0x1D160, 0xDDA, 0xDDD, 0x3A3, 0x85, 0xA0, 0x3000, 0x200D, 0xFFFD, 0, 0x1F600, 0x302E, 0x1D165,
       0x1D16D, 0x59A, 0x5B0, 0x64B, 0xF71, 0xF72, 0x1ABF, 0x8E2, 0xFB1D, 0x2028]
ALL = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn")]


def character(rng):
    kind = rng.random()
    if kind < 0.4:
        return rng.choice("abcdefghij ABCDE  \t\n,.!-")
    if kind < 0.5:
        return chr(rng.randrange(0x300, 0x370))
    if kind < 0.6:
        return rng.choice(ADDED)
    if kind < 0.7:
        return rng.choice(["the", "ing", "token", "Straße", "naïve", "日本語", "한국", "ёлка", "σας"])
    if kind < 0.8:
        return chr(rng.choice(ODD))
    return chr(rng.choice(ALL if kind < 0.9 else ALL[:12000]))


def text(rng, n):
    return "".join(character(rng) for _ in range(rng.randrange(n)))


def make(rng):
    letters = [chr(c) for c in range(33, 127)] + list("éèßüñçαβγабв我日本語한") + ["\u0307", "\u1112"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "to", "foo", "na", "##ve", "##ing"]
    for c in letters:
        if rng.random() < 0.8:
            vocab += [c, "##" + c]
    for _ in range(300):
        word = "".join(rng.choice(letters) for _ in range(rng.randrange(2, 4)))
        vocab.append(word if rng.random() < 0.5 else "##" + word)
    vocab = {w: i for i, w in enumerate(dict.fromkeys(vocab))}
    t = Tokenizer(WordPiece(vocab, unk_token="[UNK]",
                            max_input_chars_per_word=rng.choice([100, 100, 5, 20])))
    if rng.random() < 0.93:
        t.normalizer = BertNormalizer(clean_text=rng.random() < 0.8,
                                      handle_chinese_chars=rng.random() < 0.7,
                                      strip_accents=rng.choice([None, None, True, False]),
                                      lowercase=rng.random() < 0.6)
    if rng.random() < 0.93:
        t.pre_tokenizer = BertPreTokenizer()
    around = [("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    kind = rng.random()
    if kind < 0.6:
        t.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=around)
    elif kind < 0.8:
        t.post_processor = processors.BertProcessing(around[1], around[0])
    elif kind < 0.9:
        t.post_processor = processors.TemplateProcessing(
            single="$A:2", pair="[SEP]:3 $B:1 $A:0 [CLS]:4 [SEP]", special_tokens=around)
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    seen = set()
    for content in rng.sample(ADDED, rng.randrange(len(ADDED))):
        normalized = rng.random() < 0.5
        key = (normalized, t.normalizer.normalize_str(content) if t.normalizer and normalized
               else content)
        if key in seen or content in ("[CLS]", "[SEP]", "[MASK]"):
            continue   # of two that look the same, which one is found isn't defined there
        seen.add(key)
        t.add_tokens([AddedToken(content, single_word=rng.random() < 0.3,
                                 lstrip=rng.random() < 0.3, rstrip=rng.random() < 0.3,
                                 normalized=normalized)])
    return t


def main():
    ours = Ours(sys.argv[1])
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    n = different = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tokenizer.json")
        for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 20):
            t = make(rng)
            t.save(path)
            mine = ours.open(path)
            for _ in range(100):
                a, b = text(rng, rng.choice([5, 30, 100])), None
                if rng.random() < 0.4:
                    b = text(rng, rng.choice([5, 40]))
                most, special = rng.choice([0, 0, 5, 6, 8, 16, 33]), rng.random() < 0.8
                t.no_truncation()
                if most:
                    t.enable_truncation(most)
                e = t.encode(a, b, add_special_tokens=special)
                expected = (e.ids, e.type_ids, e.offsets)
                got = ours.encode(mine, a, b, most, int(special))
                n += 1
                if got != expected:
                    different += 1
                    if different <= 3:
                        print(repr(a), repr(b), most, special, t.normalizer, t.post_processor)
                        print("  expected", expected)
                        print("  got     ", got)
            ours.lib.fine_tokenizer_free(mine)
    print("%d encodings, %d different" % (n, different))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
