"""The law of the chain: an app imports only what is to its left. A planted violation must be found."""

import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import grimp
import pytest
from django.conf import settings

CHAIN = ["projects", "connections", "telemetry", "emissions", "billing", "receipts", "audit"]
APPS = ["carbon_site", *CHAIN]
INTERFACES = ("admin", "apps", "management", "receivers", "serializers", "tasks", "urls", "viewsets")
PAIRS = list(pairwise(CHAIN))
PLANTS = {"at the top": "import {right}\n", "inside a function": "def later():\n    import {right}\n"}


def contracts() -> dict[str, dict]:
    config = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    return {contract["name"]: contract for contract in config["tool"]["importlinter"]["contracts"]}


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the code, in which a violation may be planted."""
    there = tmp_path_factory.mktemp("copy")
    shutil.copy(settings.BASE_DIR / "pyproject.toml", there)
    for app in APPS:
        shutil.copytree(settings.BASE_DIR / app, there / app, ignore=shutil.ignore_patterns("__pycache__"))
    return there


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


class TestChain:
    def test_is_kept(self, copy):
        ran = lint(copy)

        assert ran.returncode == 0, ran.stdout

    @pytest.mark.parametrize(("left", "right"), PAIRS)
    @pytest.mark.parametrize("where", PLANTS)
    def test_refuses_an_import_to_the_right(self, copy, left, right, where):
        planted = copy / left / "planted.py"
        planted.write_text(PLANTS[where].format(right=right))
        try:
            ran = lint(copy)
        finally:
            planted.unlink()

        assert ran.returncode == 1
        assert re.search(rf"{left}\.planted\s*->\s*{right}", ran.stdout)

    def test_says_of_each_module_of_the_ground_whether_it_is_floor_or_roof(self):
        layers = contracts()["The chain: an app imports only what is to its left"]["layers"]
        named = {name for layer in layers for name in re.findall(r"carbon_site\.(\w+)", layer)}

        there = {
            path.stem
            for path in (settings.BASE_DIR / "carbon_site").iterdir()
            if (path.suffix == ".py" or path.is_dir())
        }

        assert there - {"__init__", "__pycache__", "migrations", "settings", "templates", "static"} <= named


class TestInterfaces:
    def test_are_used_by_their_own_app_alone(self):
        graph = grimp.build_graph(*APPS)
        roof = {"carbon_site.urls", "carbon_site.jobs"}

        strangers = {
            (importer, module)
            for module in graph.modules
            if module.split(".")[0] in CHAIN and module.split(".")[1:2] and module.split(".")[1] in INTERFACES
            for importer in graph.find_modules_that_directly_import(module)
            if importer.split(".")[0] != module.split(".")[0] and importer not in roof
        }

        assert strangers == set()
