"""Driver values -> JSON scalars and nothing cut: what was written comes back as it is.

Above: write_lane.py, etags.py. Answers of reads are cut by cells.py.
"""

import orjson

from pierhead.sdk.governed.cells import plain


def whole(value: object) -> object:
    """`value` as a JSON scalar; texts, bytes and nested values in full."""
    match value:
        case str():
            return value
        case bytes() | bytearray():
            return "\\x" + value.hex()
        case list() | tuple() | dict():
            return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS).decode()
        case _:
            return plain(value)
