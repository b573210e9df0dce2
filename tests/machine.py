"""What tests use of the machine beside Python."""

import shutil

import pytest


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skips, and says so at the end of the run, where a program is missing; with NOTHING_SKIPPED set that is a failure."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"NOT CHECKED: {', '.join(missing)} missing")
