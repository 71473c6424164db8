"""What an operator gives up while it is under way in another thread.

A step that changes something asks `point_of_no_return` right before it does.  Until then it
can be given up, and nothing will come of it; from then on its outcome has to be waited for.
Steps that run outside of a `Step`, as those of commands, are never given up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from eport_tui.errors import EportError

Result = TypeVar("Result")


class NotAwaited(EportError):
    """The operator waits no longer; whoever meets this begins nothing that takes time."""


class Cancelled(NotAwaited):
    """It was given up, and nothing has come of it nor will."""

    def __init__(self, message: str = "已取消", *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)


class OutcomeUnknown(NotAwaited):
    """It could not be stopped any more, and its end was not waited for."""

    def __init__(
        self,
        message: str = "没有等到结果，刚才的操作可能已经完成，也可能没有",
        *,
        hint: str = "请核对后再继续",
    ) -> None:
        super().__init__(message, hint=hint)


class Step:
    """One thing that is done in another thread.

    Attributes:
        is_past: Whether it can be stopped no more.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_given_up = False
        self.is_past = False

    def give_up(self) -> bool:
        """Stop it before it changes anything; false where it may have changed something by now.

        Such a one may still stop by itself, where what it began came to nothing.
        """
        with self._mutex:
            self._is_given_up = True
            return not self.is_past

    def run(self, work: Callable[[], Result]) -> Result:
        """Do the work, in the thread that calls."""
        before = _under_way.set(self)
        try:
            return work()
        finally:
            _under_way.reset(before)

    def go_on(self, *, past: bool = False) -> None:
        """Raise `Cancelled` where it was given up; with `past` it can be so no more."""
        with self._mutex:
            if self._is_given_up:
                raise Cancelled
            self.is_past = self.is_past or past


_under_way: ContextVar[Step | None] = ContextVar("step", default=None)


def stop_if_given_up() -> None:
    """Go on with the step of this thread.

    Raises:
        Cancelled: It was given up.
    """
    if (step := _under_way.get()) is not None:
        step.go_on()


def point_of_no_return() -> None:
    """Say that from here on something is changed, and nothing has been so far.

    Asked again where all of it was undone and is done anew.

    Raises:
        Cancelled: The step of this thread was given up; it must not change anything.
    """
    if (step := _under_way.get()) is not None:
        step.go_on(past=True)
