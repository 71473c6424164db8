"""Whether the code tables fit what is stored."""

from __future__ import annotations

from eport_tui.domain.codes import CodeTables
from eport_tui.errors import SettingsError
from eport_tui.store import codes
from eport_tui.store.database import Store


def require_codes_in_use(store: Store, tables: CodeTables) -> None:
    """Demand that every code of a stored grant is in the tables, retired or not (spec §5).

    Raises:
        SettingsError: One was removed, so that grants could not be understood any more.
    """
    for used in codes.codes_used(store):
        for table, code in zip((tables.subsystems, tables.grant_types), used, strict=True):
            if code not in table:
                raise SettingsError(
                    f"{table.label}代码表中缺少代码 {code}，而已有授权使用它",
                    hint="使用中的代码可以停用，不能删除",
                )
