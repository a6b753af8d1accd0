"""Everything that a server's own process must be told to stand behind the gateway, as one text: its credential.

The text is a secret. Whoever enrols a server is shown it once and puts it into that process's environment, or a file.
Not here: making one (`usecases/enrol_server`), reading the environment (`bootstrap/settings`).
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, cast

from pierhead.core.errors import Misconfigured

_PREFIX: Final = "pierhead-server:"
_LONGEST: Final = 8192
_KEY: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What one process holds. `assertion` and `policy` are keys in hex: what it checks callers and policy with.

    `listens` is the address that its entry declares, `platform` where it finds the registry.
    """

    server: str
    listens: str
    platform: str
    bearer: str = field(repr=False)
    assertion: str = field(repr=False)
    policy: str

    def text(self) -> str:
        """One line."""
        return _PREFIX + urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def read(cls, text: str) -> "Enrolment":
        """Errors: Misconfigured (`bad-credential`); no part of the text is told."""
        members = _members(text.strip())
        if set(members) != set(cls.__dataclass_fields__) or not all(isinstance(each, str) for each in members.values()):
            raise _bad()
        read = cls(**cast("dict[str, str]", members))
        if not _KEY.fullmatch(read.assertion) or not _KEY.fullmatch(read.policy):
            raise _bad()
        return read


def _members(text: str) -> Mapping[str, object]:
    if not text.startswith(_PREFIX) or len(text) > _LONGEST:
        raise _bad()
    try:
        form: object = json.loads(urlsafe_b64decode(text.removeprefix(_PREFIX)))
    except (ValueError, BadBase64):
        raise _bad() from None
    return cast("Mapping[str, object]", form) if isinstance(form, dict) else {}


def _bad() -> Misconfigured:
    hint = "give the whole line that `pierhead server enrol NAME` printed"
    return Misconfigured("this is no credential of a server", hint=hint, code="bad-credential")
