"""The credential of a server that its team runs, from where its command or its environment has it.

Not here: what it holds (`core/enrolment`), what is done with it (`wire_own`).
"""

from pathlib import Path
from typing import Final

from pierhead.bootstrap.settings import credential
from pierhead.core.enrolment import Enrolment
from pierhead.core.errors import Misconfigured

VARIABLE: Final = "PIERHEAD_CREDENTIAL"
_HINT: Final = "give the line that `pierhead server enrol NAME` printed: --credential FILE, or PIERHEAD_CREDENTIAL"


def own_credential(file: Path | None) -> Enrolment:
    """Of that file, else of PIERHEAD_CREDENTIAL, else of the file that PIERHEAD_CREDENTIAL_FILE names.

    Errors: Misconfigured (`bad-credential`).
    """
    text = "" if file is not None else credential(VARIABLE) or ""
    named = file or (Path(kept) if not text and (kept := credential(f"{VARIABLE}_FILE")) else None)
    try:
        text = named.read_text("utf-8") if named is not None else text
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"the credential in {named} cannot be read", hint=_HINT, code="bad-credential") from None
    if not text.strip():
        raise Misconfigured("the server has no credential", hint=_HINT, code="bad-credential")
    return Enrolment.read(text)
