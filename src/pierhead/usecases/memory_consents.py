"""`Consents` in a dict, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pierhead.core.audit import Fact
from pierhead.core.consent import Consent, ConsentEnded, ConsentGiven, ConsentReused
from pierhead.usecases.memory_sign_in import MemorySignIn


@dataclass(slots=True)
class MemoryConsents:
    """Keeps what it is given; `facts` are those that came along."""

    sign_in: MemorySignIn
    kept: dict[str, Consent] = field(default_factory=dict[str, Consent])
    facts: list[Fact] = field(default_factory=list[Fact])

    async def one(self, consent_id: str, now: float) -> Consent | None:
        found = self.kept.get(consent_id)
        return found if found and found.expires_at > now else None

    async def of(self, issuer: str, person: str, now: float) -> Sequence[Consent]:
        mine = (each for each in self.kept.values() if (each.issuer, each.person) == (issuer, person))
        return sorted((each for each in mine if each.expires_at > now), key=lambda each: (-each.given_at, each.id))

    async def keep(self, consent: Consent, fact: ConsentGiven | ConsentReused, at: float) -> None:
        del at
        self.kept[consent.id] = consent
        self.facts.append(fact)

    async def end(self, consent: Consent, fact: ConsentEnded, at: float) -> bool:
        del at
        if self.kept.pop(consent.id, None) is None:
            return False
        store, mine = self.sign_in, (consent.person, consent.client_id)
        made = (*store.codes.values(), *store.tokens.values())
        ended = {each.family for each in made if (each.person, each.client_id) == mine} - store.revoked
        store.codes = {key: code for key, code in store.codes.items() if (code.person, code.client_id) != mine}
        store.revoked |= ended
        self.facts.append(replace(fact, token_ids=tuple(sorted(ended))))
        return True
