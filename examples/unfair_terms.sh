#!/bin/sh
# The tables for unfair_terms.yaml from the folder `corpus` of Multilingual-Unfair-Clause-Detection:
#
#     unfair_terms.sh CORPUS
#
# A document is a file of sentences and a file of tags, line by line. Tags such as ltd2 are a
# kind and how unfair it is; 2 and 3, which list_tags.txt names, are kept, without the digit.
set -eu
corpus=$1
for part in TRAIN TEST; do
    table=$(echo $part | tr A-Z a-z).tsv
    printf 'label\ttext\n' > "$table"
    while read -r document || [ -n "$document" ]; do
        tr '\t\r' '  ' < "$corpus/sentences/en/original/$document" |
            paste "$corpus/tags/en/original/$document" - |
            awk -F '\t' '
                NR == FNR { unfair[$1]; next }
                {
                    n = split($1, tags, " "); label = ""; split("", seen)
                    for (i = 1; i <= n; i++) {
                        kind = tags[i]; sub(/[0-9]+$/, "", kind)
                        if (tags[i] in unfair && !(kind in seen)) {
                            seen[kind]; label = label (label == "" ? "" : "|") kind
                        }
                    }
                    print label "\t" $2
                }' "$corpus/list_tags.txt" -
    done < "$corpus/lists/LIST_${part}_0.txt" >> "$table"
done
