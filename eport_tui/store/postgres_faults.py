"""What a PostgreSQL server says went wrong, told to an operator.

The connection itself raises what no SQLSTATE tells: that it was closed, could not be had,
or was lost at a commit.
"""

from __future__ import annotations

import logging
import re
import time

import psycopg

from eport_tui.domain.places import ServerUrl
from eport_tui.errors import OutOfReach, StoreError
from eport_tui.store import faults
from eport_tui.store.faults import GivenUp, InDoubt, Lost, Told, fault

_log = logging.getLogger(__name__)

_LOST: Told = (
    "与数据库服务器的连接已断开，没有保存",
    "请检查网络和 {place}",
)
_IN_DOUBT: Told = (
    "保存时与数据库服务器的连接断开，不能确定是否已保存",
    "服务器恢复后请刷新列表，核对后再决定是否重新保存",
)
_UNREACHABLE: Told = (
    "无法连接数据库服务器",
    "请检查网络和 {place}",
)
_STARTING: Told = (
    "数据库服务器正在启动或关闭",
    "一直如此则请管理员检查 {place}",
)
_NO_HOST: Told = (
    "找不到数据库服务器的主机",
    "请检查 {place} 中的主机名和域名解析",
)
_NO_PRIMARY: Told = (
    "没有可以保存的数据库服务器，连得上的都是备用的",
    "请检查 {place} 中的主机和主服务器",
)
_TOO_MANY: Told = ("数据库服务器的连接已满", "一直如此则请管理员增加连接数")
_READ_ONLY: Told = ("数据库是只读的，不能保存", "请检查 {place} 是否为备用服务器")
_NO_USER: Told = (
    "数据库服务器上没有该用户",
    "请检查 {place} 中的用户名，或请管理员建立该用户",
)
_NO_LOGIN: Told = ("该数据库用户不能登录", "请检查 {place} 中的用户名，或请管理员准许其登录")
_NO_DATABASE: Told = (
    "服务器上没有该数据库",
    "请检查 {place} 中的数据库名，或请管理员建立该数据库",
)
_NO_SERVICE: Told = (
    "没有找到数据库地址中的服务名",
    "请检查 {place}，以及 ~/.pg_service.conf 或 PGSERVICEFILE 指定的文件",
)
_NOT_ADMITTED: Told = (
    "数据库服务器不准从本机以该用户连接该数据库",
    "请管理员检查服务器的 pg_hba.conf，并核对 {place}",
)
_WRONG_PASSWORD: Told = (
    "数据库的用户名或密码不对",
    "请检查 {place} 的用户，以及 ~/.pgpass 或 PGPASSFILE 指定的文件",
)
_NO_PASSWORD: Told = (
    "没有找到数据库的密码",
    "请为 {place} 把密码写在 ~/.pgpass 或 PGPASSFILE 指定的文件中，该文件只能由本人读写",
)
_NOT_PROVEN: Told = (
    "数据库服务器没有认可该用户的身份",
    "请检查 {place} 的用户，以及服务器的 pg_hba.conf 规定的认证方式",
)
_NOT_SECURE: Told = (
    "与数据库服务器的加密连接没有建立",
    "请检查 {place} 的 sslmode 和证书，详情见日志",
)
_MAY_NOT_CONNECT: Told = (
    "该用户没有连接该数据库的权限",
    "请管理员执行 GRANT CONNECT，或检查 {place}",
)
_NO_GRANT: Told = (
    "该数据库用户没有所需的权限",
    "请管理员按文档执行 GRANT，或检查 {place} 的用户，详情见日志",
)
_TURNED_AWAY: Told = ("数据库服务器拒绝了连接", "原因见日志，请检查 {place}")
_GIVEN_UP: Told = (
    "与其他程序的修改互相冲突，没有保存",
    "请稍候再试，一直如此则检查谁在占用 {place}",
)
_TIMED_OUT: Told = ("数据库操作超时，没有保存", "请稍候再试")

# By SQLSTATE, or its class (PostgreSQL documentation, appendix A).
_TOLD: dict[str, Told] = {
    "08": _LOST,
    "57P": _LOST,
    "25P03": _LOST,
    "55P03": faults.LOCKED,
    "40": _GIVEN_UP,
    "57014": _TIMED_OUT,
    "53100": faults.FULL,
    "25006": _READ_ONLY,
    "42501": _NO_GRANT,
    "23": faults.REFUSED,
    "58030": faults.DISK,
    "XX001": faults.DAMAGED,
    "XX002": faults.DAMAGED,
}

# What happens every day, and nobody has to look for the reason of.
_EVERYDAY = (faults.LOCKED, _GIVEN_UP, _TIMED_OUT)

# What is surely rolled back and may go through when it is done anew.
_WORTH_ANOTHER_TRY = {"40001", "40P01"}

# libpq gives no SQLSTATE where there is no connection yet.  Of several hosts each has its own
# reason: what somebody has to put right goes before what passes.
_TOLD_BY_TEXT = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r"definition of service|service file", _NO_SERVICE),
        (r"pg_hba\.conf", _NOT_ADMITTED),
        (r"password authentication failed", _WRONG_PASSWORD),
        (r"no password supplied", _NO_PASSWORD),
        (r"authentication failed|authentication method", _NOT_PROVEN),
        (r'role ".*" does not exist', _NO_USER),
        (r"not permitted to log in", _NO_LOGIN),
        (r'database ".*" does not exist', _NO_DATABASE),
        (r"permission denied for database", _MAY_NOT_CONNECT),
        (r"too many|remaining connection slots", _TOO_MANY),
        (r"is (starting up|shutting down|not yet accepting)|in recovery mode", _STARTING),
        (r"session is read-only|server is in hot standby mode", _NO_PRIMARY),
        (r"SSL|certificate", _NOT_SECURE),
        (r"resolve host|translate host name", _NO_HOST),
        # A server may speak its administrator's language.
        (r"FATAL:|致命错误:", _TURNED_AWAY),
    )
)

# What passes without anybody doing something about it on this side.
PASSING = (_UNREACHABLE, _STARTING, _NO_HOST, _NO_PRIMARY, _TOO_MANY)

_LOG_AGAIN_SECONDS = 600.0
"""How soon the same text of the server is logged once more."""


class Closed(psycopg.OperationalError):
    """The store was closed."""


class Unreachable(psycopg.OperationalError):
    """There is no connection to be had.

    Attributes:
        told: Why not.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        found = (told for pattern, told in _TOLD_BY_TEXT if pattern.search(text))
        self.told = next(found, _UNREACHABLE)


class LostAtCommit(psycopg.OperationalError):
    """The connection was lost when it was to commit."""


class Faults:
    """What went wrong in one database.

    What somebody has to put right is logged, in the server's own words.
    """

    def __init__(self, place: ServerUrl) -> None:
        self._place = place
        self._logged, self._log_again = "", 0.0

    def fault(self, error: psycopg.Error, *, was_cancelled: bool) -> StoreError:
        """The error for an operator.

        Args:
            was_cancelled: Whether the last wait for a lock was given up on request.
        """
        state = error.sqlstate or ""
        if isinstance(error, Closed):
            return fault(faults.CLOSED, "", self._place)
        if isinstance(error, LostAtCommit):
            return fault(_IN_DOUBT, "", self._place, InDoubt)
        if isinstance(error, Unreachable):
            kind = OutOfReach if error.told in PASSING else StoreError
            return fault(error.told, "", self._place, kind)
        if state == "57014" and was_cancelled:
            return fault(faults.CANCELLED, state, self._place)
        found = next((_TOLD[part] for part in (state, state[:3], state[:2]) if part in _TOLD), None)
        if found is None and isinstance(error, psycopg.OperationalError) and not state:
            found = _LOST
        if found not in _EVERYDAY:
            self._log_why(f"{state} {error}")
        if found is _LOST:
            return fault(found, state, self._place, Lost)
        again = state in _WORTH_ANOTHER_TRY
        return fault(found, state, self._place, GivenUp if again else StoreError)

    def no_grant(self, on: str) -> StoreError:
        """The error for a right that the user has not."""
        self._log_why(f"no USAGE on {on}")
        return fault(_NO_GRANT, "", self._place)

    def _log_why(self, text: str) -> None:
        """Log what the server says; what it repeats, now and then."""
        moment = time.monotonic()
        if text != self._logged or moment >= self._log_again:
            self._logged, self._log_again = text, moment + _LOG_AGAIN_SECONDS
            _log.warning("the database says: %s", in_one_line(text))


def in_one_line(text: str) -> str:
    """What a server says, as one line of the log."""
    return " ".join(text.split())
