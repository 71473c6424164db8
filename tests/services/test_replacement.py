"""换卡: every operator grant of a card goes over to another, all at once or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from eport_tui.domain.grants import EnterpriseGrant, GrantKey
from eport_tui.domain.holders import Enterprise, Role
from eport_tui.domain.operations import Kind, Operation, State, replay
from eport_tui.errors import EportError, InvalidInput, NotFound, NotPermitted
from eport_tui.services import enterprise_grants, operator_grants, replacement
from eport_tui.services.guard import NOT_LEGAL_PERSON
from eport_tui.services.replacement import NEW_FIELD, OLD_FIELD, ListChanged
from eport_tui.store import enterprises, ledger
from eport_tui.store.database import Store
from tests.rows import insert_grant, insert_operator_grant
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TODAY,
    TRADER,
    StandIn,
    grant,
    hand_on,
    rows,
    session,
    tables_of,
)

NEW_CARD = "8900000000073"


def cards(store: Store, grant: EnterpriseGrant) -> list[str]:
    """The cards under a grant."""
    agent = session(Enterprise(grant.key.agent, "", ""))
    return [each.card_number for each in rows(operator_grants.granted(store, agent, grant.id))]


def change_card(store: Store, old: str = CARD, new: str = NEW_CARD, by: StandIn | None = None):
    """Look at what would move, agree, and do it."""
    by = by or session(BROKER)
    confirmed = replacement.preview(store, by, old, new)
    replacement.replace(store, by, confirmed, reason="卡片损坏", today=TODAY)
    return confirmed


def operations(store: Store) -> list[Operation]:
    return [Operation.read(entry.payload) for entry in ledger.entries(store)]


def replay_all(store: Store) -> None:
    state = State()
    for number, operation in enumerate(operations(store), 1):
        replay(state, number, operation)


def test_every_grant_of_the_card_goes_over_as_one_operation(store: Store) -> None:
    over = grant(store, TRADER, today=TODAY - timedelta(9), valid_until=TODAY - timedelta(1))
    hand_on(store, over, CARD, today=TODAY - timedelta(9))
    running = grant(store)
    hand_on(store, running, CARD, OTHER_CARD)
    to_all = grant(store, subsystem="B1")
    hand_on(store, to_all)
    confirmed = change_card(store)
    assert [(each.grant, each.principal) for each in confirmed.moving] == [
        (running, MANUFACTURER),
        (over, TRADER),
    ]
    assert cards(store, running) == [OTHER_CARD, NEW_CARD]
    assert cards(store, over) == [NEW_CARD]
    assert cards(store, to_all) == [""]
    last = operations(store)[-1]
    assert (last.kind, last.reason, len(last.changes)) == (Kind.REPLACE_CARD, "卡片损坏", 4)
    granted_on = store.rows(
        "SELECT granted_on FROM operator_grant WHERE card_number = ?", (NEW_CARD,)
    )
    assert granted_on == [(TODAY.isoformat(),)] * 2
    replay_all(store)


def test_only_what_this_agent_handed_on_moves(store: Store) -> None:
    ours, theirs = grant(store), grant(store, agent=OTHER_BROKER)
    hand_on(store, ours, CARD)
    hand_on(store, theirs, CARD)
    change_card(store)
    assert (cards(store, ours), cards(store, theirs)) == ([NEW_CARD], [CARD])


def test_where_the_new_card_has_one_already_the_old_one_only_goes(store: Store) -> None:
    both, one = grant(store), grant(store, subsystem="B1")
    _, kept = hand_on(store, both, CARD, NEW_CARD)
    hand_on(store, one, CARD)
    confirmed = change_card(store)
    assert [each.new_card_has_it for each in confirmed.moving] == [True, False]
    assert (cards(store, both), cards(store, one)) == ([NEW_CARD], [NEW_CARD])
    (stands,) = rows(operator_grants.granted(store, session(BROKER), both.id))
    assert stands == kept
    replay_all(store)


@pytest.mark.parametrize(
    ("old", "new", "field", "told"),
    [
        ("", NEW_CARD, OLD_FIELD, "请输入原IC卡号"),
        ("890000000005", NEW_CARD, OLD_FIELD, "原IC卡号应为13位，现为12位"),
        (CARD, "", NEW_FIELD, "请输入新IC卡号"),
        (CARD, "89000000000-3", NEW_FIELD, "新IC卡号只能由数字和大写字母组成"),
        (CARD, CARD, NEW_FIELD, "新IC卡号与原IC卡号相同"),
        (CARD, "8900000000002", NEW_FIELD, "法人卡不是操作员卡"),
        (CARD, "8900000000099", NEW_FIELD, "法人卡不是操作员卡"),
    ],
)
def test_numbers_that_cannot_be_are_told_at_their_field(
    store: Store, old: str, new: str, field: str, told: str
) -> None:
    hand_on(store, grant(store), CARD)
    with store.transaction():
        store.rows(
            "INSERT INTO legal_person_card VALUES (?, ?)", ("8900000000099", BROKER.customs_code)
        )
    with pytest.raises(InvalidInput, match=told) as error:
        replacement.preview(store, session(BROKER), old, new)
    assert error.value.field == field


def test_a_card_without_grants_has_nothing_to_move(store: Store) -> None:
    hand_on(store, grant(store))
    with pytest.raises(NotFound, match="不需要换卡") as error:
        replacement.preview(store, session(BROKER), CARD, NEW_CARD)
    assert error.value.field == OLD_FIELD
    assert "授予全部操作员的权限不分卡" in str(error.value)


@pytest.mark.parametrize("who", [BROKER, MANUFACTURER])
def test_an_operator_s_card_is_refused(store: Store, who: Enterprise) -> None:
    hand_on(store, grant(store), CARD)
    confirmed = replacement.preview(store, session(BROKER), CARD, NEW_CARD)
    before = tables_of(store)
    with pytest.raises(NotPermitted, match=NOT_LEGAL_PERSON):
        replacement.preview(store, session(who, Role.OPERATOR), CARD, NEW_CARD)
    with pytest.raises(NotPermitted, match=NOT_LEGAL_PERSON):
        replacement.replace(store, session(who, Role.OPERATOR), confirmed, today=TODAY)
    assert tables_of(store) == before


@pytest.mark.parametrize("who", [MANUFACTURER, OTHER_BROKER])
def test_the_principal_and_other_agents_move_nothing(store: Store, who: Enterprise) -> None:
    hand_on(store, grant(store), CARD)
    confirmed = replacement.preview(store, session(BROKER), CARD, NEW_CARD)
    before = tables_of(store)
    with pytest.raises(NotFound):
        replacement.replace(store, session(who), confirmed, today=TODAY)
    assert tables_of(store) == before


def test_what_has_changed_since_the_preview_is_told_and_nothing_moves(store: Store) -> None:
    first, second = grant(store), grant(store, subsystem="B1")
    hand_on(store, first, CARD)
    confirmed = replacement.preview(store, session(BROKER), CARD, NEW_CARD)
    hand_on(store, second, CARD)
    with pytest.raises(ListChanged, match="原为 1 条，现为 2 条"):
        replacement.replace(store, session(BROKER), confirmed, today=TODAY)
    assert (cards(store, first), cards(store, second)) == ([CARD], [CARD])


def test_of_two_colleagues_at_once_one_moves_and_the_other_is_told(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    other = session(BROKER, number="8900000000404")

    class Slow(StandIn):
        """Whose colleague is done between the card's signature and the database."""

        def sign(self, data: bytes) -> bytes:
            if cards(store, standing) == [CARD]:
                change_card(store, by=other, new="8900000000084")
            return super().sign(data)

    slow = Slow(session(BROKER).holder)
    confirmed = replacement.preview(store, slow, CARD, NEW_CARD)
    with pytest.raises(NotFound, match="不需要换卡"):
        replacement.replace(store, slow, confirmed, today=TODAY)
    assert cards(store, standing) == ["8900000000084"]
    assert [each.kind for each in operations(store)].count(Kind.REPLACE_CARD) == 1
    replay_all(store)


@pytest.mark.parametrize("step", ["_change_rows", "_change_versions"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_an_end_in_the_middle_leaves_everything_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str, before: bool
) -> None:
    for subsystem in ("95", "B1"):
        hand_on(store, grant(store, subsystem=subsystem), CARD)
    held = tables_of(store)
    real = getattr(ledger, step)

    def broken(*args: object) -> None:
        if not before:
            real(*args)
        raise EportError("断电")

    monkeypatch.setattr(ledger, step, broken)
    with pytest.raises(EportError, match="断电"):
        change_card(store)
    assert tables_of(store) == held
    monkeypatch.undo()
    change_card(store)
    assert replacement.preview(store, session(BROKER), NEW_CARD, CARD).moving


def test_an_end_between_the_rows_leaves_none_of_them_moved(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = [grant(store, subsystem=subsystem) for subsystem in ("95", "B1")]
    for each in standing:
        hand_on(store, each, CARD)
    write_many = type(store).write_many

    def until_the_new_rows(self: Store, sql: str, *args: object) -> int:
        if "INSERT INTO operator_grant\n" in sql:
            raise EportError("断电")
        return write_many(self, sql, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(store), "write_many", until_the_new_rows)
    with pytest.raises(EportError, match="断电"):
        change_card(store)
    assert [cards(store, each) for each in standing] == [[CARD], [CARD]]


def test_under_a_grant_that_its_principal_never_signed_nothing_moves(store: Store) -> None:
    signed = grant(store)
    hand_on(store, signed, CARD)
    with store.transaction():
        enterprises.put_all(store, [TRADER])
        key = GrantKey(TRADER.customs_code, BROKER.customs_code, "95", "X1")
        number = insert_grant(store, key, TODAY, TODAY + timedelta(9))
        insert_operator_grant(store, number, CARD, TODAY)
    with pytest.raises(NotPermitted, match="没有授权企业的签名") as error:
        change_card(store)
    assert "3205460003 苏州丙贸易[bold]有限公司" in str(error.value)
    assert cards(store, signed) == [CARD]


def test_a_grant_that_goes_meanwhile_is_told(store: Store) -> None:
    first, second = grant(store), grant(store, subsystem="B1")
    for each in (first, second):
        hand_on(store, each, CARD)
    by = session(BROKER)
    confirmed = replacement.preview(store, by, CARD, NEW_CARD)
    enterprise_grants.delete(
        store, session(MANUFACTURER), first.id, revision=1, operator_grants=1, today=TODAY
    )
    with pytest.raises(ListChanged, match="原为 2 条，现为 1 条"):
        replacement.replace(store, by, confirmed, today=TODAY)
    assert cards(store, second) == [CARD]
