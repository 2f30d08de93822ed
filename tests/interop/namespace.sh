#!/bin/sh
# Runs a command in a network namespace of its own: the loopback, and one interface with the addresses 10.77.0.1 and fd77::1.
# Firefox takes no loopback candidates, and no test here may be reached, or disturbed, from outside. Everything ends with the command.
set -eu

inside='
ip link set lo up
ip link add test0 type veth peer name test1
ip address add 10.77.0.1/24 dev test0
ip -6 address add fd77::1/64 dev test0 nodad 2>/dev/null || true
ip link set test0 up
ip link set test1 up
ip route add default via 10.77.0.254 dev test0
exec "$@"
'

if [ "$(id -u)" -eq 0 ]; then
    set -- --net sh -euc "$inside" namespace "$@"
else
    set -- --user --map-root-user --net sh -euc "$inside" namespace "$@"
fi

if ! unshare --net true 2>/dev/null && ! unshare --user --map-root-user --net true 2>/dev/null; then
    echo "these tests need a network namespace: run them as root with CAP_SYS_ADMIN, or allow user namespaces (kernel.unprivileged_userns_clone)" >&2
    exit 1
fi
exec unshare "$@"
