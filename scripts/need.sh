#!/bin/sh
# Makes sure of the named things: rust, node, cc, c++, chromium, firefox, python, iproute2, janus, coturn. Installs by apt what is missing, and says so; without the right to
# install it prints the line to run and stops.
set -eu

packages=""

complain() {
    echo "countersign needs $1" >&2
    exit 1
}

for thing in "$@"; do
    case "$thing" in
    rust)
        command -v cargo >/dev/null 2>&1 || complain "Rust: https://rustup.rs"
        ;;
    node)
        command -v npm >/dev/null 2>&1 || complain "Node.js 20.19 or later, with npm: https://nodejs.org"
        node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
            complain "Node.js 20.19 or later; this is $(node --version)"
        ;;
    cc)
        command -v cc >/dev/null 2>&1 || packages="$packages gcc libc6-dev"
        ;;
    c++)
        command -v c++ >/dev/null 2>&1 || packages="$packages g++"
        ;;
    chromium)
        [ -x "${CHROMIUM_BIN:-/usr/bin/chromium}" ] || packages="$packages chromium"
        ;;
    firefox)
        [ -x "${FIREFOX_BIN:-/usr/bin/firefox-esr}" ] || packages="$packages firefox-esr"
        ;;
    iproute2)
        command -v ip >/dev/null 2>&1 || packages="$packages iproute2"
        ;;
    coturn)
        [ -x "${TURNSERVER_BIN:-/usr/bin/turnserver}" ] || packages="$packages coturn"
        ;;
    janus)
        command -v janus >/dev/null 2>&1 || packages="$packages janus"
        ;;
    python)
        python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || packages="$packages python3 python3-venv"
        ;;
    *)
        echo "$0: unknown: $thing" >&2
        exit 2
        ;;
    esac
done

[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    complain "these packages (names of Debian):$packages"
elif [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif sudo -n true >/dev/null 2>&1; then
    as_root="sudo"
else
    complain "some packages. Run: sudo apt-get update && sudo apt-get install --yes --no-install-recommends$packages"
fi

echo "installing by apt-get:$packages" >&2
# shellcheck disable=SC2086 # words on purpose
{
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq $packages
} </dev/null >&2

# The package starts a relay that is open to the network at each boot; here it is a program that tests run.
case " $packages " in
*" coturn "*)
    if [ -d /run/systemd/system ]; then
        $as_root systemctl disable --quiet --now coturn.service >&2
    fi
    ;;
esac
