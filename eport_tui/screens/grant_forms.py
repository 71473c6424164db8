"""The forms of the screens on which grants are recorded and looked for."""

from __future__ import annotations

from eport_tui.domain.codes import YES_NO, CodeTables
from eport_tui.screens.losses import REASON
from eport_tui.widgets import limits
from eport_tui.widgets.form import Field, Form, Ground


def subsystem_field(tables: CodeTables) -> Field:
    """授权子系统, which must be chosen."""
    return Field(
        "subsystem",
        "授权子系统",
        Ground.REQUIRED,
        18,
        tables.subsystems,
        hint="按空格键选择，也可直接输入代码或拼音首字母",
    )


def enterprise_grant_form(tables: CodeTables) -> Form:
    """企业间授权: both enterprises, what is granted, and until when (spec §2.1)."""
    required = Ground.REQUIRED
    return Form(
        [
            [
                Field("principal", "授权企业编号", width=10),
                Field("principal_uscc", "授权企业社会信用代码", width=18),
            ],
            [Field("principal_name", "授权企业名称")],
            [
                Field(
                    "agent",
                    "代理企业编号",
                    required,
                    12,
                    limit=limits.CUSTOMS_CODE,
                    hint="10位海关编码，按Enter查询企业",
                ),
                Field("agent_uscc", "代理企业社会信用代码", width=18),
            ],
            [Field("agent_name", "代理企业名称")],
            [
                subsystem_field(tables),
                Field(
                    "grant_type",
                    "授权类型",
                    required,
                    18,
                    tables.grant_types,
                    hint="按空格键选择。操作权用于录入和申报账册等，报关权用于报关单调用",
                ),
            ],
            [
                Field(
                    "valid_until",
                    "权限有效期",
                    required,
                    18,
                    limit=limits.DATE,
                    opens_list=True,
                    hint="例如 20271231、2027-12-31、+90（天）、+1y（年），空格键打开日历",
                ),
                Field("granted_on", "授权日期", width=18),
            ],
            [REASON],
        ]
    )


def quick_query_form() -> Form:
    """快速查询: by either code of the principal (spec §2.2)."""
    return Form(
        [
            [
                Field(
                    "customs_code",
                    "授权企业编号",
                    Ground.OPTIONAL,
                    12,
                    limit=limits.CUSTOMS_CODE,
                    hint="快速查询：输入编号或其开头部分，按Enter或F5",
                ),
                Field(
                    "uscc",
                    "授权企业社会信用代码",
                    Ground.OPTIONAL,
                    19,
                    limit=limits.USCC,
                    hint="快速查询：输入代码或其开头部分，按Enter或F5",
                ),
            ]
        ],
        id="query",
    )


def operator_grant_form() -> Form:
    """企业内授权: to one card or to all operators (spec §2.2)."""
    return Form(
        [
            [Field("principal_name", "授权企业名称")],
            [
                Field(
                    "to_all",
                    "是否授予全部操作员",
                    Ground.REQUIRED,
                    6,
                    YES_NO,
                    hint="按空格键选择：是 授予全部操作员，否 授予一张操作员卡",
                ),
                Field(
                    "card_number",
                    "操作员IC卡号",
                    Ground.REQUIRED,
                    15,
                    limit=limits.CARD_NUMBER,
                    hint="13位卡号，按Enter添加到列表",
                ),
            ],
            [REASON],
        ],
        id="entry",
    )
