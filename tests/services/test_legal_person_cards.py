"""The registry's list of legal-person cards: importing it, and asking it about a card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eport_tui.domain.holders import Enterprise, Role
from eport_tui.domain.places import Place
from eport_tui.errors import InvalidInput
from eport_tui.services.registry import (
    LineFault,
    import_file,
    legal_person_cards,
    look_up_card,
)
from eport_tui.store.database import Store

HEADER = "海关编码,社会信用代码,企业名称"
WITH_CARDS = HEADER + ",法人卡号"
FIRST = "3101940001,91310000PDY00001XG,上海甲制造有限公司"
SECOND = "3101980002,91310000PDY000028G,上海乙报关有限公司"
MANUFACTURER, BROKER = (Enterprise(*line.split(",")) for line in (FIRST, SECOND))
CARD, OTHER = "8900000000011", "JJ7G000000073"


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str) -> Path:
        path = tmp_path / "enterprises.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


def cards(store: Store) -> dict[str, list[str]]:
    codes = ("3101940001", "3101980002")
    return {code: found for code in codes if (found := legal_person_cards(store, code))}


# -- importing -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        f"{CARD} {OTHER}",
        f"{CARD}、{OTHER}",
        f" {OTHER} 、 {CARD}、",
        f"{CARD}\u3000{OTHER} {CARD}",
        f"03-{CARD}  03-{OTHER}",
        f"８９０００００００００１１ {OTHER}",
    ],
)
def test_several_cards_of_an_enterprise(store: Store, file: Callable[..., Path], cell: str) -> None:
    report = import_file(store, file(WITH_CARDS, f"{FIRST},{cell}", f"{SECOND},"))
    assert (report.added, report.relisted, report.errors) == (2, 1, [])
    assert cards(store) == {"3101940001": [CARD, OTHER]}


def test_the_column_may_stand_anywhere(store: Store, file: Callable[..., Path]) -> None:
    import_file(store, file(f"法人卡号,备注,{HEADER}", f"{CARD},x,{FIRST}"))
    assert cards(store) == {"3101940001": [CARD]}


def test_without_the_column_the_lists_stay_as_they_are(
    store: Store, file: Callable[..., Path]
) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}"))
    renamed = FIRST.replace("甲", "丙")
    report = import_file(store, file(HEADER, renamed))
    assert (report.updated, report.relisted) == (1, 0)
    assert cards(store) == {"3101940001": [CARD]}


def test_with_the_column_the_lists_become_what_it_says(
    store: Store, file: Callable[..., Path]
) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}", f"{SECOND},{OTHER}"))
    third = "8900000000022"
    report = import_file(store, file(WITH_CARDS, f"{FIRST},{third}", f"{SECOND},{OTHER}"))
    assert (report.unchanged, report.relisted) == (2, 1)
    assert cards(store) == {"3101940001": [third], "3101980002": [OTHER]}

    report = import_file(store, file(WITH_CARDS, FIRST + ","))
    assert report.relisted == 1
    assert cards(store) == {"3101980002": [OTHER]}


def test_a_line_that_ends_before_the_column_lists_no_card(
    store: Store, file: Callable[..., Path]
) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}"))
    import_file(store, file(WITH_CARDS, FIRST))
    assert cards(store) == {}


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_a_card_that_changes_its_enterprise_belongs_to_the_new_one_alone(
    store: Store, file: Callable[..., Path], order: tuple[str, str]
) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}", SECOND))
    lines = {FIRST: FIRST + ",", SECOND: f"{SECOND},{CARD}"}
    import_file(store, file(WITH_CARDS, *(lines[line] for line in order)))
    assert cards(store) == {"3101980002": [CARD]}
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}"))
    assert cards(store) == {"3101940001": [CARD]}


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("890000000001", "法人卡号应为13位，现为12位"),
        (f"{CARD} 890000000001", "法人卡号应为13位，现为12位"),
        (f"{CARD};{OTHER}", "法人卡号应为13位，现为27位"),
        ("8900000000-11", "法人卡号只能由数字和大写字母组成"),
    ],
)
def test_a_bad_card_number_is_a_bad_line(
    store: Store, file: Callable[..., Path], cell: str, fault: str
) -> None:
    report = import_file(store, file(WITH_CARDS, f"{FIRST},{cell}", f"{SECOND},{OTHER}"))
    assert report.errors == [LineFault(2, fault)]
    assert cards(store) == {"3101980002": [OTHER]}


def test_a_card_of_two_enterprises_is_a_bad_line(store: Store, file: Callable[..., Path]) -> None:
    many = [f"31019{n:05},91310000PDY00001XG,企业{n},{n:013}" for n in range(1000)]
    report = import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}", *many, f"{SECOND},{CARD}"))
    said = f"法人卡号 {CARD} 与第2行重复，一张卡只能属于一个企业"
    assert report.errors == [LineFault(1003, said)]
    assert report.relisted == 1001
    assert cards(store) == {"3101940001": [CARD]}


def test_a_line_with_other_cards_contradicts_an_earlier_one(
    store: Store, file: Callable[..., Path]
) -> None:
    same, other = f"{FIRST},{OTHER}、{CARD}", f"{FIRST},{CARD}"
    report = import_file(store, file(WITH_CARDS, f"{FIRST},{CARD} {OTHER}", same, other))
    assert report.errors == [LineFault(4, "海关编码与第2行重复，而内容不同")]


def test_the_column_twice_is_refused(store: Store, file: Callable[..., Path]) -> None:
    with pytest.raises(InvalidInput, match="法人卡号 重复"):
        import_file(store, file(f"{WITH_CARDS},法人卡号", FIRST))


def test_strict_changes_no_list_when_a_line_is_bad(store: Store, file: Callable[..., Path]) -> None:
    report = import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}", f"{SECOND},x"), strict=True)
    assert report.refused == 1
    assert cards(store) == {}


# -- asking about a card -----------------------------------------------------------------


def test_a_listed_card_is_a_legal_persons(store: Store, file: Callable[..., Path]) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}", SECOND))
    assert look_up_card(store, "PDY00001X", CARD) == [(MANUFACTURER, Role.LEGAL_PERSON)]


def test_a_card_that_is_not_listed_is_an_operators(store: Store, file: Callable[..., Path]) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}", SECOND))
    assert look_up_card(store, "PDY00001X", OTHER) == [(MANUFACTURER, Role.OPERATOR)]


def test_a_card_listed_by_another_enterprise_is_an_operators_of_its_own(
    store: Store, file: Callable[..., Path]
) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}", SECOND))
    assert look_up_card(store, "PDY000028", CARD) == [(BROKER, Role.OPERATOR)]


def test_an_unknown_organization_has_no_enterprise(store: Store, file: Callable[..., Path]) -> None:
    import_file(store, file(WITH_CARDS, f"{FIRST},{CARD}"))
    assert look_up_card(store, "PDY000036", CARD) == []


def test_of_several_with_one_organization_code_the_one_that_lists_the_card_counts(
    store: Store, file: Callable[..., Path]
) -> None:
    branch = FIRST.replace("3101940001", "3101940009")
    import_file(store, file(WITH_CARDS, FIRST, f"{branch},{CARD}"))
    assert look_up_card(store, "PDY00001X", CARD) == [
        (Enterprise(*branch.split(",")), Role.LEGAL_PERSON)
    ]
    assert len(look_up_card(store, "PDY00001X", OTHER)) == 2


def test_the_registry_is_asked_through_an_index(
    sqlite_store: Store, file: Callable[..., Path]
) -> None:
    import_file(sqlite_store, file(WITH_CARDS, f"{FIRST},{CARD}"))
    plan = sqlite_store.rows(
        "EXPLAIN QUERY PLAN SELECT e.customs_code FROM enterprise AS e"
        " WHERE substr(e.uscc, 9, 9) = 'PDY00001X'"
    )
    assert "enterprise_organization" in plan[0][-1]
