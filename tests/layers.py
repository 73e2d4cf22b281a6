"""Who may include whom, and what the library must never call.

    layers.py ROOT

Folders of lib/ form layers; a file includes headers of its own folder and of
the folders that LAYERS allows. One dependency has one including file. Functions
that end the process, print, read the environment or keep hidden state are
refused by name, comments and strings aside.
"""
import pathlib
import re
import sys

BASE = {'base'}
COMPUTE = BASE | {'tensor', 'tape', 'ops', 'nn'}
TEXT = BASE | {'text'}
IMAGE = BASE | {'image'}
TRAIN = COMPUTE | TEXT | IMAGE | {'io', 'models', 'data', 'train'}
LAYERS = {
    'base': BASE,
    'tensor': BASE | {'tensor'},
    'tape': BASE | {'tensor', 'tape'},
    'ops': BASE | {'tensor', 'tape', 'ops'},
    'nn': COMPUTE,
    'io': BASE | {'tensor', 'io'},
    'text': TEXT,
    'image': IMAGE,
    'data': TEXT | IMAGE | {'data'},
    # A model folder holds weights, and a tokenizer or how pictures are prepared.
    'models': COMPUTE | TEXT | IMAGE | {'io', 'models'},
    'train': TRAIN,
    'inspect': TRAIN | {'inspect'},
    'report': TRAIN | {'inspect', 'report'},
    'recipe': TRAIN | {'inspect', 'report', 'recipe'},
    'api': TRAIN | {'inspect', 'report', 'recipe', 'api'},
}

INCLUDERS = {
    'jansson.h': {'base/json.c'},
    'utf8proc.h': {'base/utf8.c'},
    'xxhash.h': {'base/hash.c'},
    'yaml.h': {'recipe/yaml.c'},
    'blis.h': {'tensor/gemm.c'},
    'pthread.h': {'base/parallel.c'},
    'jpeglib.h': {'image/jpeg.c'},
    'jerror.h': {'image/jpeg.c'},
    'png.h': {'image/png.c'},
    # What libjpeg and libpng call on an error must not return.
    'setjmp.h': {'image/jpeg.c', 'image/png.c'},
}

FORBIDDEN = '''
    exit _exit _Exit abort quick_exit atexit printf vprintf puts putchar fprintf vfprintf fputs
    fputc perror getenv secure_getenv setenv putenv unsetenv setlocale signal sigaction raise kill
    rand srand random drand48 strtok strerror localtime gmtime ctime asctime system popen
    sprintf vsprintf gets scanf sscanf fscanf atof atoi atol strtof strtold mmap tmpnam mktemp
    alloca pthread_atfork
'''.split()

# Allowed in these files alone.
ONLY_IN = {
    'strtod': {'base/number.c'},
    'strtod_l': set(),
    'strtol': set(), 'strtoll': set(), 'strtoul': set(), 'strtoull': set(),
    'malloc': {'base/context.c'},
    'calloc': {'base/alloc.c'},
    'realloc': {'base/context.c'},
    'free': {'base/context.c'},
    'strdup': set(), 'strndup': set(), 'asprintf': set(), 'open_memstream': set(),
    'fopen': set(), 'fdopen': set(),
    'newlocale': {'base/numeric.c'}, 'uselocale': {'base/numeric.c'},
    'fesetround': {'base/numeric.c'}, 'fesetenv': {'base/numeric.c'},
}

# The compiler's vectors serve every processor; what is built on them is here.
VECTORS = {'base/compiler.h', 'tensor/vec.h', 'tensor/vmath.h', 'tensor/gemm.c', 'ops/bits.h'}

# Ops hold their gradient checks, under FINE__GRADCHECK.
FROM_TESTS = {'ops/op.h': 'gradcheck.h'}

NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
CALL = re.compile(r'(?<![\w.>])([A-Za-z_]\w*)\s*\(')
EXTENSION = re.compile(r'__attribute__|__builtin_|__asm__|\b__typeof__|_Pragma\("(?!STDC)')


def check_includes(name, folder, text):
    for kind, header in INCLUDE.findall(text):
        if kind == '"':
            target = header.split('/')[0]
            if FROM_TESTS.get(name) == header:
                continue
            if '/' not in header:
                yield f'includes "{header}" without its folder'
            elif target not in LAYERS.get(folder, set()):
                yield f'{folder} must not include {header}'
        elif header.split('/')[-1] in INCLUDERS:
            allowed = INCLUDERS[header.split('/')[-1]]
            if name not in allowed:
                yield f'only {", ".join(sorted(allowed))} includes <{header}>'
        elif header == 'finetune.h' and name != 'train/fit.c':
            yield 'includes the umbrella <finetune.h>; name the header'
    if name == 'train/fit.c':
        foreign = [h for kind, h in INCLUDE.findall(text)
                   if kind == '"' or h.startswith('finetune/')]
        if foreign:
            yield f'is a user of the public interface, but includes {foreign}'


def check_calls(name, text):
    code = NOISE.sub(lambda m: '\n' * m.group().count('\n') + ' ', text)
    for match in CALL.finditer(code):
        called, line = match.group(1), code.count('\n', 0, match.start()) + 1
        if called in FORBIDDEN:
            yield f'line {line}: {called}() has no place in a library'
        elif called in ONLY_IN and name not in ONLY_IN[called]:
            where = ', '.join(sorted(ONLY_IN[called])) or 'no file'
            yield f'line {line}: {called}() is for {where}'
    for match in EXTENSION.finditer(code):
        if name not in VECTORS:
            line = code.count('\n', 0, match.start()) + 1
            yield f'line {line}: compiler extensions are for base/compiler.h'


def main():
    lib = pathlib.Path(sys.argv[1]) / 'lib'
    findings, n_files = [], 0
    for path in sorted(lib.glob('*/**/*')):
        if path.suffix not in ('.c', '.h', '.def'):
            continue
        name = path.relative_to(lib).as_posix()
        text = path.read_text(encoding='utf-8')
        n_files += 1
        for finding in (*check_includes(name, name.split('/')[0], text),
                        *check_calls(name, text)):
            findings.append(f'lib/{name}: {finding}')
    print(*findings, sep='\n')
    print(f'{n_files} files, {len(findings)} findings')
    return 1 if findings or n_files == 0 else 0


sys.exit(main())
