"""Which routes of the internal API a server may use that speaks for itself alone, whichever way it proved which it is.

Every one of them is checked to be about that server (`internal.require_own`). Not here: the routes.
"""

from typing import Final

#: Of what servers ask about approvals and plans.
WAITING: Final = (
    "POST /approvals",
    "POST /approvals/mine",
    "POST /approvals/{id}/confirm",
    "POST /approvals/{id}/wait",
    "POST /approvals/{id}/cancel",
    "POST /approvals/{id}/spend",
    "POST /approvals/{id}/finish",
    "POST /plans",
    "GET /plans/{id}",
    "POST /plans/{id}/use",
)
#: What a server may ask that proved by its certificate which one it is.
WITH_CERTIFICATE: Final = (
    "GET /snapshot",
    "POST /facts",
    "POST /servers/{server}/manifest",
    "POST /servers/{server}/state",
    "GET /entries/{server}",
    "POST /exchange",
    *WAITING,
)
