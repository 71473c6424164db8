"""From pulling the card to the lock on the screen.

    tests/card/in_namespace.sh .venv-card/bin/python -m benchmarks.lock [TIMES]

pcscd, vpcd and a PIV card are real programs on this machine; the reader is a virtual one,
which pcscd asks for its card every 400 ms.  The clock runs until the terminal shows the lock
and nothing of the form any more.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.card.piv_making import PIN
from tests.card.workplace import AGENT, Workplace

LIMIT = 0.5
"""Seconds that a pull may take to lock the screen."""

TIMES = 25


def measure(workplace: Workplace, times: int) -> list[float]:
    """Log in, open a form, and pull the card so many times; seconds of each."""
    card = workplace.card()
    seconds: list[float] = []
    with workplace.program() as desk:
        workplace.insert(card)
        desk.wait_for("请输入密码")
        desk.send(f"{PIN.decode()}\r11{AGENT}\r")
        desk.wait_value("代理企业编号", AGENT)
        for _ in range(times):
            # At any moment of the service's round, not always at the same one.
            time.sleep(len(seconds) % 8 * 0.05)
            pulled = time.monotonic()
            workplace.pull()
            desk.wait_place("已锁定")
            desk.wait_gone(AGENT)
            seconds.append(time.monotonic() - pulled)
            workplace.insert(card)
            desk.wait_for("请输入密码，按Enter解锁")
            desk.send(f"{PIN.decode()}\r")
            desk.wait_value("代理企业编号", AGENT)
    return seconds


def main(times: int) -> int:
    """Print the figures; 1 when the limit is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        workplace = Workplace(Path(folder))
        try:
            workplace.service.start()
            seconds = measure(workplace, times)
        finally:
            workplace.leave()
    figures = {
        "pulls": times,
        "median_ms": round(statistics.median(seconds) * 1000),
        "max_ms": round(max(seconds) * 1000),
        "limit_ms": round(LIMIT * 1000),
    }
    for name, value in figures.items():
        print(f"{name:10} {value:6}")
    print(json.dumps({"lock": figures}))
    return int(max(seconds) > LIMIT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else TIMES))
