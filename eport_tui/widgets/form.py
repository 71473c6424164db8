"""A form: labels, marks and filled-in values drawn by one widget, fields on top.

Each widget costs time to lay out and paint, so only what can be typed in is
one; everything else of the form is drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input
from textual.widgets.input import Selection

from eport_tui.domain.codes import CodeTable
from eport_tui.widgets.cells import fit
from eport_tui.widgets.field import CodeField, TextField
from eport_tui.widgets.limits import Limit
from eport_tui.widgets.themes import look


class Ground(StrEnum):
    """What the ground of a field says (manual 1.1, note 2), with its text mark."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    SHOWN = "shown"

    @property
    def mark(self) -> str:
        """The same meaning without colour."""
        return {"required": "*", "optional": "+", "shown": "="}[self.value]


LEAST_FIELD = 6
"""Cells that a field has even in a small window, where labels are cut for it."""
SECOND_COLUMN = 0.46
"""Where the second column begins, as a part of the line."""

GROUNDS_EXPLAINED = "* 必填   + 选填   = 系统填写"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form.

    Attributes:
        id: Identifier; errors name their field by it.
        label: What stands before it.
        ground: Required, optional or shown.
        width: Cells for the value; 0 takes what is left of the line.
        table: The code table of a code field.
        limit: How much can be typed; none for as much as one likes.
        opens_list: Whether space and F4 open a list or calendar in a text field.
        empty: What a code field shows while nothing is chosen.
        hint: Shown on the message line while the field has the focus.
    """

    id: str
    label: str
    ground: Ground = Ground.SHOWN
    width: int = 0
    table: CodeTable | None = None
    limit: Limit | None = None
    opens_list: bool = False
    empty: str = ""
    hint: str = ""


@dataclass
class OfForm(Message):
    """What a form tells about one of its fields; handlers can be chosen by the form's selector."""

    form: Form
    field: str

    @property
    def control(self) -> Form:
        """The form."""
        return self.form


class Form(Widget):
    """Fields in rows of one or two columns.

    Values are text; a code field's value is its code.
    """

    @dataclass
    class Left(OfForm):
        """The focus left a field; its value is to be taken now."""

    @dataclass
    class Entered(OfForm):
        """A field got the focus."""

    @dataclass
    class Edited(OfForm):
        """What is typed in a field changed."""

    @dataclass
    class LeftOut(OfForm):
        """Something that was typed or pasted was not taken; the text says why."""

        text: str

    def __init__(self, rows: Sequence[Sequence[Field]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows = rows
        self._fields = {field.id: field for row in rows for field in row}
        self._shown: dict[str, str] = {}
        self._widgets: dict[str, TextField | CodeField] = {}
        self._locked: set[str] = set()
        columns = max(len(row) for row in rows)
        self._label_widths = [
            max(cell_len(row[column].label) for row in rows if column < len(row))
            for column in range(columns)
        ]
        self.styles.height = len(rows)

    # Reading and writing values

    @property
    def fields(self) -> list[str]:
        """The fields that can be typed in at present, in order."""
        return [id for id in self._widgets if id not in self._locked]

    def field(self, id: str) -> Field:
        """The description of a field."""
        return self._fields[id]

    def widget_of(self, id: str) -> TextField | CodeField:
        """The widget of a field that can be typed in."""
        return self._widgets[id]

    def value(self, id: str) -> str:
        """The value of a field."""
        widget = self._widgets.get(id)
        return widget.value if widget is not None else self._shown.get(id, "")

    def values(self) -> dict[str, str]:
        """The values of all fields that are not merely shown."""
        return {id: widget.value for id, widget in self._widgets.items()}

    def set_value(self, id: str, value: str) -> None:
        """Put a value in a field; the cursor of a text field goes to its end."""
        widget = self._widgets.get(id)
        if widget is None:
            if self._shown.get(id) != value:
                self._shown[id] = value
                self.refresh(*self._regions(id))
            return
        # What the program fills in is not an edit by the operator.
        with widget.prevent(Input.Changed):
            widget.value = value
        if isinstance(widget, TextField):
            widget.cursor_position = len(value)

    def select_text(self, id: str) -> None:
        """Select the whole of a text field, so that typing replaces it."""
        widget = self._widgets[id]
        if isinstance(widget, TextField):
            widget.selection = Selection(0, len(widget.value))

    def set_locked(self, *ids: str) -> None:
        """Turn exactly these fields grey; they can then not be changed."""
        self._locked = set(ids)
        for id, widget in self._widgets.items():
            widget.disabled = id in self._locked
            self._dress(id)
        self.refresh()

    def lock_all(self) -> None:
        """Turn all fields grey."""
        self.set_locked(*self._widgets)

    def ground(self, id: str) -> Ground:
        """The ground of a field at present."""
        return Ground.SHOWN if id in self._locked else self._fields[id].ground

    def _dress(self, id: str, *, update: bool = True) -> None:
        for ground in Ground:
            self._widgets[id].set_class(self.ground(id) is ground, f"-{ground}", update=update)

    def mark_error(self, id: str | None) -> None:
        """Show one field as being at fault, and no other."""
        for name, widget in self._widgets.items():
            widget.set_class(name == id, "-error")

    # Focus

    @property
    def current(self) -> str | None:
        """The field that has the focus."""
        focused = self.screen.focused
        return focused.id if focused is not None and focused.id in self._widgets else None

    def focus_field(self, id: str) -> None:
        """Put the cursor in a field, or in the first open one if that is grey."""
        target = id if id in self.fields else next(iter(self.fields), None)
        if target is not None:
            self.screen.set_focus(self._widgets[target])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Point at the field that has the focus."""
        if event.widget.id in self._widgets:
            self.refresh(*self._regions(event.widget.id))
            self.post_message(self.Entered(self, event.widget.id))

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Take the value of a field when the focus leaves it."""
        if event.widget.id in self._widgets:
            self.refresh(*self._regions(event.widget.id))
            self.post_message(self.Left(self, event.widget.id))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell that something is being typed."""
        event.stop()
        if event.input.id in self._widgets:
            self.post_message(self.Edited(self, event.input.id))

    def on_text_field_left_out(self, message: TextField.LeftOut) -> None:
        """Tell that something was not taken."""
        message.stop()
        field = message.field
        self.post_message(self.LeftOut(self, field.id or "", self._told(field)))

    def forget_left_out(self, id: str) -> str:
        """Why something was not taken in a field since its text changed; empty from then on."""
        field = self._widgets[id]
        if not isinstance(field, TextField) or not field.left_out:
            return ""
        told = self._told(field)
        field.left_out = ""
        return told

    def _told(self, field: TextField) -> str:
        return f"{self._fields[field.id or ''].label}{field.left_out}"

    # Layout and drawing

    def compose(self) -> ComposeResult:
        """Make a widget for each field that can be typed in."""
        for id, field in self._fields.items():
            if field.ground is Ground.SHOWN:
                continue
            if field.table is not None:
                widget: TextField | CodeField = CodeField(
                    field.table, id=id, width=field.width, empty=field.empty
                )
            else:
                widget = TextField(
                    id=id,
                    width=field.width,
                    limit=field.limit,
                    opens_list=field.opens_list,
                )
            self._widgets[id] = widget
            # Mounting will look at the styles; until then nobody needs them.
            self._dress(id, update=False)
            yield widget
        # Before the first layout the form spans the screen, so the first frame is right already.
        self._place(self.app.size.width)

    def on_resize(self, event: events.Resize) -> None:
        """Put the field widgets where their labels end."""
        self._place(event.size.width)

    def _place(self, width: int) -> None:
        for y, row in enumerate(self._rows):
            for column, field in enumerate(row):
                if field.id in self._widgets:
                    x = _column_x(column, width) + 3 + self._label_width(row, column, width) + 1
                    styles = self._widgets[field.id].styles
                    styles.offset = (x, y)
                    # In a small window a field does not cover the label beside it.
                    styles.width = max(1, min(field.width, _end(row, column, width) - x - 1))

    def _label_width(self, row: Sequence[Field], column: int, width: int) -> int:
        """Cells of a label, which leaves some for its field."""
        room = _end(row, column, width) - _column_x(column, width) - 3 - 1 - LEAST_FIELD - 1
        return max(1, min(self._label_widths[column], room))

    def _regions(self, id: str) -> list[Region]:
        for y, row in enumerate(self._rows):
            if any(field.id == id for field in row):
                return [Region(0, y, self.size.width, 1)]
        return []

    def render_line(self, y: int) -> Strip:
        """Draw pointer, marks, labels and the values that are merely shown."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        width, segments, x = self.size.width, list[Segment](), 0
        row = self._rows[y]
        for column, field in enumerate(row):
            x = self._draw(segments, x, row, column, field)
        segments.append(Segment(" " * max(0, width - x), self.rich_style))
        return Strip(segments).crop(0, width)

    def _draw(
        self, segments: list[Segment], x: int, row: Sequence[Field], column: int, field: Field
    ) -> int:
        """Append one field's segments, beginning at cell `x`; return where they end."""
        plain, width = self.rich_style, self.size.width

        def put(text: str, style: Style) -> None:
            nonlocal x
            segments.append(Segment(text, style))
            x += cell_len(text)

        put(" " * (_column_x(column, width) - x), plain)
        pointed = self.is_mounted and self.current == field.id
        put(">" if pointed else " ", plain)
        put(self.ground(field.id).mark, plain)
        put(" ", plain)
        put(fit(field.label, self._label_width(row, column, width)), plain)
        put(" ", plain)
        if field.ground is Ground.SHOWN:
            room = _end(row, column, width) - x - 1
            cells = min(field.width, room) if field.width else room
            put(fit(self.value(field.id), cells), look(self, "shown"))
        return x


def _column_x(column: int, width: int) -> int:
    return 0 if column == 0 else int(width * SECOND_COLUMN)


def _end(row: Sequence[Field], column: int, width: int) -> int:
    """Where the room of a field ends."""
    return _column_x(column + 1, width) if column + 1 < len(row) else width
