"""The peer's part of the benchmark `volume`: runs in a virtual environment that has `vesuvius`.

    python read.py ARRAY JOBS.json

JOBS is a list of lists of boxes [z0, z1, y0, y1, x0, x1]. For each list the boxes are read by
`vesuvius.data.Volume`, and seconds and a checksum are printed as JSON, one line a list.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import zlib
from pathlib import Path

with contextlib.redirect_stdout(io.StringIO()):
    from vesuvius.data.volume import Volume  # type: ignore[import-not-found]


def main(path: str, jobs: str) -> None:
    """Read each list of boxes with a volume opened anew."""
    for boxes in json.loads(Path(jobs).read_text()):
        with contextlib.redirect_stdout(io.StringIO()):
            volume = Volume(type="zarr", path=path)
        check, spent = 0, 0.0
        for z0, z1, y0, y1, x0, x1 in boxes:
            start = time.perf_counter()
            block = volume[z0:z1, y0:y1, x0:x1]
            spent += time.perf_counter() - start
            check = zlib.crc32(block.tobytes(), check)
        print(json.dumps([spent, check]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
