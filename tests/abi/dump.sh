#!/bin/sh
# dump.sh LIBRARY OUT: the public interface alone: exported functions and the types in them,
# without what is behind the handles, and without the places where this build was made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
abidw --suppressions "$here/private.abignore" --drop-private-types --exported-interfaces-only \
    --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$2" "$1"
sed "s,path='[^']*lib/,path='lib/," "$2" >"$2.tmp"
mv "$2.tmp" "$2"
