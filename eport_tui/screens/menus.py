"""The main menu (主选单) and the menu of the delegated-authorization subsystem."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from eport_tui.actions import IN_MENUS, bindings
from eport_tui.errors import NotFound
from eport_tui.screens.base import EportScreen, flow
from eport_tui.widgets.dialogs import Choice, Question
from eport_tui.widgets.menus import Item, Menu


class MenuScreen(EportScreen):
    """A screen with one menu."""

    ITEMS: tuple[Item, ...] = ()
    MOVING = IN_MENUS
    BINDINGS = [*bindings("choose")]

    def body(self) -> Iterable[Widget]:
        """The menu."""
        yield Menu(self.ITEMS)

    def action_choose(self) -> None:
        """Choose the entry under the cursor."""
        self.query_one(Menu).choose()

    @flow
    async def on_menu_chosen(self, message: Menu.Chosen) -> None:
        """Do what was chosen."""
        await self.chosen(message.item.id)

    async def chosen(self, id: str) -> None:
        """Do what the entry says."""
        raise NotImplementedError


class MainMenuScreen(MenuScreen):
    """主选单: the way into the subsystems, and out of the program."""

    PLACE = "主选单"
    LEGEND = ("choose", "change_pin", "leave", "help")
    IDLE = ("main_menu",)
    ABOUT = "选择要进入的子系统。退出登录后可换卡；退出程序请选「退出」或按Ctrl+Q。"
    BINDINGS = [*bindings("change_pin")]
    ITEMS = (
        Item("authorization", "委托授权系统", "企业间授权、企业内授权、查看操作员权限"),
        Item("log_out", "换卡登录", "退出当前的卡，返回登录画面"),
        Item("change_pin", "修改密码", "修改当前卡的密码"),
        Item("quit", "退出", "退出程序"),
    )

    def __init__(self) -> None:
        super().__init__(name="main_menu")

    def on_mount(self) -> None:
        """Offer what was left unsaved the last time."""
        super().on_mount()
        self._offer_drafts()

    @flow
    async def _offer_drafts(self) -> None:
        from eport_tui.services import drafts

        desk = self.desk
        for kept in await desk.call(drafts.offered, desk.store, desk.active_session):
            screen = screen_named(kept.screen)
            if screen is None:
                continue
            answer = await self.choose(
                Question(
                    "上次未保存的录入",
                    f"{kept.saved_at:%Y-%m-%d %H:%M} 在「{screen.PLACE}」中有未保存的录入。",
                    [
                        Choice("restore", "恢复", "y"),
                        Choice("forget", "放弃", "n"),
                        # The same as Esc, so that one need not guess what that means here.
                        Choice("later", "以后", "l"),
                    ],
                )
            )
            if answer == "restore":
                try:
                    await desk.call(drafts.take_over, desk.store, desk.active_session, kept)
                except NotFound as error:
                    # What else there is can still be had.
                    self.say_error(error)
                    continue
                screen.restore(kept.content)
                await desk.open_screen(AuthorizationMenuScreen())
                await desk.open_screen(screen)
                return
            if answer == "forget":
                await desk.call(drafts.give_up, desk.store, desk.active_session, kept)

    @flow
    async def on_screen_resume(self) -> None:
        """Say how many grants run out soon, after the login and whenever one comes back."""
        # Logging out passes by here.
        if self.desk.session is not None:
            await self.read(self._tell_due)

    async def day_began(self) -> None:
        """Other grants run out soon."""
        await self.read(self._tell_due)

    async def _tell_due(self) -> None:
        from eport_tui.services import expiry

        desk = self.desk
        due = await desk.call(expiry.due_soon, desk.store, desk.active_session)
        counts = (("授出", due.made), ("受托", due.received))
        told = "，".join(f"{label}{count}条" for label, count in counts if count)
        # Only who has granted something can renew it.
        here = "办理" if due.made and desk.active_session.holder.is_legal_person else "查看"
        self.remark(f"30天内到期的授权：{told}。可在到期提醒中{here}" if told else "")

    async def chosen(self, id: str) -> None:
        """Enter the subsystem, or leave."""
        if id == "authorization":
            await self.desk.open_screen(AuthorizationMenuScreen())
        elif id == "log_out":
            await self.desk.log_out()
        elif id == "change_pin":
            await self._change_pin()
        else:
            await self._leave()

    async def _leave(self) -> None:
        if await self.confirm("退出", "确定退出程序吗？", yes="退出", dangerous=False):
            await self.desk.leave()

    @flow
    async def action_back(self) -> None:
        """The exit of the main menu ends the program."""
        await self._leave()

    def action_main_menu(self) -> None:
        """This is the main menu."""

    @flow
    async def action_change_pin(self) -> None:
        """Change the PIN of the card that is logged in."""
        await self._change_pin()

    async def _change_pin(self) -> None:
        from eport_tui.screens.change_pin import ChangePinScreen

        await self.desk.open_screen(ChangePinScreen())


class AuthorizationMenuScreen(MenuScreen):
    """委托授权系统: its screens."""

    PLACE = "委托授权系统"
    LEGEND = ("choose", "back", "main_menu", "help", "quit")
    ABOUT = (
        "企业间授权录入：授权企业的法人卡把账册等子系统的操作权或报关权授予代理企业。"
        "企业内授权录入：代理企业的法人卡把得到的权限授予本企业的操作员。"
        "查看操作员权限、授权核查、到期提醒：任何卡都可以使用。"
        "换卡：操作员换了新卡时，代理企业的法人卡把原卡的权限转到新卡。"
        "操作历史：任何卡都可以查看与本企业有关的操作。"
    )
    ITEMS = (
        Item("enterprise_grants", "企业间授权录入", "本企业授权给代理企业（法人卡）"),
        Item("operator_grants", "企业内授权录入", "把得到的授权交给操作员（法人卡）"),
        Item("permissions", "查看操作员权限", "谁可以办理哪些企业的业务"),
        Item("check", "授权核查", "一张卡能否办理一项业务，不能时怎么办"),
        Item("expiry", "到期提醒", "已到期和将到期的授权，可一起续期"),
        Item("replacement", "换卡", "把操作员原卡的权限转到新卡（法人卡）"),
        Item("history", "操作历史", "谁在何时做了什么，可恢复所删除的授权"),
    )

    def __init__(self) -> None:
        super().__init__(name="authorization_menu")

    async def chosen(self, id: str) -> None:
        """Open the screen; the granting ones only for a legal-person card."""
        from eport_tui.services import guard

        screen = screen_named(id)
        assert screen is not None
        granting = id in ("enterprise_grants", "operator_grants", "replacement")
        if granting and not self.desk.active_session.holder.is_legal_person:
            await self.tell(guard.NOT_LEGAL_PERSON, kind="warning")
            return
        await self.desk.open_screen(screen)


def screen_named(name: str) -> EportScreen | None:
    """A new screen of the subsystem by its name, as drafts keep it."""
    match name:
        case "enterprise_grants":
            from eport_tui.screens.enterprise_grants import EnterpriseGrantsScreen

            return EnterpriseGrantsScreen()
        case "operator_grants":
            from eport_tui.screens.operator_grants import OperatorGrantsScreen

            return OperatorGrantsScreen()
        case "permissions":
            from eport_tui.screens.permissions import PermissionsScreen

            return PermissionsScreen()
        case "check":
            from eport_tui.screens.check import CheckScreen

            return CheckScreen()
        case "expiry":
            from eport_tui.screens.expiry import ExpiryScreen

            return ExpiryScreen()
        case "replacement":
            from eport_tui.screens.replacement import ReplacementScreen

            return ReplacementScreen()
        case "history":
            from eport_tui.screens.history import HistoryScreen

            return HistoryScreen()
        case _:
            return None
