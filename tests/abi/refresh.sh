#!/bin/sh
# refresh.sh BUILD_FOLDER: writes the stored dump of the interface anew from a gcc build with
# debugging information (--buildtype=debug or debugoptimized), of an intended addition. To be
# committed with the addition, so that who reviews sees both.
#
# refresh.sh BUILD_FOLDER --freeze copies the headers to v0_1/include too; not after 0.1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1
library=$build/lib/libfinetune.so.0
readelf -S --wide "$library" | grep -q '\.debug_info' || { echo "no debugging information in $library"; exit 1; }
"$here/dump.sh" "$library" "$here/libfinetune-x86_64.abi"
if [ "${2-}" = --freeze ]; then
    mkdir -p "$here/v0_1/include/finetune"
    cp "$here/../../include/finetune.h" "$here/v0_1/include/"
    cp "$here/../../include/finetune/"*.h "$build/include/finetune/version.h" "$here/v0_1/include/finetune/"
fi
