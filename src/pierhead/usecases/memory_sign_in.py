"""The ports of sign-in in dicts: for unit tests. `KnownPeople` also serves the built-in sign-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pierhead.core.claims import Claims
from pierhead.core.errors import UpstreamUnreachable
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
    """Fills `PeopleStore`."""

    people: dict[str, SignedIn] = field(default_factory=dict[str, SignedIn])

    async def keep(self, person: SignedIn, since: float) -> None:
        self.people = {name: known for name, known in self.people.items() if known.at >= since}
        self.people[person.name] = person

    async def signed_in(self, issuer: str) -> Sequence[SignedIn]:
        return [person for person in self.people.values() if person.issuer == issuer]


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
