"""Machines for the tests over SSH: a server and thin clients, made of namespaces.

A machine is a folder whose parts lie over this machine's own in a mount namespace, so
that accounts, settings and programs are installed where the guide says, and nothing of
the machine that runs the tests is changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fcntl import ioctl
from pathlib import Path
from socket import socket
from struct import pack

import pytest

from tests.card.piv_applet import PivApplet
from tests.card.vpcd import VirtualReader

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

EPORT_UID, OPERATOR_UID = 61001, 61002
HOST = "eport.example.org"
PATIENCE = 10.0
_SSHD = "/usr/sbin/sshd"

_PARTS = ("etc", "opt", "run", "usr/local/bin", "var/lib", "var/log")
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds; fails when it does not come to."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"in vain waited for: {what}")
        time.sleep(0.01)


class Machine:
    """One machine.

    Attributes:
        folder: What lies over the files of the machine that runs the tests.
        log: What the services say.
    """

    def __init__(self, folder: Path, account: str, uid: int, home: str) -> None:
        if os.environ.get("EPORT_IN_NAMESPACE") != "yes":
            pytest.fail("run these tests with `make test-card`: they start servers of their own")
        if not Path(_SSHD).exists():
            pytest.fail(f"{_SSHD} is missing: apt-get install openssh-server")
        if os.geteuid() or _users() <= max(EPORT_UID, OPERATOR_UID):
            pytest.fail("these tests change to other users: run them as root")
        with contextlib.suppress(KeyError):
            pytest.fail(f"the user ID {uid}, which the tests need, is {pwd.getpwuid(uid).pw_name}")
        self.folder = folder
        self._slot = VirtualReader()
        self._service: subprocess.Popen[bytes] | None = None
        self._mounts: list[tuple[Path, str]] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self.log = folder / "log"
        for part in _PARTS:
            (folder / part).mkdir(parents=True)
        subprocess.run(["cp", "-a", "/etc/.", folder / "etc"], check=True)
        for name, line in {
            "passwd": f"{account}:x:{uid}:{uid}::{home}:/bin/sh",
            "shadow": f"{account}:!:19000::::::",
            "group": f"{account}:x:{uid}:",
            "hosts": f"127.0.0.1 {HOST}",
        }.items():
            with (folder / "etc" / name).open("a") as table:
                table.write(line + "\n")
        self.make_folder(home, 0o700, uid)
        self.make_folder("/etc/eport")
        self.make_folder("/run/pcscd")

    def path(self, place: str) -> Path:
        """Where a file of the machine lies."""
        return self.folder / place.lstrip("/")

    def make_folder(self, place: str, mode: int = 0o755, owner: int = 0) -> Path:
        """A folder of the machine."""
        path = self.path(place)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        os.chown(path, owner, owner)
        return path

    def write(self, place: str, text: str, mode: int = 0o644, owner: int = 0) -> None:
        """A file of the machine."""
        path = self.path(place)
        path.write_text(text, "utf-8")
        path.chmod(mode)
        os.chown(path, owner, owner)

    def install(self, shipped: str, place: str) -> None:
        """A file of `deploy/`, as it is."""
        path = shutil.copy(DEPLOY / shipped, self.path(place))
        os.chmod(path, 0o755 if os.access(DEPLOY / shipped, os.X_OK) else 0o644)

    def mount(self, source: Path, place: str) -> None:
        """Something of the machine that runs the tests, read-only, where `place` says."""
        self.make_folder(place)
        self._mounts.append((source, place))

    def argv(self, *words: str | Path, uid: int | None = None, unshare: str = "") -> list[str]:
        """What runs a command on this machine; `unshare` has more options for it."""
        steps = ["set -e", "umask 022"]
        for source, place in self._mounts:
            target = shlex.quote(str(self.path(place)))
            # In this namespace only: elsewhere whoever clears the folder would clear the source.
            steps.append(f"mount --bind {shlex.quote(str(source))} {target}")
            steps.append(f"mount -o remount,bind,ro {target}")
        for part in _PARTS:
            steps.append(f"mount --rbind {shlex.quote(str(self.folder / part))} /{part}")
        steps.append('exec "$@"')
        user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
        return [
            *("unshare", "--mount", *unshare.split(), "--", "sh", "-c", "\n".join(steps), "sh"),
            *user,
            *map(str, words),
        ]

    def start(self, *words: str, unshare: str = "") -> subprocess.Popen[bytes]:
        """Start a service; what it says goes to `log`."""
        with self.log.open("ab") as log:
            service = subprocess.Popen(
                self.argv(*words, unshare=unshare),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        self._running.append(service)
        return service

    def start_pcscd(self, applet: PivApplet) -> None:
        """Start the machine's own service for cards, with a card in its reader.

        In a network of its own, because vpcd listens on one port everywhere.
        """
        self._service = self.start("pcscd", "--foreground", "--error", unshare="--net")
        until(self.path("/run/pcscd/pcscd.comm").exists, f"pcscd; see {self.log}")
        self.insert(applet)

    def insert(self, applet: PivApplet) -> None:
        """Put a card in."""
        assert self._service is not None
        _in_network_of(self._service.pid, lambda: self._slot.insert(applet))

    def pull(self) -> None:
        """Take the card out."""
        self._slot.pull()

    def stop(self) -> None:
        """Stop everything that was started."""
        self._slot.pull()
        for service in self._running:
            service.terminate()
            service.wait()


class Server(Machine):
    """The server, set up as the guide says.

    Args:
        keys: The operators' public keys.
    """

    def __init__(self, folder: Path, keys: list[str]) -> None:
        super().__init__(folder, "eport", EPORT_UID, "/var/lib/eport")
        self.make_folder("/run/eport", 0o700, EPORT_UID)
        self.make_folder("/run/sshd")
        self._install_program()
        shutil.copy("/usr/share/openssh/sshd_config", self.path("/etc/ssh/sshd_config"))
        shutil.rmtree(self.path("/etc/ssh/sshd_config.d"), ignore_errors=True)
        self.make_folder("/etc/ssh/sshd_config.d")
        for old in self.path("/etc/ssh").glob("ssh_host_*"):
            old.unlink()
        subprocess.run(["ssh-keygen", "-A", "-f", str(folder)], check=True, capture_output=True)
        self.install("server/sshd_config.d/eport.conf", "/etc/ssh/sshd_config.d/eport.conf")
        self.install("server/eport-session", "/usr/local/bin/eport-session")
        self.install("server/config.toml", "/etc/eport/config.toml")
        lines = (f"restrict,pty,port-forwarding {key}\n" for key in keys)
        self.write("/etc/eport/authorized_keys", "".join(lines))

    def _install_program(self) -> None:
        """The program, run from the tree: a wheel would take a network and a minute."""
        home = "/opt/eport-tui"
        self.mount(Path(sys.base_prefix), f"{home}/python")
        self.mount(Path(sysconfig.get_path("purelib")), f"{home}/site-packages")
        self.mount(ROOT / "eport_tui", f"{home}/lib/eport_tui")
        self.mount(ROOT / "data", f"{home}/lib/data")
        self.make_folder(f"{home}/bin")
        python = f"{home}/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
        self.write(
            f"{home}/bin/eport-tui",
            "#!/bin/sh\n"
            f"export LD_LIBRARY_PATH={home}/python/lib PYTHONHOME={home}/python\n"
            f"export PYTHONPATH={home}/lib:{home}/site-packages PYTHONDONTWRITEBYTECODE=1\n"
            f'exec {python} -m eport_tui "$@"\n',
            0o755,
        )

    def start_sshd(self) -> None:
        """Start the SSH server, on the port that clients expect."""
        tried = self.run("/opt/eport-tui/bin/eport-tui", "--version", uid=EPORT_UID)
        if tried.returncode:
            pytest.fail(f"other users must be able to read this tree: {tried.stderr}")
        sshd = self.start(_SSHD, "-D", "-e")
        until(self.path("/run/sshd.pid").exists, f"sshd; see {self.log}")
        assert sshd.poll() is None

    def run(self, *words: str, uid: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command on the server to its end."""
        return subprocess.run(
            self.argv(*words, uid=uid),
            capture_output=True,
            text=True,
            cwd="/",
            timeout=60,
            check=False,
        )

    def programs(self) -> list[int]:
        """The processes of the program that run for operators."""
        found: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                runs_it = b"eport_tui" in (process / "cmdline").read_bytes()
                if runs_it and f"Uid:\t{EPORT_UID}\t" in (process / "status").read_text():
                    found.append(int(process.name))
        return found

    @property
    def sockets(self) -> set[Path]:
        """The sockets that were forwarded, those that nobody serves any more among them."""
        return set(self.path("/run/eport").iterdir())

    @property
    def host_key(self) -> str:
        """The line for a client's `known_hosts`."""
        return f"{HOST} {self.path('/etc/ssh/ssh_host_ed25519_key.pub').read_text()}"


class ThinClient(Machine):
    """An operator's machine, set up as the guide says, with a key of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "operator", OPERATOR_UID, "/run/operator")
        self.make_folder("/run/operator/.ssh", 0o700, OPERATOR_UID)
        self.install("client/ssh_config", "/etc/eport/ssh_config")
        self.install("client/eport", "/usr/local/bin/eport")
        key = self.path("/run/operator/.ssh/eport")
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", folder.name, "-f", str(key)],
            check=True,
        )
        os.chown(key, OPERATOR_UID, OPERATOR_UID)
        self.public_key = key.with_suffix(".pub").read_text().strip()

    def know(self, server: Server) -> None:
        """Learn the server's key."""
        self.write("/etc/eport/known_hosts", server.host_key)

    def eport(self, *options: str) -> list[str]:
        """The shipped launcher, with further options for `ssh`."""
        return self.argv("/usr/local/bin/eport", *options, uid=OPERATOR_UID)

    def ssh(self, *words: str, program: str = "ssh", with_key: bool = True) -> list[str]:
        """What an operator could call instead, with the same key but any options."""
        key = ("-i", "/run/operator/.ssh/eport") if with_key else ()
        return self.argv(
            *(program, "-F", "none", *key, "-o", "User=eport", "-o", "IdentitiesOnly=yes"),
            *("-o", "UserKnownHostsFile=/etc/eport/known_hosts"),
            *("-o", "ExitOnForwardFailure=yes", *words),
            uid=OPERATOR_UID,
        )

    def call(
        self, *words: str, program: str = "ssh", with_key: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Call `ssh`, without a terminal, and wait for its end."""
        return subprocess.run(
            self.ssh(*words, program=program, with_key=with_key),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=30,
            check=False,
        )


def _users() -> int:
    """How many users there are in this user namespace: one for anybody but root."""
    return int(Path("/proc/self/uid_map").read_text().split()[2])


def _in_network_of(process: int, work: Callable[[], None]) -> None:
    """Do something in the network namespace of a process, and bring its loopback up."""

    def inside() -> None:
        with open(f"/proc/{process}/ns/net") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        with socket() as any_socket:
            ioctl(any_socket, _SIOCSIFFLAGS, pack("16sh", b"lo", _UP_AND_RUNNING))
        work()

    # A namespace belongs to a thread: this one ends, and what it opened stays in there.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(inside).result()
