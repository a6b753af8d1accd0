"""The ports of sign-in in dicts: for unit tests. `KnownPeople` also serves the built-in sign-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pierhead.core.audit_people import PeopleFact, PersonRestored, PersonWithdrawn
from pierhead.core.claims import Claims
from pierhead.core.errors import UpstreamUnreachable
from pierhead.core.withdrawal import Withdrawal, Withdrawals
from pierhead.usecases.ports_sign_in import (
    Client,
    ClientDocument,
    Code,
    RefreshToken,
    SignedIn,
    SpentCode,
    SpentRefreshToken,
)


@dataclass(slots=True)
class MemorySignIn:
    """Fills `SignInStore`."""

    clients: dict[str, Client] = field(default_factory=dict[str, Client])
    codes: dict[str, Code] = field(default_factory=dict[str, Code])
    tokens: dict[str, RefreshToken] = field(default_factory=dict[str, RefreshToken])
    spent: dict[str, float] = field(default_factory=dict[str, float])
    revoked: set[str] = field(default_factory=set[str])

    async def add_client(self, client: Client) -> None:
        self.clients[client.id] = client

    async def client(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    async def drop_idle_clients(self, registered_before: float) -> int:
        used = {row.client_id for row in (*self.codes.values(), *self.tokens.values())}
        idle = [key for key, client in self.clients.items() if client.registered_at < registered_before]
        gone = [key for key in idle if key not in used]
        for key in gone:
            del self.clients[key]
        return len(gone)

    async def add_code(self, code: Code) -> None:
        self.codes[code.digest] = code

    async def spend_code(self, digest: str, now: float) -> SpentCode | None:
        code = self.codes.get(digest)
        if code is None:
            return None
        again = digest in self.spent
        self.spent.setdefault(digest, now)
        return SpentCode(code, again)

    async def add_refresh_token(self, token: RefreshToken) -> None:
        self.tokens[token.digest] = token

    async def spend_refresh_token(self, digest: str, now: float) -> SpentRefreshToken | None:
        token = self.tokens.get(digest)
        if token is None:
            return None
        return SpentRefreshToken(token, self.spent.setdefault(digest, now), token.family in self.revoked)

    async def revoke_family(self, family: str, now: float) -> bool:
        del now
        first = family not in self.revoked
        self.revoked.add(family)
        return first

    async def families_of(self, person: str) -> Sequence[str]:
        families = {token.family for token in self.tokens.values() if token.person == person} - self.revoked
        self.codes = {digest: code for digest, code in self.codes.items() if code.person != person}
        return sorted(families)


@dataclass(slots=True)
class MemoryDocuments:
    """Fills `ClientDocuments`; `read_addresses` are those that were asked for."""

    documents: dict[str, ClientDocument]
    read_addresses: list[str] = field(default_factory=list[str])

    async def read(self, address: str) -> ClientDocument:
        self.read_addresses.append(address)
        if address not in self.documents:
            raise UpstreamUnreachable("nobody answers there")
        return self.documents[address]


@dataclass(slots=True)
class MemoryPeople:
    """Fills `PeopleStore` and `WithdrawalStore`."""

    people: dict[tuple[str, str], tuple[int, SignedIn]] = field(
        default_factory=dict[tuple[str, str], tuple[int, SignedIn]]
    )
    withdrawn: dict[tuple[str, str], Withdrawal] = field(default_factory=dict[tuple[str, str], Withdrawal])
    facts: list[PeopleFact] = field(default_factory=list[PeopleFact])
    number: int = 0
    last: int = 0

    async def keep(self, person: SignedIn, since: float) -> None:
        self.people = {key: known for key, known in self.people.items() if known[1].at >= since}
        self._put(person)

    async def change(self, before: SignedIn, after: SignedIn) -> bool:
        key = (before.issuer, before.name)
        if key not in self.people or self.people[key][1] != before:
            return False
        self._put(after)
        return True

    async def forget(self, issuer: str, name: str) -> None:
        if (issuer, name) in self.people:
            self._put(SignedIn(name, issuer, frozenset(), 0.0))

    async def signed_in(self, issuer: str, after: int) -> tuple[int, Sequence[SignedIn]]:
        known = [person for number, person in self.people.values() if number > after and person.issuer == issuer]
        return self.number, known

    async def withdraw(self, more: Withdrawal, at: float, fact: PersonWithdrawn) -> None:
        del at
        before = self.withdrawn.get(more.person)
        self.withdrawn[more.person] = before.and_also(more) if before else more
        self.facts.append(fact)
        self.last += 1

    async def restore(self, person: tuple[str, str], groups: frozenset[str], at: float, fact: PersonRestored) -> bool:
        del at
        before = self.withdrawn.get(person)
        if before is None or before.groups.isdisjoint(groups):
            return False
        self.withdrawn[person] = replace(before, groups=before.groups - groups)
        self.facts.append(fact)
        self.last += 1
        return True

    async def version(self) -> int:
        return self.last

    async def withdrawals(self, since: float) -> Withdrawals:
        live = (each for each in self.withdrawn.values() if each.groups or each.before >= since)
        return Withdrawals.of(self.last, live)

    def _put(self, person: SignedIn) -> None:
        self.number += 1
        self.people[person.issuer, person.name] = (self.number, person)


class MemorySeal:
    """Fills `Seal`, and hides nothing."""

    def closed(self, secret: str, about: str) -> str:
        return f"{about}|{secret}"

    def opened(self, sealed: str, about: str) -> str | None:
        meant, _, secret = sealed.rpartition("|")
        return secret if meant == about else None


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """Fills `People`: the people of a fleet file, for the built-in sign-in."""

    by_name: Mapping[str, frozenset[str]]
    stated: Mapping[str, Claims] = field(default_factory=dict[str, Claims])

    def names(self) -> tuple[str, ...]:
        return tuple(self.by_name)

    def groups(self, person: str) -> frozenset[str] | None:
        return self.by_name.get(person)

    def claims(self, person: str) -> Claims:
        return self.stated.get(person, ())

    def void_before(self, person: str) -> float:
        del person
        return 0.0
