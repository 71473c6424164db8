#!/usr/bin/env bash
# Runs a command where it may start a pcscd of its own: nobody else sees its socket in
# /run/pcscd, nor vpcd's ports, which listen on all addresses.
#
#   tests/card/in_namespace.sh .venv/bin/pytest -m card
set -euo pipefail

if [[ "${EPORT_IN_NAMESPACE:-}" != yes ]]; then
    for program in pcscd pkcs11-tool; do
        command -v "$program" >/dev/null || {
            echo "$program is missing: apt-get install pcscd vsmartcard-vpcd opensc" >&2
            exit 1
        }
    done
    # Root needs no user namespace; for anybody else it makes them root in there.
    user=()
    [[ "$(id -u)" == 0 ]] || user=(--user --map-root-user)
    # With a process namespace nothing that a test has started outlives this script.
    EPORT_IN_NAMESPACE=yes exec unshare "${user[@]}" --mount --net --pid --mount-proc \
        --kill-child --fork -- "$0" "$@"
fi

# Without iproute2 the loopback interface is brought up by the ioctl itself (SIOCSIFFLAGS).
ip link set lo up 2>/dev/null || python3 - <<'PYTHON'
import fcntl, socket, struct
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
PYTHON

mkdir -p /run/pcscd
mount -t tmpfs tmpfs /run/pcscd
export EPORT_PCSCD_LOG=/run/pcscd/log

status=0
"$@" || status=$?
if [[ $status != 0 && -s "$EPORT_PCSCD_LOG" ]]; then
    echo "The log of pcscd:" >&2
    cat "$EPORT_PCSCD_LOG" >&2
fi
exit "$status"
