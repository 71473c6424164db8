"""Settings from defaults, the file and the environment, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from eport_tui.domain.places import ServerUrl
from eport_tui.errors import InvalidInput, SettingsError
from eport_tui.settings import Settings, load_settings


def loaded(tmp_path: Path, toml: str = "", **environment: str) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text(toml, encoding="utf-8")
    return load_settings(
        config=file, environment={f"EPORT_TUI_{name.upper()}": v for name, v in environment.items()}
    )


def test_without_a_file_everything_has_a_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    settings = load_settings(environment={})
    assert settings.source is None
    assert settings.database == tmp_path / "data" / "eport-tui" / "eport.db"
    assert settings.idle_minutes == 10
    assert not settings.require_hardware
    assert settings.output == "lean"


def test_the_file_is_read_and_named(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'database = "/srv/e.db"\nidle_minutes = 3\nrequire_hardware = true')
    assert settings.database == Path("/srv/e.db")
    assert settings.idle_minutes == 3
    assert settings.require_hardware
    assert settings.source == tmp_path / "config.toml"


def test_a_file_in_which_nothing_is_set_is_named_all_the_same(tmp_path: Path) -> None:
    for written in ("", "# idle_minutes = 3\n"):
        settings = loaded(tmp_path, written)
        assert settings.source == tmp_path / "config.toml"
        assert settings.idle_minutes == 10


def test_a_byte_order_mark_before_the_settings_is_no_part_of_them(tmp_path: Path) -> None:
    assert loaded(tmp_path, "\ufeffidle_minutes = 3").idle_minutes == 3


def test_a_path_in_the_file_counts_from_there_and_others_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "config.toml").write_text('database = "e.db"\ntrust = "../trust"')
    monkeypatch.chdir(tmp_path)
    config, environment = Path("etc/config.toml"), {"EPORT_TUI_CARDS": "cards"}
    settings = load_settings(config=config, environment=environment)
    assert settings.database == tmp_path / "etc" / "e.db"
    assert settings.trust_dir == tmp_path / "etc" / ".." / "trust"
    assert settings.cards_dir == tmp_path / "cards"
    assert settings.source == tmp_path / "etc" / "config.toml"
    given = load_settings(config=config, database="e.db", environment=environment)
    assert given.database == tmp_path / "e.db"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        'database = "/srv/e.db"\nidle_minutes = 3',
        database="/tmp/o.db",
        idle_minutes="0.5",
        output="textual",
    )
    assert settings.output == "textual"
    assert settings.database == Path("/tmp/o.db")
    assert settings.idle_minutes == 0.5


def test_nothing_of_readers_is_on_unless_it_is_said(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert (settings.allow_server_reader, settings.control) == (False, "")


@pytest.mark.parametrize(
    "address",
    ["ws://127.0.0.1:61232", "ws://localhost:1", "ws://[::1]:65535/", "unix:/run/control.sock"],
)
def test_the_address_of_a_control_comes_from_the_file_or_the_connection(
    tmp_path: Path, address: str
) -> None:
    from eport_tui.card.control_client import Control

    assert loaded(tmp_path, f"control = '{address}'").control == address
    assert loaded(tmp_path, "control = 'unix:/else'", control=address).control == address
    # What the settings let through the control understands.
    assert Control(address)


def test_a_control_that_is_set_can_be_taken_away_again(tmp_path: Path) -> None:
    assert loaded(tmp_path, "control = 'unix:/control.sock'", control="").control == ""


def test_the_home_folder_can_be_named_in_the_address_of_a_control(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/wang")
    assert loaded(tmp_path, control="unix:~/c.sock").control == "unix:/home/wang/c.sock"


def test_the_servers_reader_is_allowed_in_the_file(tmp_path: Path) -> None:
    assert loaded(tmp_path, "allow_server_reader = true").allow_server_reader


def test_the_command_line_goes_before_everything(tmp_path: Path) -> None:
    settings = load_settings(
        database=Path("/tmp/mine.db"),
        output="lean",
        environment={"EPORT_TUI_DATABASE": "/tmp/o.db", "EPORT_TUI_OUTPUT": "textual"},
    )
    assert settings.database == Path("/tmp/mine.db")
    assert settings.output == "lean"


def test_the_database_may_be_on_a_server(tmp_path: Path) -> None:
    url = "postgresql://clerk@host/eport"
    assert loaded(tmp_path, f'database = "{url}"').database == ServerUrl(url)
    assert loaded(tmp_path, database=url).database == ServerUrl(url)
    given = load_settings(database=url, environment={"EPORT_TUI_DATABASE": "/tmp/o.db"})
    assert given.database == ServerUrl(url)


def test_a_password_in_the_settings_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="数据库地址中不能写密码") as refused:
        loaded(tmp_path, 'database = "postgresql://clerk:secret@host/eport"')
    assert "secret" not in str(refused.value)


def test_the_demo_keeps_to_its_own_folder(tmp_path: Path) -> None:
    settings = load_settings(
        demo_dir=tmp_path,
        environment={"EPORT_TUI_DATABASE": "/srv/real.db", "EPORT_TUI_CONTROL": "unix:/real.sock"},
    )
    assert settings.demo
    assert settings.control == ""
    assert settings.database == tmp_path / "eport.db"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("database = \n", "请检查第1行第12列"),
        ('database = "x', "请检查文件末尾"),
        ("datbase = 'x'", "未知的设置项 datbase"),
        ("database = 3", "设置项 database 应为路径"),
        ("idle_minutes = 0", "idle_minutes 应为大于0、不超过1440的分钟数，现为 0"),
        ("idle_minutes = true", "idle_minutes"),
        ("idle_minutes = 'soon'", "现为 soon"),
        ("control = 61232", "control 应为 unix:路径 或 ws://127.0.0.1:端口，现为 61232"),
        ("control = 'ws://example.org:61232'", "现为 ws://example.org:61232"),
        ("control = 'wss://127.0.0.1:61232'", "control"),
        ("control = 'ws://127.0.0.1:0'", "control"),
        ("control = 'ws://127.0.0.1:65536'", "control"),
        ("control = 'ws://127.0.0.1:61232/x'", "control"),
        ("control = 'unix:control.sock'", "control"),
        ("allow_server_reader = 1", "allow_server_reader 应为 true 或 false，现为 1"),
        ("output = 'fast'", "output 应为 lean 或 textual，现为 fast"),
        ("require_hardware = 'maybe'", "require_hardware 应为 true 或 false，现为 maybe"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, toml)
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes("# 设置".encode("gb18030"))
    with pytest.raises(SettingsError, match="UTF-8"):
        load_settings(config=file, environment={})


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="不存在"):
        load_settings(config=tmp_path / "none.toml", environment={})
