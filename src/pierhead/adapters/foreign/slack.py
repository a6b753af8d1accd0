"""Notices as messages in a channel of Slack, through an incoming webhook that an operator made there.

The address is the credential, so it is a secret: it is in no error. Nothing of a notice is read as markup. What was
taken can come twice after a crash: Slack has no id for a message. Fills `ports_notices.Notifier`. Not here: webhooks of
others, which are signed (`webhook`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx2
import orjson

from pierhead.adapters.foreign.outward import Unreachable, outward
from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.usecases.ports_notices import Notice

_TIMEOUT_S: Final = 10.0
_FOR_GOOD: Final = frozenset({400, 403, 404, 410})
"""What Slack answers where the webhook or its channel is gone, or a message that it will never take."""
_LONGEST: Final = 2_900
_JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Slack:
    """`url` is the incoming webhook. `allowed` are hosts that may lie inside the network."""

    url: str = field(repr=False)
    allowed: frozenset[str] = frozenset()

    async def send(self, notice: Notice, now: float) -> None:
        """Errors: UpstreamUnreachable; Invalid, where the webhook is gone for good."""
        del now
        body = orjson.dumps(message(notice))
        try:
            transport = await outward(self.url, guarded=True, allowed=self.allowed)
            async with httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT_S) as client:
                answer = await client.post(self.url, content=body, headers=_JSON)
        except (Unreachable, httpx2.HTTPError) as failed:
            reason = type(failed).__name__  # its text may hold the address
            raise UpstreamUnreachable(f"Slack did not take it: {reason}", hint="see notify.slack_url") from None
        if answer.status_code in _FOR_GOOD:
            text = f"Slack does not take it: {answer.status_code}"
            raise Invalid(text, hint="make the incoming webhook anew: notify.slack_url")
        if not answer.is_success:
            raise UpstreamUnreachable(f"Slack answered {answer.status_code}", hint="see notify.slack_url")


def message(notice: Notice) -> Mapping[str, object]:
    """What is told as plain text, and a link; `text` is what a notification of Slack shows."""
    title, sentence = (" ".join(str(notice.content[name]).split()) for name in ("title", "sentence"))
    told = {"type": "plain_text", "text": f"{title}\n{sentence}"[:_LONGEST], "emoji": False}
    link = {"type": "mrkdwn", "text": f"<{notice.content['url']}|Open it in Pierhead>"}
    blocks = [{"type": "section", "text": text} for text in (told, link)]
    return {"text": escaped(f"{title}: {sentence}")[:_LONGEST], "mrkdwn": False, "blocks": blocks}


def escaped(text: str) -> str:
    """The three signs that mean links and mentions, by name."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
