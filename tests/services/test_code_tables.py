"""An organisation's own tables must understand the grants that are there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eport_tui.domain.codes import Code, CodeTable
from eport_tui.errors import SettingsError
from eport_tui.services.code_tables import require_codes_in_use
from eport_tui.store.database import Store
from tests.services.world import TABLES, grant


def test_a_code_in_use_can_be_retired_but_not_removed(store: Store) -> None:
    require_codes_in_use(store, TABLES)
    for subsystem, grant_type in (("95", "X1"), ("95", "X2"), ("B1", "X1"), ("Z8", "X2")):
        grant(store, subsystem=subsystem, grant_type=grant_type)
    require_codes_in_use(store, TABLES)

    others = [code for code in TABLES.subsystems if code.code != "B1"]
    retired = CodeTable("授权子系统", [*others, Code("B1", "加工贸易手册", retired=True)])
    require_codes_in_use(store, replace(TABLES, subsystems=retired))
    with pytest.raises(SettingsError, match="授权子系统代码表中缺少代码 B1") as caught:
        require_codes_in_use(store, replace(TABLES, subsystems=CodeTable("授权子系统", others)))
    assert caught.value.hint == "使用中的代码可以停用，不能删除"


def test_grant_types_too(store: Store) -> None:
    grant(store, grant_type="X2")
    types = CodeTable("授权类型", [Code("X1", "操作权")])
    tables = replace(
        TABLES, grant_types=types, action_needs=dict.fromkeys(TABLES.action_needs, "X1")
    )
    with pytest.raises(SettingsError, match="授权类型代码表中缺少代码 X2"):
        require_codes_in_use(store, tables)
