"""The pytest floor: options, items, fixtures and reports. Nothing else here imports pytest.

`-p pytest_tfoidc.plugin` loads the hooks, as the entry point does.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PACKAGE = __name__.partition(".")[0]

pytest_plugins = (f"{__name__}.hooks",)


class AsInstalled(MetaPathFinder):
    """Find this package's modules as they were installed: compiled already.

    pytest rewrites what asserts in every module of a plugin. It would compile some two hundred of
    them on each fresh machine, and anew at every start where Python writes no bytecode.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; None for those of others."""
        if not fullname.startswith(f"{PACKAGE}."):
            return None
        return PathFinder.find_spec(fullname, path, target)


sys.meta_path.insert(0, AsInstalled())
