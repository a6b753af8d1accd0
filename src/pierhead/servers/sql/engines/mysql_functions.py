"""Stored functions of one MariaDB or MySQL database, from its information schema. Asks; judges nothing.

What they say of themselves is taken for advice: a reading session refuses a function that writes, whatever it
declared.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from pierhead.sdk.governed.catalog import StoredFunction, StoredParameter
from pierhead.servers.sql.engines.mysql_session import Session

# One that is neither deterministic nor says that it only reads may do anything.
_FUNCTIONS: Final = """
SELECT routine_name, security_type = 'DEFINER', dtd_identifier, routine_comment,
       is_deterministic = 'NO' AND sql_data_access <> 'READS SQL DATA' OR sql_data_access = 'MODIFIES SQL DATA'
FROM information_schema.routines WHERE routine_schema = database() AND routine_type = 'FUNCTION' ORDER BY routine_name
"""
_PARAMETERS: Final = """
SELECT specific_name, ordinal_position, parameter_name, dtd_identifier FROM information_schema.parameters
WHERE specific_schema = database() AND routine_type = 'FUNCTION' AND ordinal_position > 0
ORDER BY specific_name, ordinal_position
"""


async def stored_functions(session: Session, database: str) -> tuple[StoredFunction, ...]:
    """A database holds one function of a name, and none takes more or fewer arguments than it declares."""
    parameters: dict[str, list[StoredParameter]] = defaultdict(list)
    for function, place, name, type_ in await session.rows(_PARAMETERS):
        parameters[function].append(StoredParameter(int(place), str(name), str(type_)))
    rows: Sequence[Sequence[Any]] = await session.rows(_FUNCTIONS)
    return tuple(
        StoredFunction(
            database,
            str(name),
            tuple(parameters[name]),
            str(returns or ""),
            is_volatile=bool(is_volatile),
            is_definer=bool(is_definer),
            comment=str(comment or ""),
        )
        for name, is_definer, returns, comment, is_volatile in rows
    )
