"""What names a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from eport_tui.domain.places import ServerUrl, parse_place
from eport_tui.errors import InvalidInput


@pytest.mark.parametrize("text", ["/srv/eport.db", "eport.db", "./a:b@c", "C:/x", "postgresql.db"])
def test_a_path_is_a_file(text: str) -> None:
    assert parse_place(text) == Path.cwd() / text
    assert parse_place(text, Path("/etc/eport")) == Path("/etc/eport") / text


def test_a_path_in_ones_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/clerk")
    assert parse_place("~/eport.db", Path("/etc")) == Path("/home/clerk/eport.db")


def test_a_path_with_a_character_that_none_may_have_is_told() -> None:
    with pytest.raises(InvalidInput, match="路径中有不能使用的字符"):
        parse_place("a\0b")


def test_a_home_that_nobody_has_is_told() -> None:
    with pytest.raises(InvalidInput, match="没有 ~nobody-of-that-name 所指的主文件夹"):
        parse_place("~nobody-of-that-name/eport.db")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("postgresql://clerk@host/eport", "postgresql://clerk@host/eport"),
        ("postgres://host:5433/eport", "postgresql://host:5433/eport"),
        ("postgresql:///eport?host=/run/pg", "postgresql:///eport?host=/run/pg"),
        ("postgresql://?service=eport", "postgresql://?service=eport"),
        ("postgresql://a:1,b:2/eport", "postgresql://a:1,b:2/eport"),
        ("postgresql://[::1]:5432/eport", "postgresql://[::1]:5432/eport"),
        (
            "postgresql://a/eport?passfile=/home/clerk/.pgpass",
            "postgresql://a/eport?passfile=/home/clerk/.pgpass",
        ),
    ],
)
def test_a_url_is_a_server(text: str, meant: str) -> None:
    assert parse_place(text) == ServerUrl(meant)
    assert str(parse_place(text)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://clerk:secret@host/eport",
        "postgres://clerk:secret@a,b/eport",
        "postgresql://clerk:@host/eport",
        "postgresql://host/eport?password=secret",
        "postgresql://host/eport?a=1&PASSWORD=secret",
        "postgresql://host/eport?%70assword=secret",
        "postgresql://host/eport?sslpassword=secret",
    ],
)
def test_a_password_is_not_taken_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInput, match="数据库地址中不能写密码") as refused:
        parse_place(text)
    assert "secret" not in str(refused.value)
    assert ".pgpass" in (refused.value.hint or "")


@pytest.mark.parametrize("text", ["mysql://host/eport", "sqlite:///eport.db", "http://host"])
def test_another_kind_of_database(text: str) -> None:
    with pytest.raises(InvalidInput, match="数据库地址应以 postgresql:// 开头"):
        parse_place(text)
