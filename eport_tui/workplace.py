"""What the program works with: a thread for cards, the database, the readers, what to load when."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from eport_tui.errors import EportError, OutOfReach

if TYPE_CHECKING:
    from eport_tui.card.control import ControlReader
    from eport_tui.card.pcsc import PcscReader
    from eport_tui.card.software import SoftwareReader
    from eport_tui.card.trust import TrustStore
    from eport_tui.domain.codes import CodeTables
    from eport_tui.domain.holders import Enterprise, Role
    from eport_tui.settings import Settings
    from eport_tui.store.database import Store

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class CardThread(Executor):
    """One thread for steps with a card, which can hold it up: the end of the program does not wait.

    Otherwise as a `ThreadPoolExecutor` of one thread.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="card", daemon=True)
        self._thread.start()

    def submit(
        self,
        fn: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Future[Result]:
        """Do something after what was submitted before."""
        future: Future[Result] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the thread after what was submitted."""
        self._jobs.put(None)
        if wait:
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, step = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(step())
                except BaseException as error:
                    future.set_exception(error)


# What the check of a PIN, the main menu and the screens that are opened most need.
FOR_THE_PIN = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.argon2",
    "eport_tui.card.signatures",
)
FOR_WORK = (
    "eport_tui.services.drafts",
    "eport_tui.screens.menus",
    "eport_tui.screens.enterprise_grants",
    "eport_tui.screens.operator_grants",
)


def load(modules: Sequence[str]) -> None:
    """Import modules."""
    for module in modules:
        importlib.import_module(module)


def open_all(settings: Settings) -> tuple[Store, CodeTables, TrustStore, SoftwareReader]:
    """Open the database and read the code tables; the authorities and cards are only looked up.

    Raises:
        EportError: One of them cannot be opened; the message says which and why.
    """
    from eport_tui.card.software import SoftwareReader
    from eport_tui.card.trust import TrustStore
    from eport_tui.reference import load_tables
    from eport_tui.services.code_tables import require_codes_in_use
    from eport_tui.store.database import Store

    def look_up(organization: str, card_number: str) -> list[tuple[Enterprise, Role]]:
        from eport_tui.services import registry

        return registry.look_up_card(store, organization, card_number)

    tables = load_tables(settings.config_dir)
    reader = SoftwareReader(settings.cards_dir)
    store = Store.open(settings.database)
    trust = TrustStore.of(
        settings.trust_dir,
        require_hardware=settings.require_hardware,
        look_up=look_up,
    )
    try:
        require_codes_in_use(store, tables)
    except EportError:
        store.close()
        raise
    return store, tables, trust, reader


def try_to_reach(settings: Settings) -> None:
    """See whether the database is there, if it can be used or not.

    Raises:
        OutOfReach: It is not.
    """
    from eport_tui.store.database import Store

    try:
        Store.open(settings.database).close()
    except OutOfReach:
        raise
    except EportError:
        # What is wrong is told by whoever opens it to work with it.
        pass


def hardware_readers(
    settings: Settings, on_change: Callable[[], object]
) -> list[PcscReader | ControlReader]:
    """The readers of real cards; what they need is loaded in threads of their own."""
    from eport_tui.card.pcsc import PcscReader

    readers: list[PcscReader | ControlReader] = [
        PcscReader(on_change, allow_server_reader=settings.allow_server_reader)
    ]
    if settings.control:
        from eport_tui.card.control import ControlReader

        readers.append(ControlReader(settings.control, on_change=on_change))
    return readers
