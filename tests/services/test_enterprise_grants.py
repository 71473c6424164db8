"""企业间授权: what an operator of the principal's legal-person card meets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from eport_tui.domain.grants import GrantDraft, GrantKey, GrantState
from eport_tui.domain.holders import Enterprise, Holder
from eport_tui.domain.places import Place
from eport_tui.domain.text import printable
from eport_tui.errors import EportError, InvalidInput, NotFound, NotPermitted
from eport_tui.services import registry
from eport_tui.services.enterprise_grants import (
    Conflict,
    GrantStands,
    RenewalNeedsConfirmation,
    delete,
    deletion_preview,
    look_up_agent,
    made,
    save,
    shortening_preview,
)
from eport_tui.services.operator_grants import received
from eport_tui.store import operator_grants as operator_grant_rows
from eport_tui.store.database import Store
from eport_tui.store.faults import GivenUp
from tests.services.world import (
    BROKER,
    CARD,
    MANUFACTURER,
    OTHER_BROKER,
    OTHER_CARD,
    TABLES,
    TODAY,
    TRADER,
    StandIn,
    grant,
    hand_on,
    opened,
    position,
    register,
    rows,
    session,
    tables_of,
)

OURS = session(MANUFACTURER)
LATER = TODAY + timedelta(days=100)
AFTER = LATER + timedelta(days=1)


def form(**changes: str) -> GrantDraft:
    typed = {
        "agent": BROKER.customs_code,
        "subsystem": "95",
        "grant_type": "X1",
        "valid_until": "20261231",
    }
    return GrantDraft(**{**typed, **changes})


# -- a database that gives transactions up -----------------------------------------


def giving_up(monkeypatch: pytest.MonkeyPatch, store: Store, times: int) -> list[str]:
    """Let so many transactions be given up at their end, as in a deadlock of PostgreSQL."""
    begun: list[str] = []
    transaction = store.transaction

    @contextmanager
    def interrupted() -> Iterator[None]:
        with transaction():
            yield
            begun.append("transaction")
            if len(begun) <= times:
                raise GivenUp("占用，没有保存")

    monkeypatch.setattr(store, "transaction", interrupted)
    return begun


def test_a_save_that_the_database_gave_up_is_done_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = giving_up(monkeypatch, store, 2)
    signed: list[bytes] = []
    ours = session(MANUFACTURER)
    sign = ours.sign
    monkeypatch.setattr(ours, "sign", lambda data: signed.append(data) or sign(data))
    saved = save(store, TABLES, ours, form(), today=TODAY)
    assert saved.created
    assert (len(begun), len(signed)) == (3, 1)
    assert store.rows("SELECT count(*) FROM ledger_entry") == [(1,)]


def test_a_save_that_the_database_always_gives_up_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    giving_up(monkeypatch, store, 100)
    before = tables_of(store)
    with pytest.raises(EportError, match="没有保存"):
        save(store, TABLES, OURS, form(), today=TODAY)
    assert tables_of(store) == before


# -- saving a new grant ------------------------------------------------------------


def test_a_new_grant_begins_today_and_names_the_card_that_made_it(store: Store) -> None:
    saved = save(store, TABLES, OURS, form(valid_until="+1y"), today=TODAY)
    assert (saved.created, saved.renewed) == (True, False)
    assert saved.grant.key == GrantKey("3101940001", "3101980002", "95", "X1")
    assert (saved.grant.granted_on, saved.grant.valid_until) == (TODAY, date(2027, 3, 1))
    assert (saved.grant.revision, saved.grant.changed_by) == (1, OURS.holder.card_number)
    assert [row.grant for row in rows(made(store, OURS, today=TODAY))] == [saved.grant]


def test_full_width_digits_are_understood(store: Store) -> None:
    saved = save(
        store, TABLES, OURS, form(agent="３１０１９８０００２", valid_until="２０２６１２３１")
    )
    assert saved.grant.key.agent == BROKER.customs_code
    assert saved.grant.valid_until == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"agent": ""}, "agent", "请输入代理企业编号"),
        ({"agent": "310198000"}, "agent", "代理企业编号应为10位，现为9位"),
        ({"agent": MANUFACTURER.customs_code}, "agent", "代理企业不能是本企业"),
        ({"subsystem": ""}, "subsystem", "请选择授权子系统"),
        ({"grant_type": "X9"}, "grant_type", "授权类型代码 X9 不在代码表中"),
        ({"valid_until": ""}, "valid_until", "请输入权限有效期"),
        ({"valid_until": "20260228"}, "valid_until", "权限有效期 2026-02-28 已过"),
        ({"valid_until": "20260230"}, "valid_until", "权限有效期不存在：2026年2月没有30日"),
        ({"agent": "x", "valid_until": "x"}, "agent", "代理企业编号应为10位，现为1位"),
    ],
)
def test_a_field_at_fault_is_named_and_nothing_is_stored(
    store: Store, changes: dict[str, str], field: str, message: str
) -> None:
    before = tables_of(store)
    with pytest.raises(InvalidInput) as caught:
        save(store, TABLES, OURS, form(**changes), today=TODAY)
    assert (caught.value.field, caught.value.message) == (field, message)
    assert tables_of(store) == before


def test_a_grant_may_end_today(store: Store) -> None:
    saved = save(store, TABLES, OURS, form(valid_until=TODAY.isoformat()), today=TODAY)
    assert saved.grant.state(TODAY) is GrantState.EXPIRING


def test_an_agent_that_is_not_in_the_registry(store: Store) -> None:
    with pytest.raises(NotFound) as caught:
        save(store, TABLES, OURS, form(agent="3101980009"), today=TODAY)
    assert (caught.value.field, caught.value.message) == ("agent", "未查询到该企业")


def test_a_second_grant_type_is_a_second_grant(store: Store) -> None:
    grant(store)
    save(store, TABLES, OURS, form(grant_type="X2"), today=TODAY)
    assert made(store, OURS).count().number == 2


def test_the_same_key_while_it_is_in_force_is_refused_naming_the_grant(store: Store) -> None:
    standing = grant(store)
    before = tables_of(store)
    with pytest.raises(GrantStands) as caught:
        save(store, TABLES, OURS, form(), today=standing.valid_until)
    assert caught.value.message == (
        "已授权 3101980002 上海乙报关有限公司「加工贸易账册」「操作权」，有效期至 2026-06-09"
    )
    assert (caught.value.grant, caught.value.field) == (standing, "agent")
    assert tables_of(store) == before


def test_another_enterprise_may_grant_the_same_to_the_same_agent(store: Store) -> None:
    grant(store)
    assert save(store, TABLES, session(TRADER), form(), today=TODAY).created


# -- granting again ------------------------------------------------------------------


@pytest.mark.parametrize("way", ["entered anew", "opened"])
def test_an_expired_grant_is_granted_again_on_the_same_row(store: Store, way: str) -> None:
    expired = grant(store)
    draft = form() if way == "entered anew" else opened(expired, date(2026, 12, 31))
    saved = save(store, TABLES, OURS, draft, today=AFTER)
    assert (saved.created, saved.renewed) == (False, True)
    assert (saved.grant.id, saved.grant.revision) == (expired.id, 2)
    assert (saved.grant.granted_on, saved.grant.valid_until) == (AFTER, date(2026, 12, 31))
    assert made(store, OURS).count().number == 1


@pytest.mark.parametrize("way", ["entered anew", "opened"])
def test_reviving_operator_grants_needs_a_confirmation(store: Store, way: str) -> None:
    expired = grant(store)
    hand_on(store, expired, CARD, OTHER_CARD)
    draft = form() if way == "entered anew" else opened(expired, date(2026, 12, 31))
    before = tables_of(store)
    with pytest.raises(RenewalNeedsConfirmation) as caught:
        save(store, TABLES, OURS, draft, today=AFTER)
    assert caught.value.message == (
        "该授权已于 2026-06-09 到期，重新授权后，代理企业原有的 2 条企业内授权将一并恢复"
    )
    assert caught.value.operator_grants == 2
    assert tables_of(store) == before

    saved = save(store, TABLES, OURS, draft, confirm_renewal=True, today=AFTER)
    assert saved.renewed
    assert operator_grant_rows.count(store, expired.id) == 2


# -- changing ------------------------------------------------------------------------


def test_changing_an_opened_grant_changes_its_last_day_alone(store: Store) -> None:
    standing = grant(store)
    changed = save(store, TABLES, OURS, opened(standing, AFTER), today=TODAY + timedelta(days=5))
    assert (changed.created, changed.renewed) == (False, False)
    assert changed.grant.key == standing.key
    assert (changed.grant.granted_on, changed.grant.valid_until) == (TODAY, AFTER)
    assert changed.grant.revision == 2


def test_saving_an_opened_grant_unchanged_is_no_change(store: Store) -> None:
    standing = grant(store)
    saved = save(store, TABLES, OURS, opened(standing, standing.valid_until), today=TODAY)
    assert saved.grant == standing
    assert (saved.created, saved.renewed) == (False, False)


def test_a_grant_whose_code_was_retired_can_still_be_changed(store: Store) -> None:
    with store.transaction():
        store.rows(
            "INSERT INTO enterprise_grant VALUES (7, '3101940001', '3101980002', 'OLD', 'X1',"
            " '2026-01-01', '2026-12-31', 1, '2026-01-01T00:00:00+08:00', '8900000000011')"
        )
    draft = GrantDraft("3101980002", "OLD", "X1", "20270101", 7, 1)
    assert save(store, TABLES, OURS, draft, today=TODAY).grant.valid_until == date(2027, 1, 1)


def test_a_change_made_by_someone_else_is_told_with_both_versions(
    store: Store, place: Place
) -> None:
    standing = grant(store)
    with Store.open(place) as second:
        theirs = save(second, TABLES, OURS, opened(standing, AFTER), today=TODAY).grant
    mine = opened(standing, TODAY)
    with pytest.raises(Conflict, match="该授权已被他人修改，没有保存") as caught:
        save(store, TABLES, OURS, mine, today=TODAY)
    assert (caught.value.current, caught.value.yours) == (theirs, mine)
    assert [row.grant for row in rows(made(store, OURS))] == [theirs]


def test_a_grant_that_someone_else_has_deleted(store: Store, place: Place) -> None:
    standing = grant(store)
    with Store.open(place) as second:
        delete(second, OURS, standing.id, revision=1, operator_grants=0)
    with pytest.raises(NotFound, match="该授权已不存在"):
        save(store, TABLES, OURS, opened(standing, AFTER), today=TODAY)
    with pytest.raises(NotFound, match="该授权已不存在"):
        deletion_preview(store, TABLES, OURS, standing.id)
    with pytest.raises(NotFound, match="该授权已不存在"):
        delete(store, OURS, standing.id, revision=1, operator_grants=0)
    assert position(made(store, OURS), standing.id) is None


def test_the_grant_of_another_principal_can_be_neither_changed_nor_deleted(store: Store) -> None:
    theirs = grant(store, TRADER)
    before = tables_of(store)
    with pytest.raises(NotPermitted, match="不是本企业所授"):
        save(store, TABLES, OURS, opened(theirs, AFTER), today=TODAY)
    with pytest.raises(NotPermitted, match="不是本企业所授"):
        deletion_preview(store, TABLES, OURS, theirs.id)
    with pytest.raises(NotPermitted, match="不是本企业所授"):
        delete(store, OURS, theirs.id, revision=1, operator_grants=0)
    assert tables_of(store) == before


def test_a_number_is_not_taken_for_another_grant_than_was_shown(store: Store) -> None:
    # On a past day the grants of a list have the numbers of their versions.
    standing, other = grant(store, subsystem="B1"), grant(store)
    shown = other._replace(id=standing.id)
    before = tables_of(store)
    for attempt in (
        lambda: save(store, TABLES, OURS, opened(shown, AFTER), today=TODAY),
        lambda: shortening_preview(store, TABLES, OURS, shown.id, TODAY, key=shown.key),
        lambda: deletion_preview(store, TABLES, OURS, shown.id, key=shown.key),
        lambda: delete(store, OURS, shown.id, revision=1, operator_grants=0, key=shown.key),
    ):
        with pytest.raises(NotFound, match="不是同一条授权，没有改动"):
            attempt()
    assert tables_of(store) == before


def test_a_clock_that_was_set_back_cannot_end_a_grant_before_it_began(store: Store) -> None:
    standing = grant(store)
    yesterday = TODAY - timedelta(days=1)
    with pytest.raises(InvalidInput, match="早于授权日期") as caught:
        save(store, TABLES, OURS, opened(standing, yesterday), today=yesterday)
    assert caught.value.field == "valid_until"


def test_a_card_that_is_pulled_while_the_save_waits_its_turn_saves_nothing(store: Store) -> None:
    class Pulled(StandIn):
        def require_same(self, generation: int) -> Holder:
            raise NotPermitted("卡已拔出")

    before = tables_of(store)
    with pytest.raises(NotPermitted, match="卡已拔出"):
        save(store, TABLES, Pulled(OURS.holder), form(), today=TODAY)
    assert tables_of(store) == before


# -- deleting ------------------------------------------------------------------------


def test_a_deletion_says_what_goes_and_takes_it_in_one_step(store: Store) -> None:
    standing, other = grant(store), grant(store, subsystem="B1")
    hand_on(store, standing, CARD, OTHER_CARD)
    kept = hand_on(store, other)
    preview = deletion_preview(store, TABLES, OURS, standing.id, today=TODAY)
    assert (preview.row.grant, preview.row.agent) == (standing, BROKER)
    assert preview.operator_grants == 2
    assert delete(store, OURS, standing.id, revision=1, operator_grants=2) == 2
    assert [row.grant for row in rows(made(store, OURS))] == [other]
    assert store.rows("SELECT id FROM operator_grant") == [(kept[0].id,)]


def test_a_grant_that_changed_since_the_question_is_not_deleted(store: Store) -> None:
    standing = grant(store)
    current = save(store, TABLES, OURS, opened(standing, AFTER), today=TODAY).grant
    with pytest.raises(Conflict, match="该授权已被他人修改，没有删除") as caught:
        delete(store, OURS, standing.id, revision=1, operator_grants=0)
    assert caught.value.current == current
    assert made(store, OURS).count().number == 1


def test_nor_when_other_operator_grants_would_go_than_was_said(store: Store) -> None:
    standing = grant(store)
    hand_on(store, standing, CARD)
    with pytest.raises(Conflict, match="由 0 条变为 1 条，没有删除"):
        delete(store, OURS, standing.id, revision=1, operator_grants=0)
    assert made(store, OURS).count().number == 1


# -- a principal that nobody has imported ----------------------------------------------

NEWCOMER = Enterprise("3205940009", "91310000PDY0000521", "苏州庚电子有限公司")


def shown_name(store: Store) -> str:
    """The name of the principal of the last grant that the broker has received."""
    return received(store, session(BROKER), today=TODAY).before(None, 1)[0].principal.name


def test_it_is_shown_by_the_name_on_its_card_from_its_first_grant_on(store: Store) -> None:
    granted = grant(store, NEWCOMER)
    assert shown_name(store) == NEWCOMER.name
    assert registry.look_up(store, NEWCOMER.customs_code) == NEWCOMER
    # What its card says later is not better than what is there.
    renamed = session(NEWCOMER._replace(name="别的名称"))
    save(store, TABLES, renamed, opened(granted, LATER + timedelta(days=1)), today=TODAY)
    assert shown_name(store) == NEWCOMER.name


def test_a_grant_from_before_shows_the_name_once_it_is_changed(store: Store) -> None:
    granted = grant(store, NEWCOMER)
    with store.transaction():
        store.rows("DELETE FROM enterprise WHERE customs_code = ?", (NEWCOMER.customs_code,))
    assert shown_name(store) == ""
    save(store, TABLES, session(NEWCOMER), opened(granted, AFTER), today=TODAY)
    assert shown_name(store) == NEWCOMER.name


def test_what_the_registry_says_of_a_principal_stands_against_its_card(store: Store) -> None:
    before = store.rows("SELECT * FROM enterprise ORDER BY 1")
    grant(store, TRADER._replace(name="冒充的名称", uscc=NEWCOMER.uscc))
    assert store.rows("SELECT * FROM enterprise ORDER BY 1") == before


def test_a_refused_grant_puts_nobody_into_the_registry(store: Store) -> None:
    grant(store, NEWCOMER)
    with store.transaction():
        store.rows("DELETE FROM enterprise WHERE customs_code = ?", (NEWCOMER.customs_code,))
    before = tables_of(store)
    with pytest.raises(GrantStands):
        grant(store, NEWCOMER)
    assert tables_of(store) == before


def test_a_second_code_of_an_organization_is_left_to_the_import(store: Store) -> None:
    # With both in the registry a card that names the organization alone would be of neither.
    grant(store, NEWCOMER._replace(uscc=TRADER.uscc))
    assert shown_name(store) == ""
    found = registry.look_up_card(store, TRADER.uscc[8:17], "8900000000099")
    assert [enterprise for enterprise, _ in found] == [TRADER]


def test_a_name_that_no_import_would_take_is_made_harmless(store: Store) -> None:
    grant(store, NEWCOMER._replace(name="庚\x07公司"))
    assert shown_name(store) == printable("庚\x07公司")
    assert printable(shown_name(store)) == shown_name(store)


# -- the list ------------------------------------------------------------------------


def test_the_list_shows_own_grants_by_agent_with_names_and_states(store: Store) -> None:
    unlisted = Enterprise("3101980009", "91310000PDY0000521", "未登记")
    register(store, unlisted)
    grants = [
        grant(store, agent=OTHER_BROKER, valid_until=TODAY + timedelta(days=30)),
        grant(store, agent=unlisted),
        grant(store, subsystem="B1"),
        grant(store, subsystem="95", grant_type="X2", valid_until=TODAY),
        grant(store, subsystem="95"),
    ]
    grant(store, TRADER)
    with store.transaction():
        store.rows("DELETE FROM enterprise WHERE customs_code = '3101980009'")
    source = made(store, OURS, today=TODAY + timedelta(days=1))
    assert [(row.grant, row.agent.name, row.state) for row in rows(source)] == [
        (grants[4], BROKER.name, GrantState.ACTIVE),
        (grants[3], BROKER.name, GrantState.EXPIRED),
        (grants[2], BROKER.name, GrantState.ACTIVE),
        (grants[1], "", GrantState.ACTIVE),
        (grants[0], OTHER_BROKER.name, GrantState.EXPIRING),
    ]
    assert [position(source, each.id) for each in grants] == [4, 3, 2, 1, 0]
    assert source.before(None, 1)[0].grant == grants[0]
    assert source.after(source.before(None, 1)[0], 10) == []


def test_looking_up_an_agent(store: Store) -> None:
    assert look_up_agent(store, OURS, "３１０１９８０００２") == BROKER
    with pytest.raises(NotFound, match="未查询到该企业"):
        look_up_agent(store, OURS, "3101980009")
    with pytest.raises(InvalidInput, match="代理企业不能是本企业"):
        look_up_agent(store, OURS, MANUFACTURER.customs_code)
    with pytest.raises(InvalidInput, match="大写"):
        look_up_agent(store, OURS, "310198000a")
