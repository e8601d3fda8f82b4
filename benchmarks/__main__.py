"""Run benchmarks: `python -m benchmarks` runs all, `python -m benchmarks verify` one."""

from __future__ import annotations

import importlib
import sys

from benchmarks import harness

NAMES = (
    "verify",
    "append",
    "rewards",
    "publish",
    "gas",
    "payout",
    "reorg",
    "theft",
    "fragments",
    "phantom",
    "sampling",
    "volume",
    "flatten",
    "segment",
    "ink",
    "text",
    "read",
)


def main(wanted: list[str]) -> int:
    """Run the benchmarks named `wanted`, or all. A missed aim is a finding, not a failure."""
    strange = [name for name in wanted if name not in NAMES]
    if strange:
        print(f"There is no benchmark {strange[0]!r}. There are: {', '.join(NAMES)}.")
        return 2
    for name in wanted or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        harness.write(name, module.run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
