"""`python -m danseo`: the command line."""

import sys

from danseo.cli import main

sys.exit(main())
