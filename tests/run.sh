#!/bin/sh
# run.sh [MESON OPTIONS]: builds everything with tests in build-test/ (or $BUILD) and runs
# them. The last line counts every check of every test: N passed, N failed.
set -u
cd "$(dirname "$0")/.."
. examples/packages.sh
build=${BUILD:-build-test}

install_packages $build_packages $test_packages || exit 1
if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" -Dbuildtype=debugoptimized -Dtests=enabled \
        -Dwerror=true "$@" || exit 1
fi
ninja -C "$build" || exit 1
meson test -C "$build" --no-rebuild --print-errorlogs
python3 tests/count.py "$build/meson-logs/testlog.json"
