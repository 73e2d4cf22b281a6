"""Writes docs/recipe.md from lib/recipe/keys.def.

    recipe.py ROOT            writes it
    recipe.py ROOT --check    fails when the stored one differs
"""
import pathlib
import re
import sys

CALL = re.compile(r'^(SECTION|KEY|LATER)\((.*?)\)$', re.M | re.S)
TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|([A-Za-z0-9_.+-]+)|(,)')

INTRO = '''\
<!-- Made by docs/recipe.py from lib/recipe/keys.def: change that file, not this one. -->
# The recipe

A recipe is a whole fine-tuning run as data. `finetune train recipe.yaml` runs it from the
command line, `fine_recipe_run()` from C.

```yaml
model:
  path: minilm
task:
  type: classify
  pool: mean
data:
  train: reviews.csv
  validation: 0.1
  text: text
  label: label
train:
  epochs: 3
  batch_size: 32
  optimizer: {type: adamw, learning_rate: 5.0e-5}
  schedule: {type: linear, warmup: 0.1}
  freeze: embeddings..3
  seed: 7
output:
  dir: runs/reviews
```

## How it is written

A recipe is one YAML document of mappings, lists and scalars, in UTF-8, at most 64 KB and eight
levels deep. Anchors, aliases, tags, directives, merge keys and duplicate keys are refused. Only
`true` and `false` are booleans: `yes`, `no`, `on` and `off` are texts, so that a label may be
called `no`. A number is written with a decimal point and without blanks, signs such as `+`, or
`_`; the language of the system makes no difference. In quotes everything is a text.

Relative paths begin in the folder of the recipe. Unknown keys, wrong types and values out of
range are refused before anything else is done, all of them at once, as
`file:line:column: message`. A key of the table at the end is known, but not yet made: using it
is an error too, so that nothing is silently ignored.

A section that has a key in brackets below may be written short: `schedule: linear` means
`schedule: {type: linear}`.

**Setting a key from outside.** `fine_recipe_set(recipe, "train.epochs", "2")`, or
`--set train.epochs=2` on the command line. The value is YAML, lists and mappings included.
`null` brings the default back. A section that is set is replaced whole. `train.steps` and
`train.epochs` exclude each other: the one that is set last holds.

**As resolved.** The [run folder](run-folder.md)'s `recipe.yaml` spells out every default, the labels that were
found, and the longest text. Its paths are absolute, so that it can be run from where it lies.
`fine_recipe_resolved()` gives the same text with the paths as they were written.
'''

TYPES = {
    'TEXT': 'text', 'PATH': 'path', 'CHOICE': '', 'INTEGER': 'integer', 'NUMBER': 'number',
    'POSITIVE': 'number', 'FLAG': '`true`, `false`', 'TEXTS': 'list of texts',
    'BETAS': 'list of two numbers', 'PATTERNS': 'text, or list of texts',
    'PERIOD': '`N steps`, `N epochs`', 'STEPS': 'number of steps', 'SPLIT': 'path, or number',
    'HEADER': '`true`, `false`, or list of texts', 'CHARACTER': 'one character',
}


def entries(text):
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    for macro, arguments in CALL.findall(text):
        values, current = [], ''
        for string, word, comma in TOKEN.findall(arguments):
            if comma:
                values.append(current)
                current = ''
            else:
                current += word or string.replace('\\"', '"').replace('\\\\', '\\')
        yield macro, values + [current]


def number(text):
    return '2^53 - 1' if float(text) > 1e15 else f'{int(text):,}' if text.isdigit() else text


def kind_of(kind, low, high, choices):
    name = TYPES[kind]
    if kind == 'CHOICE':
        name = ', '.join(f'`{word}`' for word in choices.split('|'))
    elif kind in ('INTEGER', 'NUMBER', 'STEPS'):
        name += f', {number(low)} to {number(high)}'
    elif kind == 'POSITIVE':
        name += f' above {number(low)}, at most {number(high)}'
    elif kind == 'SPLIT':
        name += f' between {number(low)} and {number(high)}'
    elif kind == 'TEXTS':
        name += f', at least {number(low)}'
    return name


def page(text):
    sections, later = {}, []
    for macro, values in entries(text):
        if macro == 'SECTION':
            name, short, doc = values
            rows = sections.setdefault(name, [
                f'\n## {name}' + (f' ({short})' if short else '') + f'\n\n{doc}\n\n'
                '| key | value | default | |\n|---|---|---|---|\n'])
        elif macro == 'KEY':
            _, name, kind, default, low, high, choices, words, doc = values
            if words:
                doc += ' Not yet: ' + ', '.join(f'`{w}`' for w in words.split('|')) + '.'
            cells = [f'`{name.rsplit(".", 1)[1]}`', kind_of(kind, low, high, choices),
                     f'`{default}`' if default else '', doc]
            rows.append('| ' + ' | '.join(c.replace('|', '\\|') for c in cells) + ' |\n')
        else:
            name, off, doc = values
            if off:
                doc += '; ' + ' or '.join(f'`{w}`' for w in off.split('|')) + ' is accepted'
            later.append(f'| `{name}` | {doc} |\n')
    return ''.join([INTRO, *(''.join(rows) for rows in sections.values()),
                    '\n## Known, and not available in this version\n\n| key | |\n|---|---|\n',
                    *later])


def main():
    root = pathlib.Path(sys.argv[1])
    made = page((root / 'lib/recipe/keys.def').read_text(encoding='utf-8'))
    stored = root / 'docs/recipe.md'
    if '--check' not in sys.argv:
        stored.write_text(made, encoding='utf-8')
        return 0
    if not stored.exists() or stored.read_text(encoding='utf-8') != made:
        print('docs/recipe.md is stale: run docs/recipe.py .')
        return 1
    print('1 page, fresh')
    return 0


sys.exit(main())
