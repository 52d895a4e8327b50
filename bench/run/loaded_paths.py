"""Which code a worker has loaded, to verify that two versions really are two."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def loaded_from() -> tuple[str, ...]:
    """The folders that this process's modules were loaded from, sorted, without the standard library."""
    library = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    library |= {folder / "lib-dynload" for folder in library}
    found = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        spec = getattr(module, "__spec__", None)
        name = getattr(spec, "name", None) or name  # the main module's own name is __main__
        if isinstance(file, str) and Path(file).is_absolute() and name.split(".")[0] not in sys.stdlib_module_names:
            found.add(_root(name, Path(file)))
    return tuple(sorted(str(folder) for folder in found - library))


def _root(name: str, file: Path) -> Path:
    """The search-path folder that contains a module; symbolic links inside a package are not followed out of it."""
    depth = name.count(".") + (file.stem == "__init__")
    return file.parents[min(depth, len(file.parents) - 1)].resolve()
