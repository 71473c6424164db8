"""The settings of the program: defaults, then a TOML file, then the environment.

database = "/srv/eport/eport.db"       # or EPORT_TUI_DATABASE; or "postgresql://host/name"
cards = "/srv/eport/cards"             # EPORT_TUI_CARDS
authority = "/srv/eport/authority"     # EPORT_TUI_AUTHORITY
trust = "/srv/eport/trust"             # EPORT_TUI_TRUST
idle_minutes = 10                      # EPORT_TUI_IDLE_MINUTES
require_hardware = false               # EPORT_TUI_REQUIRE_HARDWARE
strict = false                         # EPORT_TUI_STRICT
allow_server_reader = false            # EPORT_TUI_ALLOW_SERVER_READER
control = "ws://127.0.0.1:61232"       # EPORT_TUI_CONTROL
output = "lean"                        # EPORT_TUI_OUTPUT
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import PlatformDirs

from eport_tui.domain.places import Place, parse_path, parse_place
from eport_tui.errors import SettingsError, unreadable

APP = "eport-tui"
PREFIX = "EPORT_TUI_"
OUTPUTS = ("lean", "textual")

_CONTROL = re.compile(r"ws://(?:127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    Attributes:
        database: The database file, or the URL of a database on a PostgreSQL server.
        cards_dir: Folder of the software cards.
        authority_dir: Folder of the local test authority that issues cards.
        trust_dir: Folder of the trusted authorities' certificates and revocation lists.
        idle_minutes: Minutes without a key after which the program locks.
        require_hardware: Whether software cards are refused.
        strict: Whether a decision accepts only what the ledger proves.
        allow_server_reader: Whether the machine's own card readers are used in an SSH session.
        control: Address of the vendor's control; empty when there is none.
        config_dir: Folder of the settings file; an organisation's own code tables are there too.
        log_file: Where defects are logged; nothing personal is.
        source: The settings file that was read, if there was one.
        output: `lean` writes to the terminal only what changed, `textual` as Textual does.
        demo: Whether this is the demo, with its own data and an F-key that pulls the card.
    """

    database: Place
    cards_dir: Path
    authority_dir: Path
    trust_dir: Path
    idle_minutes: float
    require_hardware: bool
    strict: bool
    allow_server_reader: bool
    control: str
    config_dir: Path
    log_file: Path
    source: Path | None
    output: str = "lean"
    demo: bool = False


def load_settings(
    *,
    config: Path | None = None,
    database: Place | str | None = None,
    output: str | None = None,
    environment: Mapping[str, str] = os.environ,
    demo_dir: Path | None = None,
) -> Settings:
    """Gather the settings; what is given here goes before the environment and the file.

    Args:
        config: A settings file that must exist; otherwise the usual one is read if it does.
        database: The database file, or the URL of a database on a server.
        output: How to write to the terminal.
        environment: Environment variables.
        demo_dir: Where the demo keeps everything; makes these the demo's settings.

    Raises:
        SettingsError: A file or variable cannot be understood; the message says which and why.
        InvalidInput: What names the database cannot be understood; see `parse_place`.
    """
    dirs = PlatformDirs(APP, appauthor=False)
    config = parse_path(str(config)) if config else None
    config_dir = config.parent if config else dirs.user_config_path
    source = config or config_dir / "config.toml"
    read = _read(source, must_exist=config is not None)
    written = read or {}
    home = demo_dir or dirs.user_data_path

    def text(name: str) -> tuple[str, Path | None] | None:
        """What is set, and the folder from which it counts; none for the current one."""
        if demo_dir is not None:
            return None
        if given := environment.get(PREFIX + name.upper()):
            return given, None
        value = written.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            raise SettingsError(f"设置项 {name} 应为路径", hint=_where(source))
        return value, config_dir

    def path(name: str, default: Path) -> Path:
        found = text(name)
        return parse_path(*found) if found else default

    def place() -> Place:
        if database:
            return parse_place(database) if isinstance(database, str) else database
        found = text("database")
        return parse_place(*found) if found else home / "eport.db"

    return Settings(
        database=place(),
        cards_dir=path("cards", home / "cards"),
        authority_dir=path("authority", home / "authority"),
        trust_dir=path("trust", home / "trust"),
        idle_minutes=_minutes(environment, written, source),
        require_hardware=_switch("require_hardware", environment, written, source),
        strict=_switch("strict", environment, written, source),
        allow_server_reader=_switch("allow_server_reader", environment, written, source),
        control="" if demo_dir else _control(environment, written, source),
        config_dir=config_dir,
        log_file=(demo_dir or dirs.user_state_path) / "eport-tui.log",
        source=source if read is not None else None,
        output=_output(output, environment, written, source),
        demo=demo_dir is not None,
    )


def _where(source: Path) -> str:
    return f"请检查设置文件 {source} 和环境变量"


def _read(source: Path, *, must_exist: bool) -> dict[str, Any] | None:
    try:
        # Some editors begin a file with a byte order mark.
        text = source.read_text(encoding="utf-8-sig")
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not must_exist:
            return None
        raise unreadable("设置文件", source, error, SettingsError) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"设置文件 {source} 不是UTF-8编码", hint="请另存为UTF-8") from error
    # Most start without such a file, and without what reads one.
    import tomllib

    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        where = f"第{place[1]}行第{place[2]}列" if place else "文件末尾"
        raise SettingsError(f"设置文件 {source} 的格式不对", hint=f"请检查{where}") from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets within brackets without end.
        raise SettingsError(
            f"设置文件 {source} 中有过长的数字或过深的嵌套", hint="请检查该文件"
        ) from error
    known = {
        *("database", "cards", "authority", "trust", "idle_minutes"),
        *("require_hardware", "strict", "allow_server_reader", "control"),
        "output",
    }
    for name in written:
        if name not in known:
            raise SettingsError(
                f"设置文件 {source} 中有未知的设置项 {name}",
                hint=f"可用的是 {'、'.join(sorted(known))}",
            )
    return written


def _minutes(environment: Mapping[str, str], written: dict[str, Any], source: Path) -> float:
    value = environment.get(PREFIX + "IDLE_MINUTES", written.get("idle_minutes", 10))
    try:
        minutes = float(value)
    except (TypeError, ValueError, OverflowError):
        minutes = 0
    if isinstance(value, bool) or not 0 < minutes <= 24 * 60:
        raise SettingsError(
            f"设置项 idle_minutes 应为大于0、不超过1440的分钟数，现为 {value}", hint=_where(source)
        )
    return minutes


def _switch(
    name: str, environment: Mapping[str, str], written: dict[str, Any], source: Path
) -> bool:
    value = environment.get(PREFIX + name.upper(), written.get(name, False))
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("1", "true", "yes", "0", "false", "no", ""):
        return value.lower() in ("1", "true", "yes")
    raise SettingsError(f"设置项 {name} 应为 true 或 false，现为 {value}", hint=_where(source))


def _control(environment: Mapping[str, str], written: dict[str, Any], source: Path) -> str:
    value = environment.get(PREFIX + "CONTROL", written.get("control", ""))
    if value == "":
        return ""
    if isinstance(value, str):
        if value.startswith("unix:"):
            given = value.removeprefix("unix:")
            if given.startswith(("/", "~")):
                return f"unix:{parse_path(given)}"
        elif (port := _CONTROL.fullmatch(value)) and 0 < int(port[1]) <= 65535:
            return value
    raise SettingsError(
        f"设置项 control 应为 unix:路径 或 ws://127.0.0.1:端口，现为 {value}", hint=_where(source)
    )


def _output(
    given: str | None, environment: Mapping[str, str], written: dict[str, Any], source: Path
) -> str:
    value = given or environment.get(PREFIX + "OUTPUT") or written.get("output", OUTPUTS[0])
    if value not in OUTPUTS:
        raise SettingsError(
            f"设置项 output 应为 {' 或 '.join(OUTPUTS)}，现为 {value}", hint=_where(source)
        )
    return value
