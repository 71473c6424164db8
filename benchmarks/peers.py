"""Other programs on the same terminal: whiptail, and two large ones made with Textual.

Posting and Harlequin are installed into environments of their own below a cache folder,
which takes the network once.  What cannot be had is said in the table, and the others go on.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure, missing, spread
from benchmarks.meter import Effect, Meter
from benchmarks.terminal import ROOT, Ours, demo_once, plain

VENVS = ROOT / ".bench-venvs"
INSTALL_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to be compared with.

    Attributes:
        name: Of the program, and of its command.
        packages: What pip installs for it, versions pinned; none for a program of the system.
        arguments: What it is started with.
        ready: What it shows when it can be used.
        hint: How to get it where it is missing.
    """

    name: str
    packages: tuple[str, ...]
    arguments: tuple[str, ...]
    ready: str
    hint: str


PEERS = (
    Peer("whiptail", (), ("--inputbox", "ready", "8", "40"), "Cancel", "apt-get install whiptail"),
    # With the grammars of newer releases of tree-sitter it crashes.
    Peer("posting", ("posting==2.11.1", "tree-sitter==0.25.2"), (), "Search requests", ""),
    Peer("harlequin", ("harlequin==2.17.0",), (), "Format Query", ""),
)


def command(peer: Peer) -> tuple[list[str] | None, str]:
    """How to start a program, or none and why; it is installed first where that is needed."""
    if not peer.packages:
        found = shutil.which(peer.name)
        return ([found, *peer.arguments], "") if found else (None, f"not installed: {peer.hint}")
    venv = VENVS / peer.name
    program = venv / "bin" / peer.name
    stamp = venv / "installed"
    wanted = "\n".join(peer.packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {peer.name} ...", end=" ", file=sys.stderr, flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        try:
            _run(sys.executable, "-m", "venv", str(venv))
            pip = (str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
            # Only what is there ready-made: nothing is to be compiled for this.
            _run(*pip, "install", "--quiet", "--only-binary", ":all:", *peer.packages)
        except (OSError, subprocess.SubprocessError):
            shutil.rmtree(venv, ignore_errors=True)
            return None, "cannot be installed here"
        stamp.write_text(wanted)
    return [str(program), *peer.arguments], ""


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=INSTALL_SECONDS)


@dataclass(slots=True)
class _Seen:
    start: list[float]
    typed: list[Effect]


def measured(rounds: int, peers: Sequence[Peer] = PEERS) -> Iterator[Figure]:
    """Start to something usable, and a typed character; no targets but the bytes of whiptail."""
    commands = {peer: command(peer) for peer in peers}
    seen = {peer.name: _Seen([], []) for peer in peers}
    us = _Seen([], [])
    minimal: list[float] = []
    failed: dict[Peer, str] = {}
    with demo_once() as ours:
        ours.start().__exit__(None, None, None)
        for _ in range(rounds):
            with plain("minimal") as meter:
                minimal.append(meter.wait_for("ready"))
            _ours(ours, us)
            for peer, (argv, _) in commands.items():
                if argv is not None and peer not in failed:
                    try:
                        _theirs(peer, argv, seen[peer.name])
                    except (TimeoutError, EOFError, OSError):
                        failed[peer] = "does not run here"
    for peer, (argv, why) in commands.items():
        what = "start to a usable screen", "a typed character"
        if argv is None or peer in failed:
            for each in what:
                yield missing(each, peer.name, why or failed[peer])
            continue
        theirs = seen[peer.name]
        yield _figure(what[0], "ms", us.start, peer.name, theirs.start)
        yield _figure(
            what[1], "B", [e.bytes for e in us.typed], peer.name, [e.bytes for e in theirs.typed]
        )
        yield _figure(
            what[1], "ms", [e.last_ms for e in us.typed], peer.name,
            [e.last_ms for e in theirs.typed],
        )  # fmt: skip


def _figure(
    what: str, unit: str, ours: Sequence[float], name: str, theirs: Sequence[float]
) -> Figure:
    return Figure(what, unit, spread(ours), None, name, spread(theirs)[0])


def _ours(ours: Ours, seen: _Seen) -> None:
    ours.start().__exit__(None, None, None)
    with ours.work() as meter:
        seen.start.append(ours.ready(meter))
    with ours.start() as meter:
        ours.log_in(meter)
        meter.send("11", quiet=0.4)
        _type(meter, seen)


def _theirs(peer: Peer, argv: list[str], seen: _Seen) -> None:
    with tempfile.TemporaryDirectory() as home, Meter(argv, env={"HOME": home}, cwd=home) as meter:
        seen.start.append(meter.wait_for(peer.ready))
        # They go on painting, and some never stop.
        meter.settle(0.6, at_most=4)
        _type(meter, seen)


def _type(meter: Meter, seen: _Seen) -> None:
    # The first one does more: it replaces what stands there.
    meter.send("8")
    seen.typed += [meter.send(key) for key in "900000"]
