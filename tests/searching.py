"""How long a property is searched: as long as its test says, or as the profile `quick` says where somebody waits."""

from hypothesis import settings


def examples(most: int) -> settings:
    """So many, or as few as `quick` has."""
    bound = settings.get_profile("quick").max_examples
    return settings(max_examples=min(most, bound) if settings.get_current_profile_name() == "quick" else most)
