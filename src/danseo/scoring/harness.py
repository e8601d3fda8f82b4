"""Calls a method's entry point inside the sandbox; copied there as it stands, it needs nothing.

Arguments: the path of the script or wheel, and the entry. Of a script the entry names a function,
of a wheel `module:function`. It is called with the folders of the data and of the output.
"""

import importlib
import importlib.util
import sys
from pathlib import Path


def main(path: str, entry: str) -> None:
    """Import the method and call its entry point."""
    if path.endswith(".whl"):
        sys.path.insert(0, path)
        name, _, function = entry.partition(":")
        module = importlib.import_module(name)
    else:
        function = entry
        spec = importlib.util.spec_from_file_location("method", path)
        if spec is None or spec.loader is None:
            raise ImportError(path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["method"] = module
        spec.loader.exec_module(module)
    getattr(module, function)(Path("/data"), Path("/out"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
