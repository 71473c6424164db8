"""Who may sign what: the rules of the replay, tried on operations that no service makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import apsw
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from eport_tui.domain.grants import ALL_OPERATORS
from eport_tui.domain.operations import (
    GENESIS,
    Change,
    EnterpriseGrantRow,
    Kind,
    LapseMark,
    NotEntitled,
    Operation,
    OperatorGrantRow,
    State,
    replay,
)
from eport_tui.store import ledger
from tests.ledger.making import GRANT, KEY, NOON, TO_CARD, UNTIL
from tests.services.world import OTHER_CARD, TODAY

PRINCIPAL, AGENT, STRANGER = KEY.principal, KEY.agent, "3205460003"
TO_OTHER = TO_CARD._replace(card_number=OTHER_CARD)
TO_ALL = TO_CARD._replace(card_number=ALL_OPERATORS)
CHANGED = GRANT._replace(valid_until=UNTIL + timedelta(days=1), revision=2)


class Story:
    """Operations one after the other."""

    def __init__(self) -> None:
        self.state = State()
        self.operations: dict[int, Operation] = {}

    def then(self, by: str, kind: Kind, *changes: Change, reinstates: int | None = None) -> Story:
        number = len(self.operations) + 1
        operation = Operation(
            kind, NOON, "8900000000011", by, changes, 0, GENESIS, "", "", reinstates
        )
        named = self.operations.get(reinstates or 0)
        self.operations[number] = operation
        replay(self.state, number, operation, named)
        return self


def granted() -> Story:
    return Story().then(PRINCIPAL, Kind.GRANT, Change(None, GRANT))


def handed_on(*rows: OperatorGrantRow) -> Story:
    return granted().then(AGENT, Kind.HAND_ON, *(Change(None, row) for row in rows or (TO_CARD,)))


def deleted() -> Story:
    """Entry 3 has taken the grant and its operator grant away."""
    return handed_on().then(PRINCIPAL, Kind.DELETE, Change(TO_CARD, None), Change(GRANT, None))


@pytest.mark.parametrize(
    "story",
    [
        lambda: granted().then(PRINCIPAL, Kind.CHANGE, Change(GRANT, CHANGED)),
        lambda: handed_on().then(AGENT, Kind.WITHDRAW, Change(TO_CARD, None)),
        lambda: handed_on(TO_CARD, TO_OTHER).then(
            AGENT, Kind.HAND_ON, Change(TO_CARD, None), Change(TO_OTHER, None), Change(None, TO_ALL)
        ),
        lambda: handed_on().then(
            AGENT, Kind.REPLACE_CARD, Change(TO_CARD, None), Change(None, TO_OTHER)
        ),
        deleted,
        lambda: deleted().then(
            PRINCIPAL, Kind.REINSTATE, Change(None, GRANT), Change(None, TO_CARD), reinstates=3
        ),
        lambda: granted().then(
            AGENT, Kind.LAPSE, Change(None, LapseMark(KEY, AGENT, GRANT.valid_until))
        ),
        # What another program has changed is taken over by who is entitled to it.
        lambda: granted().then(
            PRINCIPAL,
            Kind.CHANGE,
            Change(GRANT, GRANT._replace(revision=7), found=True),
            Change(GRANT._replace(revision=7), CHANGED._replace(revision=8)),
        ),
    ],
)
def test_what_may_be_done(story: Callable[[], Story]) -> None:
    story()


@pytest.mark.parametrize(
    ("story", "message"),
    [
        (lambda: granted().then(PRINCIPAL, Kind.CHANGE), "没有改变"),
        (lambda: Story().then(AGENT, Kind.GRANT, Change(None, GRANT)), "无权"),
        (lambda: Story().then(STRANGER, Kind.GRANT, Change(None, GRANT)), "无权"),
        (lambda: granted().then(AGENT, Kind.CHANGE, Change(GRANT, CHANGED)), "无权"),
        (lambda: granted().then(AGENT, Kind.DELETE, Change(GRANT, None)), "无权"),
        (lambda: granted().then(PRINCIPAL, Kind.HAND_ON, Change(None, TO_CARD)), "无权"),
        (lambda: handed_on().then(PRINCIPAL, Kind.WITHDRAW, Change(TO_CARD, None)), "无权"),
        (
            lambda: granted().then(
                AGENT, Kind.HAND_ON, Change(None, GRANT, found=True), Change(None, TO_CARD)
            ),
            "与台账不符",
        ),
        (
            lambda: Story().then(
                AGENT, Kind.HAND_ON, Change(None, GRANT, found=True), Change(None, TO_CARD)
            ),
            "无权",
        ),
        (lambda: granted().then(PRINCIPAL, Kind.GRANT, Change(None, GRANT)), "与台账不符"),
        (lambda: granted().then(PRINCIPAL, Kind.DELETE, Change(CHANGED, None)), "与台账不符"),
        (
            lambda: granted().then(
                PRINCIPAL, Kind.CHANGE, Change(GRANT, CHANGED._replace(revision=3))
            ),
            "不连续",
        ),
        (
            lambda: granted().then(
                PRINCIPAL,
                Kind.CHANGE,
                Change(GRANT, CHANGED._replace(valid_until=TODAY - timedelta(days=1))),
            ),
            "不成立",
        ),
        (
            lambda: Story().then(
                PRINCIPAL,
                Kind.GRANT,
                Change(None, GRANT._replace(key=KEY._replace(agent=PRINCIPAL))),
            ),
            "不成立",
        ),
        (
            lambda: granted().then(
                PRINCIPAL, Kind.CHANGE, Change(GRANT, GRANT._replace(key=KEY._replace(agent="x")))
            ),
            "不是同一条",
        ),
        (
            lambda: handed_on().then(
                AGENT,
                Kind.HAND_ON,
                Change(TO_CARD, TO_CARD._replace(granted_on=TODAY - timedelta(days=9))),
            ),
            "不能修改",
        ),
        (lambda: Story().then(AGENT, Kind.HAND_ON, Change(None, TO_CARD)), "没有所属"),
        (lambda: handed_on().then(PRINCIPAL, Kind.DELETE, Change(GRANT, None)), "没有删除整个"),
        # A principal may not take operators away and keep the grant.
        (lambda: handed_on().then(PRINCIPAL, Kind.DELETE, Change(TO_CARD, None)), "没有删除整个"),
        (lambda: handed_on().then(AGENT, Kind.HAND_ON, Change(None, TO_ALL)), "不能同时"),
        (
            lambda: granted().then(
                STRANGER, Kind.LAPSE, Change(None, LapseMark(KEY, STRANGER, UNTIL))
            ),
            "无关",
        ),
        (
            lambda: granted().then(
                STRANGER, Kind.LAPSE, Change(None, LapseMark(KEY, AGENT, UNTIL))
            ),
            "无权",
        ),
    ],
)
def test_what_may_not_be_done(story: Callable[[], Story], message: str) -> None:
    with pytest.raises(NotEntitled, match=message):
        story()


def test_rows_of_two_tables_are_never_the_same() -> None:
    row = OperatorGrantRow(KEY, AGENT, UNTIL)
    mark = LapseMark(KEY, AGENT, UNTIL)
    assert row != mark
    assert row.identity != mark.identity


def back(story: Story, *changes: Change, reinstates: int | None, by: str = PRINCIPAL) -> Story:
    return story.then(by, Kind.REINSTATE, *changes, reinstates=reinstates)


BOTH = (Change(None, GRANT), Change(None, TO_CARD))


@pytest.mark.parametrize(
    ("story", "message"),
    [
        (lambda: back(deleted(), *BOTH, reinstates=None), "不相称"),
        (lambda: back(deleted(), *BOTH, reinstates=4), "不在此前"),
        (lambda: back(deleted(), *BOTH, reinstates=0), "不在此前"),
        (lambda: back(deleted(), *BOTH, reinstates=2), "无权"),
        (
            lambda: back(deleted(), Change(None, GRANT), Change(None, TO_OTHER), reinstates=3),
            "无权",
        ),
        (lambda: back(deleted(), *BOTH, reinstates=3, by=AGENT), "无权"),
        (lambda: back(deleted(), Change(None, TO_CARD), reinstates=3), "没有所属"),
        # The agent has withdrawn it since: it must not come back by an older deletion.
        (
            lambda: back(
                back(deleted(), *BOTH, reinstates=3)
                .then(AGENT, Kind.WITHDRAW, Change(TO_CARD, None))
                .then(PRINCIPAL, Kind.DELETE, Change(GRANT, None)),
                *BOTH,
                reinstates=3,
            ),
            "无权",
        ),
        # What an agent has withdrawn is not for the principal to put back.
        (
            lambda: back(
                handed_on().then(AGENT, Kind.WITHDRAW, Change(TO_CARD, None)),
                Change(None, TO_CARD),
                reinstates=3,
            ),
            "无权",
        ),
        # A row that was slipped in does not become the agent's by deleting and taking back.
        (
            lambda: back(
                granted().then(
                    PRINCIPAL,
                    Kind.DELETE,
                    Change(None, TO_CARD, found=True),
                    Change(TO_CARD, None),
                    Change(GRANT, None),
                ),
                *BOTH,
                reinstates=2,
            ),
            "无权",
        ),
        (
            lambda: handed_on().then(AGENT, Kind.WITHDRAW, Change(TO_CARD, None), reinstates=1),
            "不相称",
        ),
    ],
)
def test_taking_back_what_is_not_ones_own(story: Callable[[], Story], message: str) -> None:
    with pytest.raises(NotEntitled, match=message):
        story()


def test_a_refused_operation_leaves_everything_as_it_was() -> None:
    story = deleted()
    rows, deletions = dict(story.state.rows), dict(story.state.deletions)
    for changes in (
        (*BOTH, Change(None, TO_OTHER)),
        (Change(None, GRANT), Change(GRANT, None), Change(None, TO_ALL)),
    ):
        with pytest.raises(NotEntitled):
            back(story, *changes, reinstates=3)
        assert (story.state.rows, story.state.deletions) == (rows, deletions)
        assert story.state.cards_under(KEY) == frozenset()
        story.operations.popitem()
    back(story, *BOTH, reinstates=3)


# -- the text that is signed -------------------------------------------------------


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@given(reason=texts, card=texts, revision=st.integers(1, 2**53 - 1), found=st.booleans())
def test_the_signed_text_is_canonical_json_and_can_be_read_back(
    reason: str, card: str, revision: int, found: bool
) -> None:
    changes = (
        Change(None, EnterpriseGrantRow(KEY, TODAY, UNTIL, revision), found),
        Change(OperatorGrantRow(KEY, card, TODAY), None),
        Change(None, LapseMark(KEY, AGENT, UNTIL)),
    )
    operation = Operation(Kind.GRANT, NOON, card, PRINCIPAL, changes, 3, GENESIS, "n", reason, 2)
    text = operation.canonical()
    assert text.encode() == rfc8785.dumps(json.loads(text))
    assert Operation.read(text) == operation


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("by", [PRINCIPAL, AGENT])
def test_what_lists_ask_of_a_payload_is_found_in_its_text(kind: Kind, by: str) -> None:
    others = [each for each in Kind if each is not kind]
    # What was given as a reason, or found in a row, imitates the end of a payload.
    ends = [f'","enterprise":"{STRANGER}","format":1,"kind":"{each}","nonce":"' for each in others]
    changes = (Change(None, GRANT), Change(None, TO_CARD._replace(card_number=ends[0])))
    reason = "".join(ends)
    text = Operation(kind, NOON, OTHER_CARD, by, changes, 3, GENESIS, "n", reason, 2).canonical()
    asked = [
        ledger.SIGNED_BY,
        *(ledger.is_signed_as(each) for each in (kind, *others)),
        *(ledger.is_signed_as(each, "e.owner") for each in (kind, *others)),
    ]
    connection = apsw.Connection(":memory:")

    def answers(payload: str, owner: str) -> list[object]:
        sql = f"SELECT {', '.join(asked)} FROM (SELECT ? AS payload, ? AS owner) e"
        [found] = connection.execute(sql, (payload, owner))
        return list(found)

    none = [0] * len(others)
    assert answers(text, by) == [OTHER_CARD, 1, *none, 1, *none]
    assert answers(text, STRANGER) == [OTHER_CARD, 1, *none, 0, *none]
    assert answers("nonsense", by) == ["", 0, *none, 0, *none]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format":1', '"format":1,"more":1'),
        ('"format":1', '"format":true'),
        ('"revision":1', '"revision":"1"'),
        ('"revision":1', '"revision":1.0'),
        ('"revision":1', '"revision":true'),
        ('"number":0', '"number":false'),
        ('"reason":""', '"reason":"","reason":""'),
        ('"reason":""', '"reason":"\\u0041"'),
        ('"found":true,', '"found":false,'),
        ('"found":true,', '"found":1,'),
        ("+08:00", "+09:00"),
        ("+08:00", "Z"),
        ("T12:", "T24:"),
        ('"card":"8900000000011"', '"card":null'),
        ('"agent":"3101980002"', '"agent":["3101980002"]'),
        ('"subsystem":"95"', '"subsystem":95'),
        ('"before":null', '"before":{}'),
        ('"seen":{', '"reinstates":"1","seen":{'),
        ('"kind":"enterprise_grant.grant"', '"kind":"enterprise_grant.other"'),
    ],
)
def test_a_text_that_is_not_to_the_letter_is_not_read(old: str, new: str) -> None:
    changes = (Change(None, GRANT, found=True),)
    operation = Operation(
        Kind.GRANT, NOON, "8900000000011", PRINCIPAL, changes, 0, GENESIS, "n", ""
    )
    text = operation.canonical()
    assert old in text
    with pytest.raises(ValueError, match=r".+"):
        Operation.read(text.replace(old, new))


def test_no_text_with_another_letter_is_read_unless_it_is_canonical_too() -> None:
    changes = (
        Change(GRANT, CHANGED, found=True),
        Change(TO_CARD, None),
        Change(None, LapseMark(KEY, "", UNTIL)),
    )
    written = Operation(Kind.CHANGE, NOON, "89", PRINCIPAL, changes, 3, GENESIS, "n", "", 2)
    text = written.canonical()
    read = 0
    for at in range(len(text) + 1):
        for new in ("", *'{}[]",:\\019-+.eZ \n\x1f\u0660'):
            for rest in (text[at:], text[at + 1 :]):
                changed = text[:at] + new + rest
                try:
                    operation = Operation.read(changed)
                except ValueError:
                    continue
                read += 1
                assert operation.canonical() == changed
                assert operation == Operation.from_json(json.loads(changed))
    assert read > 1000
