"""`eport-tui check`: may this card do this? One question, or a stream of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from eport_tui.commands.ending import exit_code_for, flush_output, of_defect
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, InvalidInput, unreadable
from eport_tui.settings import Settings

if TYPE_CHECKING:
    from eport_tui.domain.codes import CodeTables
    from eport_tui.domain.explanation import Link, Words
    from eport_tui.services.proof import Proof
    from eport_tui.store.database import Store

ALLOWED, DENIED, ERROR = 0, 1, 2

FIELDS = {
    "card": "IC卡号",
    "card_enterprise": "卡所属企业编号，即海关10位编码",
    "enterprise": "授权企业编号，即要办理其业务的企业",
    "subsystem": "授权子系统，代码或名称",
    "action": "操作，代码或名称",
    "on": "日期，不写为今天",
}
REQUIRED = tuple(FIELDS)[:-1]


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `check`."""
    parser = subparsers.add_parser(
        "check",
        help="核查一张卡能否办理某项业务",
        description="一次核查一项时，退出码 0 为允许，1 为不允许，2 为出错。"
        "用 --batch 时每行一个JSON对象，逐行按顺序回答；每行都有答案为 0，有出错的行为 2。",
    )
    for name, text in FIELDS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="值", help=text)
    parser.add_argument(
        "--legal-person", action="store_true", help="该卡是法人卡（企业库列出的法人卡不必写）"
    )
    parser.add_argument("--json", action="store_true", help="以JSON输出")
    parser.add_argument("--batch", metavar="文件", help="从文件逐行读取，- 为标准输入")


def run(args: argparse.Namespace, load_settings: Callable[[], Settings]) -> int:
    """Answer; whatever goes wrong on the way is an error and never a yes.

    Returns:
        The exit code.  One question: 0 allowed, 1 denied, 2 error.  A batch: 0 when every
        line was answered, 2 when a line, or anything else, was an error.
    """
    if sys.stdout is None:
        return ERROR  # closed by whoever started the program
    try:
        settings = load_settings()
        code = _batch(args, settings) if args.batch is not None else _one(args, settings)
        flush_output()
        return code
    except Exception as error:
        exit_code_for(error)
        return ERROR


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Store, CodeTables, Proof | None]]:
    from eport_tui.reference import load_tables
    from eport_tui.services.code_tables import require_codes_in_use
    from eport_tui.store.database import Store

    tables = load_tables(settings.config_dir)
    with Store.open(settings.database, read_only=True) as store:
        require_codes_in_use(store, tables)
        yield store, tables, _proof(store, settings)


def _proof(store: Store, settings: Settings) -> Proof | None:
    """What a strict decision is held against."""
    if not settings.strict:
        return None
    from functools import partial

    from eport_tui.card.trust import TrustStore
    from eport_tui.services import registry
    from eport_tui.services.proof import Proof

    look_up = partial(registry.look_up_card, store)
    trust = TrustStore.of(
        settings.trust_dir, require_hardware=settings.require_hardware, look_up=look_up
    )
    return Proof(store, trust)


# -- one question ----------------------------------------------------------------------


def _one(args: argparse.Namespace, settings: Settings) -> int:
    from eport_tui.services import decisions

    missing = [name for name in REQUIRED if not getattr(args, name)]
    if missing:
        options = "、".join(f"--{name.replace('_', '-')}" for name in missing)
        raise InvalidInput(f"缺少参数 {options}", hint="用 eport-tui check --help 查看用法")
    asked = decisions.Asked(**{name: getattr(args, name) or "" for name in FIELDS})
    with _opened(settings) as (store, tables, proof):
        request = decisions.read_request(store, tables, asked, legal_person=args.legal_person)
        words = decisions.explanation(store, tables, request, proof=proof)
    if args.json:
        print(json.dumps(as_json(words), ensure_ascii=False, indent=2))
    else:
        print("\n".join(as_text(words)))
    return ALLOWED if words.explanation.decision.allowed else DENIED


def as_text(words: Words) -> list[str]:
    """The answer as lines: the verdict, the chain, and what would change a no."""
    lines = [f"{words.verdict}：{words.asked}", f"原因：{words.reason}", ""]
    for link in words.explanation.links:
        lines.append(f"  {link.kind.label}  {words.link(link)}  [{link.label}]")
    if ways := words.ways:
        lines += ["", "办法："]
        lines += [f"  {at}. {way}" for at, way in enumerate(ways, 1)]
    return lines


def as_json(words: Words) -> dict[str, Any]:
    """The answer as one object; dates are ISO, codes are those of the tables."""
    explanation = words.explanation
    request = explanation.request
    return {
        "allowed": explanation.decision.allowed,
        "reason": explanation.decision.reason.value,
        "text": words.reason,
        "request": {
            "card": request.card_number,
            "role": request.role.value,
            "card_enterprise": request.card_enterprise,
            "enterprise": request.enterprise,
            "subsystem": request.subsystem,
            "action": request.action,
            "on": request.on.isoformat(),
        },
        "card_verified": all(link.verified for link in explanation.links),
        "grant_type": explanation.grant_type,
        "links": [
            {
                "link": link.kind.value,
                "state": link.state.value,
                "from": _first_day(link),
                "until": link.enterprise_grant and link.enterprise_grant.valid_until.isoformat(),
                "text": words.link(link),
            }
            for link in explanation.links
        ],
        "changes": [
            {
                "change": change.kind.value,
                "by": change.by or None,
                "screen": change.kind.screen or None,
                "day": change.day and change.day.isoformat(),
                "text": words.change(change),
            }
            for change in explanation.changes
        ],
    }


def _first_day(link: Link) -> str | None:
    grant = link.operator_grant or link.enterprise_grant
    return grant and grant.granted_on.isoformat()


# -- a stream of questions -------------------------------------------------------------


def _batch(args: argparse.Namespace, settings: Settings) -> int:
    given = [name for name in FIELDS if getattr(args, name)]
    if given or args.legal_person:
        raise InvalidInput("--batch 的每一行已写明要核查的内容，不能再用其他参数")
    with _opened(settings) as (store, tables, proof), _lines_of(args.batch) as lines:
        return answer_all(store, tables, lines, sys.stdout, proof=proof)


def _lines_of(name: str) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise unreadable("文件", Path(name), error) from error


def answer_all(
    store: Store,
    tables: CodeTables,
    lines: BinaryIO,
    out: TextIO,
    *,
    proof: Proof | None = None,
) -> int:
    """Answer line by line, each as soon as it is read; returns the exit code."""
    code = ALLOWED
    for line in lines:
        try:
            answer = _answer(store, tables, line, proof)
        except EportError as fault:
            answer, code = {"error": str(fault)}, ERROR
        except Exception as defect:
            # The other lines still get their answers; this one gets no yes.
            answer, code = {"error": str(of_defect(defect))}, ERROR
        out.write(json.dumps(answer, ensure_ascii=False) + "\n")
        # Whoever asks one line at a time waits for this one.
        out.flush()
    return code


def _answer(store: Store, tables: CodeTables, line: bytes, proof: Proof | None) -> dict[str, Any]:
    from eport_tui.services import decisions

    values, legal_person = _read_line(line)
    asked = decisions.Asked(**values)
    request = decisions.read_request(store, tables, asked, legal_person=legal_person)
    view = decisions.on_its_day(store, request)
    decision = decisions.check(view, tables, request, proof=proof)
    answer: dict[str, Any] = {"allowed": decision.allowed, "reason": decision.reason.value}
    if decision.allowed and decision.enterprise_grant is not None:
        answer["until"] = decision.enterprise_grant.valid_until.isoformat()
    return answer


def _read_line(line: bytes) -> tuple[dict[str, str], bool]:
    """What is asked, and whether the card is a legal person's."""
    try:
        # Some programs begin a file with a mark of its encoding.
        given = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InvalidInput("这一行不是JSON") from None
    if not isinstance(given, dict):
        raise InvalidInput("这一行不是JSON对象")
    values = cast(dict[str, Any], given)
    legal_person = values.pop("legal_person", False)
    if not isinstance(legal_person, bool):
        raise InvalidInput("legal_person 应为 true 或 false")
    for name, value in values.items():
        if name not in FIELDS:
            raise InvalidInput(
                f"不认识的项 {printable(name)}", hint=f"可用的是 {'、'.join(FIELDS)}、legal_person"
            )
        if not isinstance(value, str):
            raise InvalidInput(f"{name} 应为文本")
    for name in REQUIRED:
        if name not in values:
            raise InvalidInput(f"缺少 {name}")
    return values, legal_person
