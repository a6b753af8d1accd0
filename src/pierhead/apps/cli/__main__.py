"""`python -m pierhead.apps.cli`: how the supervisor starts the other roles with its own interpreter."""

from pierhead.apps.cli import main

main()
