"""The one registry of what keys do.

Every binding of the program, the key legend on the last line, the help screen
and `docs/keys.md` come from the entries below, so that a key can never do
something else than what is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.binding import Binding


class Action(NamedTuple):
    """One thing a key does.

    Attributes:
        id: Name of the action; the screen's method is `action_<id>`, and users
            may give it other keys under this id.
        keys: The keys, as Textual names them.
        caps: The keys as they are shown.
        label: Two to four characters for the legend.
        help: One sentence for the help screen.
    """

    id: str
    keys: tuple[str, ...]
    caps: str
    label: str
    help: str

    def binding(self) -> Binding:
        """The Textual binding; it has priority, so that keys of one burst reach it in order."""
        return Binding(
            ",".join(self.keys),
            self.id,
            self.label,
            key_display=self.caps,
            priority=True,
            id=self.id,
        )


SORTED_COLUMN = "排序的那一栏"
"""What the help calls the column a list is sorted by, where there are several."""

_ALL = (
    Action("help", ("f1",), "F1", "帮助", "显示当前画面的说明和按键"),
    Action("new", ("f2",), "F2", "新增", "清空录入项，录入一条新的授权"),
    Action("main_menu", ("f3",), "F3", "主选单", "返回主选单"),
    Action("open_list", ("f4",), "F4", "列表", "打开当前栏的代码列表或日历；也可按空格键"),
    Action("open_calendar", ("f4",), "F4", "日历", "打开当前栏的日历；也可按空格键"),
    Action("query", ("f5",), "F5", "查询", "按查询条件查询；快速查询时再按一次转到下一条"),
    Action("ask", ("f5",), "F5", "核查", "核查录入的卡在那一天能否办理该操作"),
    Action("reload", ("f5",), "F5", "刷新", "重新读取列表，显示他人刚保存的内容"),
    Action("add", ("f6",), "F6", "添加", "把录入的操作员加入列表，保存后才生效"),
    Action("card_slot", ("f7",), "F7", "拔插卡", "演示用：拔出当前的软件卡，再按一次插回"),
    Action("delete", ("f8",), "F8", "删除", "删除列表中选中的记录；在列表中也可按Delete键"),
    Action("menu", ("f9",), "F9", "菜单", "打开选中记录的快捷菜单，同鼠标右键"),
    Action("save", ("f10", "ctrl+s"), "F10", "保存", "保存录入的内容；也可按Ctrl+S"),
    Action("back", ("escape", "f12"), "Esc", "返回", "返回上一级或取消；也可按F12"),
    Action("leave", ("escape", "f12"), "Esc", "退出", "退出程序，先询问；也可按F12"),
    Action(
        "log_out",
        ("escape", "f12"),
        "Esc",
        "退出登录",
        "回到登录画面；未保存的录入在该卡下次登录时可以恢复；也可按F12",
    ),
    Action("quit", ("ctrl+q",), "^Q", "退出", "退出程序；有未保存的内容时先询问"),
    Action("repaint", ("ctrl+l",), "^L", "重画", "重新显示整个画面"),
    Action("open_row", ("enter",), "Enter", "打开", "打开列表中选中的记录；也可双击"),
    Action("next_field", ("enter",), "Enter", "下一项", "转到下一栏"),
    Action("focus_next", ("tab",), "Tab", "下一栏", "转到下一栏或列表"),
    Action("focus_previous", ("shift+tab",), "Shift+Tab", "上一栏", "转到上一栏或列表"),
    Action("confirm", ("enter",), "Enter", "确定", "确认"),
    Action("choose", ("enter",), "Enter", "选定", "选定光标所在的一项"),
    # Ctrl+T for terminals that keep F11 to themselves.
    Action(
        "check",
        ("f11", "ctrl+t"),
        "F11",
        "核查",
        "核查选中记录：能否办理，缺少什么；也可按Ctrl+T",
    ),
    Action(
        "mark", ("space",), "空格", "选择", "选择列表中的这一条，再按一次取消；可选多条一起办理"
    ),
    Action("mark_all", ("f6",), "F6", "全选", "选择列表中的全部记录，再按一次都取消"),
    Action("renew", ("f10", "ctrl+s"), "F10", "续期", "把所选的授权续期至录入的日期；也可按Ctrl+S"),
    Action("lapse", ("f8",), "F8", "不续", "所选的授权到期不续，不再提醒；再按一次恢复提醒"),
    Action("remind", ("f8",), "F8", "恢复", "所选的授权都是到期不续的，恢复提醒"),
    Action("show_lapsing", ("f2",), "F2", "含不续", "同时列出到期不续的授权，再按一次不列出"),
    Action("hide_lapsing", ("f2",), "F2", "不含", "不再列出到期不续的授权"),
    Action("replace", ("f10", "ctrl+s"), "F10", "换卡", "把列出的授权从原卡转到新卡；也可按Ctrl+S"),
    Action("history", ("ctrl+r",), "^R", "历史", "查看选中授权的操作历史"),
    Action("as_of", ("ctrl+y",), "^Y", "日期", "查看过去或将来某一天的授权，再按一次可返回今天"),
    Action("sort", ("ctrl+o",), "^O", "排序", "换一种排序，再按换下一种；选中的记录不变"),
    Action(
        "filter",
        ("ctrl+f", "slash"),
        "^F",
        "筛选",
        f"只列出{SORTED_COLUMN}以所录内容开头的记录；也可按 / 键。空着或按Esc恢复全部",
    ),
    Action("reinstate", ("f6",), "F6", "恢复", "恢复选中的那笔操作所删除的授权"),
    Action("change_pin", ("f11",), "F11", "改密码", "修改当前卡的密码"),
)

ACTIONS = {action.id: action for action in _ALL}

# Keys that widgets handle by themselves, listed for the help screen and docs/keys.md.
IN_MENUS = (("上 下 或数字", "选择菜单项"),)
IN_LISTS = (
    ("上 下 PgUp PgDn Home End", "在列表中移动"),
    ("字母 数字", f"跳到{SORTED_COLUMN}以此开头的记录，Backspace退一个字，Ctrl+U全部清空"),
)
IN_TEXTS = (("上 下 PgUp PgDn Home End", "翻看"),)
IN_FIELDS = (
    ("上 下", "转到上一栏、下一栏"),
    ("空格", "在代码栏和日期栏打开列表或日历"),
    ("左 右 Home End", "在录入栏中移动光标"),
    ("Ctrl+U", "清空光标左边的内容"),
)
MOVING = (*IN_MENUS, *IN_LISTS, *IN_TEXTS, *IN_FIELDS)


def bindings(*ids: str) -> list[Binding]:
    """The bindings of the named actions."""
    return [ACTIONS[id].binding() for id in ids]


_ON_THE_LINE = (
    *("F1", "Enter", "空格", "Tab", "F2", "F4", "F5", "F6", "F8", "F9", "F10", "F11", "^R", "^Y"),
    *("Esc", "F3", "^Q", "F7"),
)
"""The keys of the last line in the order in which every screen has them: help, what is done
here, and the ways out; that of the demo, which is no work, behind them."""


def legend(ids: Iterable[str]) -> list[tuple[str, str]]:
    """Key caps and labels of the named actions, in the one order of all screens."""
    shown = [(ACTIONS[id].caps, ACTIONS[id].label) for id in ids]
    return sorted(shown, key=lambda item: _ON_THE_LINE.index(item[0]))
