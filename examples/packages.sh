# packages.sh — Debian packages that the library, its tests and the quickstart need.
# Sourced by quickstart.sh, tests/run.sh and .ci/run; installs only what is missing.

build_packages="gcc libc6-dev meson ninja-build pkgconf python3 libblis-dev libyaml-dev
libjansson-dev libutf8proc-dev libxxhash-dev libjpeg62-turbo-dev libpng-dev"
download_packages="python3-pip"
test_packages="g++ check locales"

# Installs those of the named packages that are not there. Without apt-get (another
# system) it only says what is needed: the build will tell what it cannot find.
install_packages() {
    missing=""
    command -v apt-get >/dev/null 2>&1 || {
        echo "no apt-get here; what Debian calls these must be installed: $(echo $*)" >&2
        return 0
    }
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            echo "these packages are missing, and there is no sudo:$missing" >&2
            echo "as root: apt-get install$missing" >&2
            return 1
        }
        as_root=sudo
    fi
    echo "installing:$missing" >&2
    { $as_root apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
            --no-install-recommends $missing; } >&2 || {
        echo "could not install:$missing" >&2
        echo "is there a network? Debian's mirror must be reachable once." >&2
        return 1
    }
}
