"""`eport-tui card`: issue, list, show and revoke cards, change a PIN, keep the test authority."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eport_tui.card.errors import CertificateRefused, PinBlocked
from eport_tui.card.files import file_error
from eport_tui.card.protocol import Card, CardRef, check_pin
from eport_tui.card.software import (
    INITIAL_PIN,
    SUFFIX,
    SoftwareReader,
    refuse_existing,
)
from eport_tui.card.trust import TrustStore
from eport_tui.commands.asking import add_yes, agreed
from eport_tui.commands.card_access import (
    CardSettings,
    is_in_reader,
    management_key,
    new_pin,
    only_card,
    open_card,
    reader_card,
    typed_secret,
)
from eport_tui.commands.complaint import complain
from eport_tui.commands.parsing import whole_number
from eport_tui.commands.table import print_table
from eport_tui.domain.dates import SHANGHAI, now
from eport_tui.domain.holders import Enterprise, Holder, Role
from eport_tui.domain.identifiers import parse_card_number, uscc_check_digit_holds
from eport_tui.domain.places import Place
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, InvalidInput, NotFound, StoreError

if TYPE_CHECKING:
    from eport_tui.card.authority import Issued, TestAuthority
    from eport_tui.card.eport_profile import LookUp

DAYS = 730
"""Days that a card is valid when nothing else is said: two years, as the real ones."""

_ROLES = {"legal": Role.LEGAL_PERSON, "operator": Role.OPERATOR}

_SOFTWARE_PIN, _PIV_PIN = "8个字符", "6至8位数字"

_STATES = {
    "expired": "已过期",
    "not-yet-valid": "未生效",
    "revoked": "已吊销",
    "untrusted": "不可信",
    "no-authority": "不可信",
}

_UNUSABLE = "不可用"


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `card` and its own commands."""
    card = subparsers.add_parser("card", help="发卡、查看卡、修改密码、吊销卡")
    commands = card.add_subparsers(dest="card_command", metavar="命令", required=True)

    authority = argparse.ArgumentParser(add_help=False)
    authority.add_argument(
        "--authority", type=Path, metavar="文件夹", help="测试发证机构所在的文件夹"
    )

    holder = argparse.ArgumentParser(add_help=False)
    holder.add_argument("--number", required=True, metavar="卡号", help="IC卡号，13位")
    holder.add_argument(
        "--role", required=True, metavar="角色", help="legal 为法人卡，operator 为操作员卡"
    )
    holder.add_argument("--person", required=True, metavar="姓名", help="持卡人姓名")
    holder.add_argument("--customs-code", required=True, metavar="编号", help="企业编号，10位")
    holder.add_argument("--uscc", required=True, metavar="代码", help="统一社会信用代码，18位")
    holder.add_argument("--enterprise", required=True, metavar="名称", help="企业名称")
    holder.add_argument(
        "--days", default=str(DAYS), metavar="天数", help=f"证书有效的天数，默认{DAYS}天"
    )
    add_yes(holder)

    reader = argparse.ArgumentParser(add_help=False)
    reader.add_argument(
        "--reader",
        nargs="?",
        const="",
        metavar="名称",
        help="读卡器中的卡；有多张卡时写出读卡器名称的一部分",
    )

    issue = commands.add_parser(
        "issue", parents=[authority, holder], help="用测试发证机构制作一张软件卡"
    )
    issue.add_argument("--cards", type=Path, metavar="文件夹", help="软件卡放入的文件夹")
    issue.add_argument(
        "--pin",
        default="initial",
        metavar="方式",
        help="initial 为初始密码88888888（默认），prompt 为当场输入",
    )

    commands.add_parser("list", help="列出软件卡")

    show = commands.add_parser("show", parents=[reader], help="查看一张卡，不需要密码")
    show.add_argument("card", nargs="?", metavar="卡号或文件", help="IC卡号，或卡文件的路径")

    change = commands.add_parser("change-pin", parents=[reader], help="修改卡的密码")
    change.add_argument("number", nargs="?", metavar="卡号", help="软件卡的IC卡号")

    commands.add_parser("unblock", parents=[reader], help="用解锁码为读卡器中的卡设置新密码")

    provision = commands.add_parser(
        "provision",
        parents=[authority, holder, reader],
        help="用测试发证机构把读卡器中的空白PIV卡制成卡",
    )
    provision.add_argument(
        "--algorithm", default="p256", metavar="算法", help="p256（默认）或 rsa2048"
    )
    provision.add_argument(
        "--management-key",
        default="factory",
        metavar="方式",
        help="factory 为出厂的管理密钥（默认），prompt 为当场输入",
    )

    revoke = commands.add_parser(
        "revoke",
        parents=[authority],
        help="吊销一张卡",
        description="先列出该卡号的证书，确认后吊销。吊销后不能恢复。",
    )
    revoke.add_argument("number", metavar="卡号", help="IC卡号")
    revoke.add_argument("--serial", metavar="序列号", help="只吊销其中一张证书")
    add_yes(revoke)

    keep = commands.add_parser("authority", help="管理测试发证机构")
    deeds = keep.add_subparsers(dest="authority_command", metavar="命令", required=True)
    init = deeds.add_parser("init", parents=[authority], help="建立测试发证机构，并信任它发的卡")
    init.add_argument("--name", metavar="名称", help="发证机构的名称")
    deeds.add_parser("renew", parents=[authority], help="重新签发吊销列表")


def run(args: argparse.Namespace, settings: CardSettings) -> int:
    """Run one of the commands.

    Returns:
        The exit code: 0, 1 when it failed or a question was answered with no, 2 when what
        was given cannot be right.
    """
    commands: dict[str, Callable[[argparse.Namespace, CardSettings], int | None]] = {
        "issue": _issue,
        "list": _list,
        "show": _show,
        "change-pin": _change_pin,
        "unblock": _unblock,
        "provision": _provision,
        "revoke": _revoke,
        "authority": _authority,
    }
    try:
        return commands[args.card_command](args, settings) or 0
    except EportError as fault:
        complain(fault)
        return 2 if isinstance(fault, InvalidInput) else 1


def _issue(args: argparse.Namespace, settings: CardSettings) -> int | None:
    holder = _holder(args)
    if args.pin not in ("initial", "prompt"):
        raise InvalidInput("--pin 应为 initial 或 prompt", field="pin")
    authority = _open_authority(args, settings)
    if args.cards is not None and not args.cards.absolute().parent.is_dir():
        raise NotFound(
            f"文件夹 {args.cards.absolute().parent} 不存在，没有发卡",
            hint="请检查 --cards 的路径，或先建立该文件夹",
        )
    cards = args.cards.absolute() if args.cards else settings.cards_dir
    refuse_existing(cards / f"{holder.card_number}{SUFFIX}")
    if not _is_beyond_doubt(args, settings, authority, holder):
        return 1
    if args.pin == "prompt":
        with new_pin(check_pin, _SOFTWARE_PIN) as pin:
            path = authority.issue(holder, cards, pin=pin)
    else:
        path = authority.issue(holder, cards)
    authority.renew_crl()
    authority.publish(settings.trust_dir)
    print(f"已发卡 {path.stem}：{path}")
    if args.pin == "initial":
        print(f"初始密码为 {INITIAL_PIN.decode()}，请用 eport-tui card change-pin 修改")
    _warn_of_uscc(holder)
    return None


def _is_beyond_doubt(
    args: argparse.Namespace, settings: CardSettings, authority: TestAuthority, holder: Holder
) -> bool:
    """Say what speaks against a new card, and ask whether it is to be made all the same.

    Raises:
        EportError: There is no terminal to ask at, nor a `--yes`.
    """
    number = holder.card_number
    valid = [each for each in _unrevoked(authority, number) if each.valid_until >= now()]
    if valid:
        _note(f"卡号 {number} 已有{len(valid)}张有效的证书，发新卡后仍可使用")
        _list_certificates(valid, sys.stderr)
        _note(f"不再使用的，请先吊销：eport-tui card revoke {number}")
    others = _differences(settings.database, holder.enterprise)
    for sentence in others:
        _note(f"与企业名录不符，{sentence}")
    if not (valid or others) or args.yes or agreed("仍要发卡吗？"):
        return True
    print("没有发卡")
    return False


def _differences(database: Place, enterprise: Enterprise) -> list[str]:
    """What the registry says otherwise of an enterprise, as far as there is one."""
    from eport_tui.services import registry
    from eport_tui.store.database import Store

    if isinstance(database, Path) and not database.exists():
        return []
    try:
        with Store.open(database, read_only=True) as store:
            return registry.differences(store, enterprise)
    except StoreError as fault:
        # A card can be made where the database is not at hand.
        _note(f"没有与企业名录核对：{printable(fault.message)}")
        return []


def _unrevoked(authority: TestAuthority, number: str) -> list[Issued]:
    return [each for each in authority.issued() if each.card_number == number and not each.revoked]


def _list_certificates(issued: list[Issued], file: TextIO) -> None:
    for each in issued:
        whose = "  ".join(printable(text) for text in (each.person, each.enterprise) if text)
        until = f"有效期至 {each.valid_until:%Y-%m-%d}"
        columns = (each.role.label, whose or "持卡人没有记录", until, f"序列号 {each.serial:X}")
        print("  " + "  ".join(columns), file=file)


def _note(sentence: str) -> None:
    print(f"注意：{sentence}", file=sys.stderr)


def _warn_of_uscc(holder: Holder) -> None:
    if not uscc_check_digit_holds(holder.enterprise.uscc):
        _note("社会信用代码的校验位不符，请核对")


def _holder(args: argparse.Namespace) -> Holder:
    from eport_tui.card.authority import canonical

    if args.role not in _ROLES:
        raise InvalidInput("角色应为 legal 或 operator", field="role")
    days = whole_number(args.days, 1, 3650)
    if days is None:
        raise InvalidInput("有效天数应为1至3650", field="days")
    start = now().replace(microsecond=0)
    last_day = start.date() + timedelta(days=days)
    return canonical(
        Holder(
            card_number=args.number,
            role=_ROLES[args.role],
            person=args.person,
            enterprise=Enterprise(args.customs_code, args.uscc, args.enterprise),
            valid_from=start,
            valid_until=datetime.combine(last_day, time(23, 59, 59), SHANGHAI),
        )
    )


def _list(args: argparse.Namespace, settings: CardSettings) -> None:
    reader = SoftwareReader(settings.cards_dir)
    refs = reader.cards()
    if not refs:
        why = ""
        try:
            os.listdir(settings.cards_dir)
        except FileNotFoundError:
            why = "（软件卡文件夹不存在）"
        except OSError as error:
            # That none can be seen does not mean that there is none.
            raise file_error("读取软件卡文件夹", settings.cards_dir, error) from error
        print(f"没有软件卡：{settings.cards_dir}{why}")
        return
    trust = _trust(settings)
    rows = [("卡号", "角色", "姓名", "企业", "有效期至", "剩余次数", "状态")]
    rows += [_row(reader, ref, trust) for ref in refs]
    print_table(rows, cut=[rows[0].index("企业")])


def _row(reader: SoftwareReader, ref: CardRef, trust: TrustStore) -> tuple[str, ...]:
    try:
        card = reader.open(ref)
        holder = trust.holder_of(card.certificate)
        state, why = _state(card, trust)
        return (
            holder.card_number,
            holder.role.label,
            printable(holder.person),
            printable(holder.enterprise.name),
            f"{holder.valid_until:%Y-%m-%d}",
            str(card.tries_left()),
            state if state != _UNUSABLE else f"{state}：{why}",
        )
    except EportError as fault:
        return (printable(ref.label), "", "", "", "", "", printable(fault.message))


def _state(card: Card, trust: TrustStore) -> tuple[str, str]:
    """What a card is good for in a word, and why it is good for no more."""
    try:
        verdict = trust.check_card(card, now())
    except CertificateRefused as fault:
        why = "" if fault.code == "revoked" else fault.message
        return _STATES.get(fault.code, _UNUSABLE), why
    if not card.tries_left():
        return "已锁定", ""
    return ("有效", "") if verdict.may_grant else ("只能查看", verdict.why_not)


def _show(args: argparse.Namespace, settings: CardSettings) -> None:
    if is_in_reader(args.reader, args.card):
        with reader_card(args.reader, settings) as card:
            print_table(
                [
                    *_description(card, settings),
                    ("签名证书", "有" if card.signature_certificate else "没有"),
                    ("卡的标识", card.guid.hex().upper()),
                    ("读卡器", printable(card.ref.reader)),
                ]
            )
        return
    software = open_card(args.card, settings)
    print_table([*_description(software, settings), ("卡文件", software.ref.key)])


def _description(card: Card, settings: CardSettings) -> list[tuple[str, ...]]:
    from eport_tui.card.profile import load_certificate

    certificate = load_certificate(card.certificate)
    trust = _trust(settings)
    holder = trust.holder_of(card.certificate)
    left = card.tries_left()
    digest = hashlib.sha256(card.certificate).hexdigest().upper()
    return [
        ("卡号", holder.card_number),
        ("角色", holder.role.label),
        ("姓名", printable(holder.person)),
        ("企业名称", printable(holder.enterprise.name)),
        ("社会信用代码", holder.enterprise.uscc),
        ("企业编号", holder.enterprise.customs_code),
        ("有效期", f"{holder.valid_from:%Y-%m-%d} 至 {holder.valid_until:%Y-%m-%d}"),
        ("状态", "：".join(filter(None, _state(card, trust)))),
        ("密码", f"还可试{left}次" if left else "已锁定"),
        ("证书序列号", f"{certificate.serial_number:X}"),
        ("证书指纹", f"SHA-256 {digest[:32]}"),
        ("", f"        {digest[32:]}"),
    ]


def _change_pin(args: argparse.Namespace, settings: CardSettings) -> None:
    if is_in_reader(args.reader, args.number):
        with reader_card(args.reader, settings) as card:
            _change_pin_of(card, _PIV_PIN)
    else:
        _change_pin_of(open_card(args.number, settings), _SOFTWARE_PIN)


def _change_pin_of(card: Card, form: str) -> None:
    left = card.tries_left()
    if not left:
        raise PinBlocked
    with typed_secret(f"原密码（还可试{left}次）：") as old:
        card.check_pin(old)
        with new_pin(card.check_pin, form) as new:
            card.change_pin(old, new)
    print("密码已修改")


def _unblock(args: argparse.Namespace, settings: CardSettings) -> None:
    from eport_tui.card.piv import check_puk

    with reader_card(args.reader or "", settings) as card, typed_secret("解锁码：") as puk:
        check_puk(puk)
        with new_pin(card.check_pin, _PIV_PIN) as new:
            card.unblock(puk, new)
    print("已设置新密码，该卡可以使用")


def _provision(args: argparse.Namespace, settings: CardSettings) -> int | None:
    from cryptography.hazmat.primitives.serialization import Encoding

    from eport_tui.card.piv import P_256, RSA_2048
    from eport_tui.card.piv_card import provision

    holder = _holder(args)
    algorithm = {"p256": P_256, "rsa2048": RSA_2048}.get(args.algorithm)
    if algorithm is None:
        raise InvalidInput("算法应为 p256 或 rsa2048", field="algorithm")
    authority = _open_authority(args, settings)
    if not _is_beyond_doubt(args, settings, authority, holder):
        return 1
    with (
        only_card(args.reader or "", settings) as (reader, ref),
        management_key(args.management_key) as key,
    ):
        connect, _ = reader.connector(ref)
        provision(
            connect,
            key,
            algorithm,
            lambda public: authority.enrol(holder, public).public_bytes(Encoding.DER),
        )
        made = reader.open(ref)
    authority.renew_crl()
    authority.publish(settings.trust_dir)
    print(f"已发卡 {holder.card_number}：{printable(made.ref.reader)}")
    print("密码和解锁码仍是卡原来的，请用 eport-tui card change-pin --reader 修改")
    _warn_of_uscc(holder)
    return None


def _revoke(args: argparse.Namespace, settings: CardSettings) -> int | None:
    authority = _open_authority(args, settings)
    number = parse_card_number(args.number)
    chosen = [each for each in authority.issued() if each.card_number == number]
    if not chosen:
        raise NotFound(f"没有签发过卡 {number}", hint="请核对卡号")
    if args.serial is not None:
        chosen = [each for each in chosen if f"{each.serial:X}" == args.serial.upper().lstrip("0")]
        if not chosen:
            raise NotFound(
                f"卡 {number} 没有序列号为 {args.serial} 的证书",
                hint="可用 eport-tui card show 查看序列号",
            )
    if valid := [each for each in chosen if not each.revoked]:
        print(f"卡 {number} 要吊销的{len(valid)}张证书：")
        _list_certificates(valid, sys.stdout)
        if not args.yes and not agreed("吊销后不能恢复。确定吊销吗？"):
            print("没有吊销")
            return 1
    for each in valid:
        authority.revoke(each.serial)
    if not valid:
        authority.write_crl()
    authority.publish(settings.trust_dir)
    if not valid:
        print(f"卡 {number} 早已吊销，已重新签发吊销列表")
    elif left := len(_unrevoked(authority, number)):
        print(f"已吊销卡 {number} 的{len(valid)}张证书，还有{left}张没有吊销")
    else:
        print(f"已吊销卡 {number}")
    return None


def _authority(args: argparse.Namespace, settings: CardSettings) -> None:
    from eport_tui.card.authority import DEFAULT_NAME, TestAuthority

    if args.authority_command == "renew":
        authority = _open_authority(args, settings)
        authority.write_crl()
        authority.publish(settings.trust_dir)
        print("已重新签发吊销列表")
        return
    folder = args.authority.absolute() if args.authority else settings.authority_dir
    authority = TestAuthority.create(folder, name=args.name or DEFAULT_NAME)
    authority.publish(settings.trust_dir)
    print(f"已建立测试发证机构：{folder}")
    print("它的密钥没有加密，只用于试用和培训")


def _open_authority(args: argparse.Namespace, settings: CardSettings) -> TestAuthority:
    """The authority, from which the trust folder will be told what it has done.

    Raises:
        NotFound: There is no such trust folder, so that it would go unnoticed.
        CardError: There is no authority.
    """
    from eport_tui.card.authority import TestAuthority

    folder = args.authority.absolute() if args.authority else settings.authority_dir
    authority = TestAuthority.open(folder)
    if not settings.trust_dir.is_dir():
        raise NotFound(
            f"信任的机构文件夹 {settings.trust_dir} 不存在，没有改动任何内容",
            hint="请检查设置项 trust 或环境变量 EPORT_TUI_TRUST；被移走的，请先建立该文件夹",
        )
    return authority


def _trust(settings: CardSettings) -> TrustStore:
    trust = TrustStore.of(
        settings.trust_dir,
        require_hardware=settings.require_hardware,
        look_up=_look_up(settings.database),
    )
    try:
        trust.require_authorities()
    except NotFound as fault:
        # All cards will look alike for it.
        _note(printable(str(fault)))
    return trust


def _look_up(database: Place) -> LookUp | None:
    """Asks the registry of the database about a card; none where there is no database yet.

    It is opened only for cards that need it, so that others are shown whatever it is like.
    """
    if isinstance(database, Path) and not database.exists():
        return None

    def look_up(organization: str, card_number: str) -> list[tuple[Enterprise, Role]]:
        from eport_tui.services import registry
        from eport_tui.store.database import Store

        with Store.open(database, read_only=True) as store:
            return registry.look_up_card(store, organization, card_number)

    return look_up
