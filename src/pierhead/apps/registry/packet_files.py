"""How a part of a packet leaves as a file: under a name of ours, as bytes, so that no browser shows or runs it.

Above: the API and the pages. Not here: whose it is to read.
"""

import re
from collections.abc import Mapping
from typing import Final

from pierhead.core.packet import FILE_NAMES, PartKind
from pierhead.usecases.ports_catalogue import Version

_ODD: Final = re.compile(r"[^A-Za-z0-9.+_-]")
_LONGEST: Final = 100


def file_headers(version: Version, kind: PartKind) -> Mapping[str, str]:
    """Headers beside `nosniff`, which API and pages send with everything."""
    told = _ODD.sub("_", version.version)[:_LONGEST]  # a guest's version may be any text
    named = f"{version.server}-{told}-{FILE_NAMES[kind]}"
    return {"content-disposition": f'attachment; filename="{named}"', "content-type": "application/octet-stream"}
