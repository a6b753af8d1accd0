"""Who the clients of the sign-in are, from settings and store. For the registry alone: it loads what fetches."""

from pierhead.adapters.foreign.document import FetchedDocuments
from pierhead.bootstrap.sign_in_settings import SignInSettings
from pierhead.usecases.find_client import Clients
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import Client, ClientBook


def known_clients(setting: SignInSettings, store: ClientBook, inside: frozenset[str], clock: Clock) -> Clients:
    """Those of the settings, those that describe themselves, and those of the store."""
    known = {
        name: Client(name, client.name, client.redirect_uris, "none", "", 0) for name, client in setting.clients.items()
    }
    return Clients(store, FetchedDocuments(inside, clock), clock, known, frozenset(setting.client_hosts))
