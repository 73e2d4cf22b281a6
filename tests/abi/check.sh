#!/bin/sh
# check.sh STORED LIBRARY: the library's interface against the stored dump. abidiff's exit
# status is a bit mask, and a field in the middle of a struct may give 4 without 8: any change
# at all is a failure. Skipped (77) without abigail-tools, or where the library has no
# debugging information to read types from.
set -u
stored=$1 library=$2
command -v abidiff >/dev/null && command -v abidw >/dev/null || { echo "skipped: no abigail-tools"; exit 77; }
command -v readelf >/dev/null && readelf -S --wide "$library" | grep -q '\.debug_info' ||
    { echo "skipped: no debugging information"; exit 77; }
now=$(mktemp) || exit 1
trap 'rm -f "$now"' EXIT
"$(dirname "$0")/dump.sh" "$library" "$now" || exit 1
abidiff "$stored" "$now"
status=$?
[ $status -eq 0 ] || echo "the interface has changed (abidiff: $status); where intended: docs/abi.md, \"Adding a function\""
[ $status -eq 0 ]
