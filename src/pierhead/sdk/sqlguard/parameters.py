"""A caller's own parameters: `$1` and `:name` in the text become slots, whose values are bound and never written.

Not here: values (servers/sql). Above: `govern`, before anything else looks at the tree.
"""

import re
from collections.abc import Mapping

from sqlglot import exp

from pierhead.sdk.sqlguard.refusal import unsupported
from pierhead.sdk.sqlguard.statement import slot
from pierhead.sdk.sqlguard.view import Dialect

PREFIX = "param_"
_NAME = re.compile(r"[A-Za-z0-9_]{1,63}")


def bind_parameters(root: exp.Expr, dialect: Dialect, casts: Mapping[str, str]) -> exp.Expr:
    """Every parameter of the tree as a slot called `param_` and its number or name, cast to its type in `casts`.

    Errors: SqlRefused.
    """
    for node in list(root.find_all(exp.Placeholder, exp.Parameter)):
        name = node.name
        is_number = isinstance(node.this, exp.Literal) and not node.this.is_string
        is_plain = isinstance(node.this, str) if isinstance(node, exp.Placeholder) else is_number
        if is_number and dialect == "snowflake":
            raise unsupported("a column by its position", "name the column, or write :name and send params")
        if not is_plain or not _NAME.fullmatch(name) or node is root:
            raise unsupported("this kind of parameter", "write $1, $2 or :name, and send params")
        bound = slot(PREFIX + name)
        node.replace(exp.cast(bound, casts[name]) if name in casts else bound)
    return root
