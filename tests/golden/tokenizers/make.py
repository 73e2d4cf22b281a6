#!/usr/bin/env python3
"""Makes tokenizers.jsonl and cases.jsonl beside it: small WordPiece tokenizers with
every switch in both positions, texts made to be awkward, and what Hugging Face's
tokenizers gives for them. Needs that package; the files are committed, so that only
who changes the texts runs this.

A line of tokenizers.jsonl is a tokenizer.json. A line of cases.jsonl is
[tokenizer, a, b or null, max_length or 0, add_special, ids, type_ids, offsets],
offsets in code points. (No text holds U+0000: the C reader of JSON refuses it.)
"""
import json
import os
import random
import sys

from tokenizers import AddedToken, Tokenizer, processors
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

PIECES = """the a an of to in is it and or not un want ed ing run runn er est low new wid sun
moon straße caf e é naïve na ive hello world tok en iz ation 1 2 3 0 19 ##1 ##2 ##3 ##0 ##9
##the ##ed ##ing ##er ##est ##n ##s ##t ##e ##é ##́ ##̈ ##ive ##iz ##ation ##en ##ß ##a ##b ##c
. , ; : ! ? - ' " ( ) [ ] { } < > / \\ | @ # $ % ^ & * + = ~ ` _ “ ” … — · 。 、 、 
我 爱 北 京 日 本 語 ##語 ка к мы ##ы ##й и й ё е ε λ ά α σ ς ##σ ##ς 한 국 ᄒ ᅡ ᆫ ##ᅡ ##ᆫ ##ᄒ
😀 ##😀 🤔 ½ ² ⅷ क ख ि ् ा ##ि ##् ##ा ##ক ক ־ ##־ ש ׁ ##ׁ ּ ##ּ i ##i ı ##ı ̇ ##̇ i̇ ##̇s""".split()

TEXTS = [
    "", " ", "\t\n", "Hello, world!", "The newest suns", "UNwantéd,running", "naïve café e\u0301",
    "[CLS] the [MASK] [SEP]", "the[MASK]the", "[ MASK ]", "[cls]", "don't 1990's", "a\u00a0b\u3000c",
    "İstanbul I ı", "ΣΑΣ σας Άλφα", "我爱北京日本語", "日本語 tokenization", "한국", "мы й ё",
    "😀🤔 a😀", "a\u200db\u200c", "\ufeffthe", "the\u0001\u007f", "x" * 101, "a" * 100,
    "a" * 101, "ß straße", "\u0344\u0327a", "\u0f73\u0f71", "a\u0323\u0301\u0301", "क्षि ক",
    "שּׁ", "\u1e9b\u0323", "\ufa0e\uf900", "\U0002f800", "\u0085\u000b\u000c", "²½ⅷ",
    "\U0001d15e\U0001d165", "e\u302e\U00016ff0\u302e", "\u061c\u2066x\u2069", "\ue000\U000f0000",
    "\U0001e000a\u1abf", "<x>the<x>", " <x> ", "the <y> the", "a<y>b", "foo Foo FOO foobar",
    "\u2028\u2029", "“the” — … · 。、", "a_b-c/d\\e", "\U00010d50\ua7dc\u1c89",
]

FLAGS = [
    dict(), dict(lowercase=False), dict(lowercase=False, strip_accents=True),
    dict(strip_accents=False), dict(clean_text=False), dict(handle_chinese_chars=False),
    dict(clean_text=False, strip_accents=False, lowercase=False, handle_chinese_chars=False), None,
]

ALPHABET = [
    "ab ", "the ", "\u0301", "\u0323", "\u0327", "é", "Ü", "我", "\uf900", "한", "\t", ".", "'", "😀",
    "\u200d", "\u0001", "\ufffd", "[CLS]", "[MASK]", "<x>", "<y>", "foo", "Foo", " ", " ", "İ", "й",
    "\u302e", "\u0344", "\u0f73", "\u05e9\u05c1", "\u0bca", "\U0001d15f", "1", "in", "g", "ed",
]


def make_tokenizer(number, flags, rng):
    vocab = {p: i for i, p in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])}
    for piece in PIECES:
        vocab.setdefault(piece, len(vocab))
    t = Tokenizer(WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100 - number))
    if flags is not None:
        t.normalizer = BertNormalizer(**flags)
    if number != 6:
        t.pre_tokenizer = BertPreTokenizer()
    around = [("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    if number == 1:
        t.post_processor = processors.BertProcessing(around[1], around[0])
    elif number != 2:
        t.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=around)
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    for content in ("<x>", "<y>", "foo", "é"):
        t.add_tokens([AddedToken(content, single_word=rng.random() < 0.4, lstrip=rng.random() < 0.4,
                                 rstrip=rng.random() < 0.4, normalized=rng.random() < 0.5)])
    return t


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    rng = random.Random(3)

    def made_up():
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(1, 16)))

    with open(os.path.join(here, "tokenizers.jsonl"), "w", encoding="utf-8") as tokenizers, \
            open(os.path.join(here, "cases.jsonl"), "w", encoding="utf-8") as cases:
        for number, flags in enumerate(FLAGS):
            t = make_tokenizer(number, flags, rng)
            tokenizers.write(t.to_str().replace("\n", " ") + "\n")
            inputs = [(a, None, 0, True) for a in TEXTS]
            inputs += [(made_up(), None, 0, True) for _ in range(20)]
            inputs += [(made_up(), made_up(), rng.choice([0, 3, 4, 5, 7, 10]), rng.random() < 0.8)
                       for _ in range(30)]
            for a, b, most, special in inputs:
                t.no_truncation()
                if most:
                    t.enable_truncation(most)
                e = t.encode(a, b, add_special_tokens=special)
                json.dump([number, a, b, most, special, e.ids, e.type_ids, e.offsets], cases)
                cases.write("\n")


if __name__ == "__main__":
    sys.exit(main())
