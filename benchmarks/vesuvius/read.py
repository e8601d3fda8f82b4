"""The peer's part of the benchmark `volume`: runs in a virtual environment that has `vesuvius`.

    python read.py ARRAY JOBS.json

JOBS is a list of lists of boxes [z0, z1, y0, y1, x0, x1]. For each list the boxes are read by
`vesuvius.data.Volume`, and seconds and a checksum are printed as JSON, one line a list.
"""

import contextlib
import io
import json
import sys
import time
import zlib

with contextlib.redirect_stdout(io.StringIO()):
    from vesuvius.data.volume import Volume


def main(path, jobs):
    for boxes in json.load(open(jobs)):
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
