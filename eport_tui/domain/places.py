"""Where a database is: in a file, or on a PostgreSQL server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from eport_tui.errors import InvalidInput

_SCHEMES = ("postgresql", "postgres")
_SECRETS = {"password", "sslpassword"}


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """The URL of a database on a PostgreSQL server, as libpq reads it; it holds no password."""

    text: str

    def __str__(self) -> str:
        return self.text


Place = Path | ServerUrl


def parse_path(text: str, folder: Path | None = None) -> Path:
    """The path that a text names, in full; `~` is the home folder.

    Args:
        folder: From where it counts unless it is in full; the current one where None.

    Raises:
        InvalidInput: It is in the home folder of a user who has none, or no path can be so.
    """
    if "\0" in text:
        raise InvalidInput("路径中有不能使用的字符（NUL）", hint="请写明完整的路径")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise InvalidInput(
            f"没有 {Path(text).parts[0]} 所指的主文件夹", hint="请写明完整的路径"
        ) from None
    return folder / path if folder else path.absolute()


def parse_place(text: str, folder: Path | None = None) -> Place:
    """The file or the server that a text names.

    Args:
        folder: As in `parse_path`.

    Raises:
        InvalidInput: It is a URL of something else, or has a password in it, which
            others could read in the list of processes; the text is not repeated.  Or as
            `parse_path`.
    """
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    if not found:
        return parse_path(text, folder)
    if found[1] not in _SCHEMES:
        raise InvalidInput(
            "数据库地址应以 postgresql:// 开头", hint="或给出数据库文件的路径", field="database"
        )
    # Peewee knows the long form alone.
    url = "postgresql://" + text[found.end() :]
    if _has_password(text[found.end() :]):
        raise InvalidInput(
            "数据库地址中不能写密码",
            hint="请把密码写在 ~/.pgpass 中，或写在 PGPASSFILE 或 PGSERVICEFILE 指定的文件中",
            field="database",
        )
    return ServerUrl(url)


def _has_password(rest: str) -> bool:
    server, _, query = rest.partition("?")
    user, at, _ = server.partition("/")[0].rpartition("@")
    return bool(at and ":" in user) or any(
        name.lower() in _SECRETS for name, _ in parse_qsl(query, keep_blank_values=True)
    )
