"""What the screens with a form have in common: moving, lists, taking values, drafts."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from textual import events

from eport_tui.actions import IN_FIELDS, IN_LISTS, bindings
from eport_tui.domain.dates import parse_date, today
from eport_tui.errors import EportError, InvalidInput
from eport_tui.screens.base import EportScreen, flow
from eport_tui.widgets.calendar import Calendar
from eport_tui.widgets.field import CodeField, ListWanted, TextField
from eport_tui.widgets.form import Form
from eport_tui.widgets.grid import Grid
from eport_tui.widgets.picker import Picker


class FormScreen(EportScreen):
    """A screen with a form and lists.

    A field's value is taken when the cursor leaves it, by whatever key: then it
    is checked, and what follows from it is filled in.
    """

    MOVING = (*IN_FIELDS, *IN_LISTS)
    BINDINGS = [*bindings("next_field", "focus_next", "focus_previous", "open_list")]
    AUTO_FOCUS = "TextField, CodeField"

    @property
    def form(self) -> Form:
        """The form that has the cursor, or the first one."""
        around = self.focused.parent if self.focused is not None else None
        return around if isinstance(around, Form) else self.query(Form).first()

    def form_of(self, field: str) -> Form | None:
        """The form that has a field which can be typed in at present."""
        return next((form for form in self.query(Form) if field in form.fields), None)

    # Taking values

    async def take(self, field: str) -> None:
        """Check one field's value and fill in what follows from it.

        Raises:
            EportError: The value is not good; nothing was changed.
        """

    async def _take_current(self) -> bool:
        """Take the value of the field the cursor is in; tell what is wrong with it."""
        field = self.form.current
        if field is None:
            return True
        try:
            await self.take(field)
        except EportError as error:
            self.form.mark_error(field)
            super().say_error(error)
            return False
        self.form.mark_error(None)
        return True

    def say_error(self, error: EportError) -> None:
        """Say what is wrong, and put the cursor on the field that is at fault."""
        super().say_error(error)
        form = self.form_of(error.field) if error.field else None
        if form is not None and error.field:
            form.mark_error(error.field)
            form.focus_field(error.field)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Beside the form, say what can be done there; of a field its form tells."""
        super().on_descendant_focus(event)
        if not isinstance(event.widget.parent, Form):
            self.hint(self.hint_here)

    @property
    def hint_here(self) -> str:
        """What the field wants, or what can be done on a list that has rows."""
        focused = self.focused
        if isinstance(focused, Grid):
            return "" if focused.is_empty else self.list_hint(focused)
        if focused is None or not isinstance(focused.parent, Form):
            return ""
        return focused.parent.field(focused.id or "").hint

    def list_hint(self, grid: Grid) -> str:
        """What can be done on a list."""
        return ""

    def on_form_entered(self, message: Form.Entered) -> None:
        """Show what the field wants, unless something more important is being said."""
        self.hint(message.form.field(message.field).hint)

    def on_form_edited(self, message: Form.Edited) -> None:
        """A correction is begun: what was wrong is no longer said."""
        message.stop()
        # Whoever overrides this calls it, and Textual would do so once more.
        message.prevent_default()
        message.form.mark_error(None)
        self.hint(message.form.field(message.field).hint)

    def on_form_left_out(self, message: Form.LeftOut) -> None:
        """Say that something was not taken."""
        self.say(message.text, "warning")

    def check_whole(self) -> None:
        """Stop once where something was left out: typed ahead, nobody has seen that said.

        Raises:
            InvalidInput: Something was not taken, and this is the first key that needs the text.
        """
        for form in self.query(Form):
            for field in form.fields:
                # Of an empty field it is said what it wants, as always.
                if (why := form.forget_left_out(field)) and form.value(field):
                    raise InvalidInput(why, field=field, hint="核对后再按一次")

    # Moving

    @flow
    async def action_next_field(self) -> None:
        """Take the value and go to the next field; on a list, open the row."""
        await self.enter()

    async def enter(self) -> None:
        """What Enter does."""
        focused = self.focused
        if isinstance(focused, Grid):
            await self.open_row(focused)
            return
        self.check_whole()
        if not await self._take_current():
            return
        fields, current = self.form.fields, self.form.current
        if current is None or current not in fields:
            return
        if current == fields[-1]:
            await self.last_field_entered()
        else:
            self.form.focus_field(fields[fields.index(current) + 1])

    async def last_field_entered(self) -> None:
        """Enter was pressed on the last field."""
        self.say("已是最后一栏，按F10保存")

    @flow
    async def on_grid_opened(self, message: Grid.Opened) -> None:
        """A double click does what Enter does."""
        await self.open_row(message.grid)

    async def open_row(self, grid: Grid) -> None:
        """Enter was pressed on a row of a list, or it was double-clicked."""

    @flow
    async def action_focus_next(self) -> None:  # type: ignore[override]
        """Take the value and go on to the next field or list."""
        await self._take_current()
        self.focus_next()

    @flow
    async def action_focus_previous(self) -> None:  # type: ignore[override]
        """Take the value and go back to the previous field or list."""
        await self._take_current()
        self.focus_previous()

    def action_field_above(self) -> None:
        """Go back to the previous field; from the first not around to the list at the bottom."""
        if self.focused is self.focus_chain[0]:
            self.say("已是第一栏")
        else:
            self.action_focus_previous()

    @flow
    async def on_form_left(self, message: Form.Left) -> None:
        """The cursor left a field: take its value if no key did before, keep what is unsaved."""
        if message.field in message.form.fields:
            # A fault is told on saving; by now something else may be on the message line.
            with suppress(EportError):
                await self.take(message.field)
        await self.field_left(message.field)

    async def field_left(self, field: str) -> None:
        """The cursor left a field."""
        await self.desk.drafts.keep(self)

    # From a field to a list

    def _go_to_list(self) -> Grid | None:
        """Put the cursor in the list behind the field; none where the screen has no list."""
        chain = self.focus_chain
        behind = chain[chain.index(self.focused) :] if self.focused in chain else []
        grid = next((each for each in [*behind, *chain] if isinstance(each, Grid)), None)
        if grid is None:
            self.say("此处没有列表", "warning")
        else:
            self.set_focus(grid)
        return grid

    @flow
    async def action_sort(self) -> None:
        """Sort the list behind the field."""
        if grid := self._go_to_list():
            await grid.action_sort()

    @flow
    async def action_filter(self) -> None:
        """Ask what to narrow the list behind the field by."""
        if grid := self._go_to_list():
            grid.action_filter()

    # Lists of code fields and dates

    def _shown_ids(self) -> tuple[str, ...]:
        """At a date F4 opens a calendar."""
        shown = super()._shown_ids()
        if self.at_a_list and not isinstance(self.focused, CodeField):
            return tuple("open_calendar" if id == "open_list" else id for id in shown)
        return shown

    @property
    def at_a_list(self) -> bool:
        """Whether the field at the cursor has a list or a calendar to open."""
        return getattr(self.focused, "opens_list", False)

    @flow
    async def action_open_list(self) -> None:
        """Open the list or calendar of the field."""
        field = self.form.current
        if field is None or not self.at_a_list:
            self.say("此处没有可选的列表", "warning")
            return
        await self.open_list(field)

    async def open_list(self, field: str, typed: str = "") -> None:
        """Let the operator choose; Esc leaves the value as it was."""
        widget = self.form.widget_of(field)
        if isinstance(widget, CodeField):
            chosen = await self.desk.ask(self.picker(widget, typed))
            if chosen is None:
                return
            widget.value = chosen
        elif isinstance(widget, TextField):
            day = await self.desk.ask(self.calendar(field, widget.value))
            if day is None:
                return
            self.form.set_value(field, day.isoformat())
        self.say("")
        await self.picked(field)

    def picker(self, widget: CodeField, typed: str) -> Picker:
        """The list of a code field."""
        return Picker(widget.table, value=widget.value, typed=typed)

    def calendar(self, field: str, value: str) -> Calendar:
        """The calendar of a date field, open at its date or a year from today."""
        start = today()
        try:
            day = parse_date(value, today=start)
        except InvalidInput:
            day = start + timedelta(days=365)
        return Calendar(self.form.field(field).label, day, earliest=start)

    async def picked(self, field: str) -> None:
        """A value was chosen from a list: on to the next field."""
        await self._take_current()
        fields = self.form.fields
        if field in fields and field != fields[-1]:
            self.form.focus_field(fields[fields.index(field) + 1])

    @flow
    async def on_list_wanted(self, message: ListWanted) -> None:
        """Space, a typed character or a click asks for a field's list."""
        await self.open_list(message.field, message.typed)

    @flow
    async def on_grid_menu_wanted(self, message: Grid.MenuWanted) -> None:
        """The right button opens the menu of a row."""
        await self.row_menu(message.grid, (message.x, message.y))

    @flow
    async def action_menu(self) -> None:
        """Open the menu of the selected row."""
        grid = self.menu_grid()
        await self.row_menu(grid, grid.menu_place())

    def menu_grid(self) -> Grid:
        """The list whose selected row the menu and the deletion are about."""
        return self.query_one(Grid)

    async def row_menu(self, grid: Grid, place: tuple[int, int]) -> None:
        """Show what can be done with the selected row."""
