"""The kinds of entries, one file a family. Importing this package registers every kind.

A new family is a new file here; a new kind is a class in its family's file.
"""

import importlib
import pkgutil

for _family in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_family.name}")
