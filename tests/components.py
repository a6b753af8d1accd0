"""The real components that tests drive: one function finds each, or skips with what was tried.

`tools/components.py` brings them (`make test`); nothing is installed here.
"""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def chromium() -> str:
    """The browser's executable."""
    found = shutil.which("chromium") or os.environ.get("PIERHEAD_CHROMIUM", "")
    if not found or not Path(found).exists():
        pytest.skip("component chromium: no chromium on the path, none in PIERHEAD_CHROMIUM")
    return found


def axe() -> Path:
    """The accessibility checks, as one script for a page."""
    script = ROOT / ".tools" / "node" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip(f"component axe-core: no {script.relative_to(ROOT)}; `make test` installs it")
    return script
