"""What all screens have in common: title, message line, key legend, ways back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.widget import Widget

from eport_tui.actions import ACTIONS, SORTED_COLUMN, bindings, legend
from eport_tui.card.errors import CardGone, Locked
from eport_tui.errors import EportError, InvalidInput, OutOfReach
from eport_tui.terminal.lean import LeanScreen
from eport_tui.widgets.bars import Body, Legend, MessageLine, TitleBar
from eport_tui.widgets.grid import Grid

if TYPE_CHECKING:
    from eport_tui.app import EportApp
    from eport_tui.screens.help import HelpScreen
    from eport_tui.widgets.dialogs import Question

COLUMNS, LINES = 80, 24
"""The least room in which every screen is whole (spec §2)."""

BROKEN_OFF = "刚才的操作因程序锁定而中断，请核对后重新操作"
STAYS = "输入的内容还在，服务器恢复后会自动重新连接；"
TOO_SMALL = f"窗口太小，请放大到{COLUMNS}列{LINES}行以上"

Self = TypeVar("Self", bound="EportScreen")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def flow(
    method: Callable[Concatenate[Self, Parameters], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[Self, Parameters], None]:
    """Make a coroutine method start as a flow: keys wait for it, its errors are told."""

    @functools.wraps(method)
    def start(self: Self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        self.desk.start_flow(method(self, *args, **kwargs), self)

    return start


@contextmanager
def though(done: str) -> Generator[None]:
    """Read lists again after something was done: where that fails, what was done is told, too.

    Args:
        done: What was done, in words.
    """
    try:
        yield
    except EportError as error:
        raise EportError(
            f"{done}，但列表没有重新读出：{error.message}", hint="请按F5刷新"
        ) from error


class EportScreen(LeanScreen[None]):
    """A screen with a title above and a message line and the keys below.

    Attributes:
        PLACE: Where one is, for the title.
        LEGEND: Actions shown on the last line.  ^Q is among them where Esc leads neither back
            nor out of the program, and in the menus.
        MOVING: Keys of its widgets, for the help screen.
        ABOUT: What the screen is for, for the help screen.
        IDLE: Actions of all screens that do nothing on this one.
        MEANING: For the help screen, of actions that are about something else here.
    """

    PLACE = ""
    LEGEND: tuple[str, ...] = ("help", "back", "main_menu")
    MOVING: tuple[tuple[str, str], ...] = ()
    ABOUT = ""
    IDLE: tuple[str, ...] = ()
    MEANING: Mapping[str, str] = {}
    BINDINGS = [*bindings("help", "back", "main_menu")]

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self._unread: dict[str, Callable[[], Coroutine[Any, Any, bool]]] = {}
        self._told_at = -1

    @property
    def desk(self) -> EportApp:
        """The application, which carries what all screens work with."""
        return self.app  # type: ignore[return-value]

    def body(self) -> Iterable[Widget]:
        """The widgets between the title and the message line."""
        return ()

    def compose(self) -> ComposeResult:
        """Title, body, message line and legend."""
        yield TitleBar()
        yield Body(*self.body())
        yield MessageLine()
        yield Legend()

    def on_mount(self) -> None:
        """Say where one is and whose card it is."""
        title = self.query_one(TitleBar)
        title.place = self.PLACE
        title.holder = self.desk.holder_line
        self.show_legend()

    def on_resize(self, event: events.Resize) -> None:
        """Say when there is not enough room, and give lists what there is."""
        self.set_class(event.size.height < LINES, "-low")
        if event.size.width < COLUMNS or event.size.height < LINES:
            self.say(TOO_SMALL, "warning")
        elif self.query_one(MessageLine).text == TOO_SMALL:
            self.say("")

    def on_screen_resume(self) -> None:
        """What was said behind another screen, such as the lock, can be read from now on."""
        for line in self.query(MessageLine):
            line.can_be_read()

    # Telling things

    def say(self, text: str, kind: str = "note") -> None:
        """Put a text on the message line; an empty one brings the hint back."""
        # A worker may still speak for a screen that is being taken down.
        for line in self.query(MessageLine):
            line.say(text, kind)
            if not text:
                line.hint(self.hint_here)

    @property
    def tells_to_wait(self) -> bool:
        """Whether it says just now that something takes its time."""
        return any(line.kind == "busy" for line in self.query(MessageLine))

    @property
    def hint_here(self) -> str:
        """What can be done where the cursor is; empty where there is nothing to say about it."""
        return ""

    def key_comes(self, event: events.Event) -> None:
        """A key that comes is an answer to what was said, and ends a search it does not go on."""
        # A screen that is only just being opened has no message line yet.
        for line in self.children:
            if isinstance(line, MessageLine):
                line.key_comes(self.hint_here)
        if isinstance(self.focused, Grid):
            self.focused.key_comes(event)

    def remark(self, text: str) -> None:
        """Put a note on the message line, unless something else was said at the same key."""
        self.query_one(MessageLine).remark(text)

    def hint(self, text: str) -> None:
        """Put a hint on the message line, unless something that matters more is there."""
        self.query_one(MessageLine).hint(text)

    def say_error(self, error: EportError) -> None:
        """Say what is wrong and what to do; forms also put the cursor there."""
        if isinstance(error, Locked | CardGone) and self.desk.is_hidden(self):
            # It is read when neither is so any more.
            self.say(error.done + BROKEN_OFF, "error")
        elif isinstance(error, OutOfReach):
            self.say(f"{error.done}{error.message}（{STAYS}{error.hint}）", "error")
        else:
            self.say(str(error), "error")

    # Reading

    @property
    def is_unread(self) -> bool:
        """Whether something is to be read that could not be, as the database was out of reach."""
        return bool(self._unread) or any(grid.is_out_of_reach for grid in self.query(Grid))

    async def read(
        self,
        step: Callable[Parameters, Coroutine[Any, Any, None]],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> bool:
        """Do what only reads; while the database is out of reach say so, and do it afterwards.

        A list that is empty for that says so in its place.  A step that is called anew takes
        the place of its earlier call.

        Returns:
            Whether it was done.
        """
        self._unread.pop(step.__name__, None)
        try:
            await step(*args, **kwargs)
        except EportError as error:
            if not isinstance(error, InvalidInput):
                for grid in self.query(Grid):
                    grid.tell_unread(error)
            if not isinstance(error, OutOfReach):
                raise
            self._unread[step.__name__] = functools.partial(self.read, step, *args, **kwargs)
            self.desk.changes.has_unread = True
            self.say_error(error)
            self._told_at = self.query_one(MessageLine).said
            return False
        return True

    async def reload_list(self, grid: Grid[Any]) -> None:
        """Read a list again because somebody asks for it, and say so."""
        if await self.read(grid.reload):
            self.say("列表已刷新", "done")

    async def tell_done(self, told: str, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Read lists again after something was done, and say what that was."""
        with though(told):
            await read()
        self.say(told, "done")

    def forget_unread(self) -> None:
        """What could not be read is not wanted any more."""
        self._unread.clear()

    async def read_again(self) -> None:
        """Do what could not be read; the cursor stays where it is, and what was said since."""
        line = self.query_one(MessageLine)
        if line.said != self._told_at:
            with line.kept():
                await self._read_again()
        else:
            self.say("")
            await self._read_again()

    async def _read_again(self) -> None:
        focused = self.focused
        selected = [(grid, grid.selected) for grid in self.query(Grid)]
        unread, self._unread = self._unread, {}
        for step in unread.values():
            await step()
        for grid in self.query(Grid):
            if grid.is_out_of_reach:
                await grid.reload()
        for grid, row in selected:
            if row is not None:
                await grid.stay_at(row)
        # What has the focus now may stand where the other one was, such as a PIN field.
        if focused is not None and focused.is_attached and focused.display:
            self.set_focus(focused)

    def on_grid_failed(self, message: Grid.Failed) -> None:
        """Say why rows of a list cannot be read."""
        self.say_error(message.error)

    def on_grid_told(self, message: Grid.Told) -> None:
        """Say what a list has to say about a key."""
        self.say(message.text, "warning")

    @flow
    async def on_grid_filter_wanted(self, message: Grid.FilterWanted) -> None:
        """Ask what to narrow a list by, and show it so."""
        from eport_tui.widgets.dialogs import TextQuestion

        grid = message.grid
        order = grid.order
        if order is None:
            return
        now = f"现在的筛选是「{grid.filter}」。" if grid.filter else ""
        text = await self.desk.ask(
            TextQuestion(
                "筛选",
                f"{now}只列出{order.label}符合的记录，请输入{order.example}。空着为全部。",
                order.label,
                order.check,
            )
        )
        if text is not None:
            await grid.narrow(text)

    def show_legend(self) -> None:
        """Show the keys that work at this moment."""
        items = legend(self._shown_ids())
        bar = self.query_one(Legend)
        if bar.items != items:
            bar.items = items

    def _shown_ids(self) -> tuple[str, ...]:
        in_demo = self.desk.demo_reader is not None and self.desk.session is not None
        return (*self.legend_ids(), "card_slot") if in_demo else self.legend_ids()

    def legend_ids(self) -> tuple[str, ...]:
        """The actions to show; may depend on what has the focus."""
        return self.LEGEND

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The keys may be others where the focus is now."""
        self.show_legend()

    async def tell(self, text: str, *, title: str = "提示", kind: str = "strong") -> None:
        """Show a prompt; a key that was meant for the screen reaches it."""
        from eport_tui.widgets.dialogs import Prompt

        key = await self.desk.ask(Prompt(text, title=title, kind=kind))
        if key is not None:
            self.desk.put_back(key)

    async def tell_none_selected(self, grid: Grid[Any], none: str) -> None:
        """Say that a row has to be selected first, or that the whole list has `none`."""
        await self.tell(none if grid.is_empty and not grid.filter else "请选择数据!")

    async def confirm(
        self, title: str, text: str, *, yes: str = "确定", no: str = "取消", dangerous: bool = True
    ) -> bool:
        """Ask a yes-or-no question; Esc is a no."""
        from eport_tui.widgets.dialogs import confirmation

        return bool(
            await self.desk.ask(confirmation(title, text, yes=yes, no=no, dangerous=dangerous))
        )

    async def choose(self, question: Question[Result]) -> Result | None:
        """Ask a question; Esc is none of the answers."""
        return await self.desk.ask(question)

    async def day_began(self) -> None:
        """Show as of today what was shown as of yesterday; the lists are read again after it."""

    # Leaving

    @property
    def unsaved(self) -> str:
        """What would be lost by leaving, in words; empty when nothing would."""
        return ""

    def draft(self) -> dict[str, Any] | None:
        """What is to be kept in case the line drops; none when there is nothing unsaved."""
        return None

    def discard(self) -> None:
        """Give up what is unsaved."""

    def restore(self, content: dict[str, Any]) -> None:
        """Begin with a draft that was kept, once the screen is shown."""

    async def may_leave(
        self, question: str = "确定不保存就离开吗？", yes: str = "不保存，离开"
    ) -> bool:
        """Ask before something unsaved is left."""
        if not self.unsaved:
            return True
        leave = await self.confirm(
            "尚未保存", f"{self.unsaved}。{question}", yes=yes, no="继续编辑"
        )
        if leave:
            self.discard()
            await self.desk.drafts.forget(self)
        return leave

    @flow
    async def action_back(self) -> None:
        """One level back; from a narrowed list to the whole one."""
        if isinstance(self.focused, Grid) and self.focused.filter:
            await self.focused.narrow("")
        elif await self.may_leave():
            await self.desk.close_screen(self)

    @flow
    async def action_main_menu(self) -> None:
        """Back to the main menu."""
        await self.desk.back_to_main_menu()

    @flow
    async def action_help(self) -> None:
        """Show what the screen is for and what its keys do."""
        from eport_tui.screens.help import HelpScreen

        shown = self._shown_ids()
        lists = self.query(Grid)
        in_lists = [
            *(["sort"] if any(grid.is_sortable for grid in lists) else []),
            *(["filter"] if lists else []),
        ]
        ids = dict.fromkeys([*shown, *self.LEGEND, *self._bound(), *in_lists, "quit", "repaint"])
        if "leave" in shown:
            # Both are on the same keys, and this is what they do here.
            ids.pop("back", None)
        keys = [(ACTIONS[id].caps, self.MEANING.get(id, ACTIONS[id].help)) for id in ids]
        keys += self.MOVING
        orders = {grid.order.label for grid in lists if grid.order is not None}
        if len(orders) == 1 and "sort" not in in_lists:
            # There is nothing to sort by anything else.
            (column,) = orders
            keys = [(caps, text.replace(SORTED_COLUMN, column)) for caps, text in keys]
        await self.open_help(HelpScreen(self.PLACE, self.ABOUT, keys))

    async def open_help(self, screen: HelpScreen) -> None:
        """Show the help; on a screen that the lock hides it waits until that is gone."""
        await self.desk.open_screen(screen)

    def _bound(self) -> list[str]:
        """The actions that have keys on this screen, without those that do nothing on it."""
        bound = [
            binding.id
            for bindings in self._bindings.key_to_bindings.values()
            for binding in bindings
            if binding.id
        ]
        return [id for id in bound if id not in self.IDLE]

    def action_focus_next(self) -> None:
        """On to the next field or list."""
        self.focus_next()

    def action_focus_previous(self) -> None:
        """Back to the previous field or list."""
        self.focus_previous()
