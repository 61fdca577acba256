"""Write the demo's sample, or another phantom, as files.

    python sample_data/make_sample.py

makes what `slagseg demo` works on, the same values; README.md beside this file says what it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_slagseg.data import SlagsegError
from napari_slagseg.phantom import DEMO_DEGRADATION, DEMO_PRESET, DEMO_SEED, LEVELS, PRESETS
from napari_slagseg.workflow.demo import write_sample


def main(arguments: list[str] | None = None) -> int:
    """Write the sample; 0 if that went well, 2 if not."""
    parser = argparse.ArgumentParser(
        description="Write the demo's sample, or another phantom, as files.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("out", type=Path, nargs="?", default=Path(__file__).parent / "sample")
    parser.add_argument("--preset", choices=list(PRESETS), default=DEMO_PRESET)
    parser.add_argument("--degradation", choices=list(LEVELS), default=DEMO_DEGRADATION)
    parser.add_argument("--seed", type=int, default=DEMO_SEED)
    parser.add_argument("--overwrite", action="store_true", help="replace the sample that is there")
    given = parser.parse_args(arguments)
    try:
        write_sample(
            given.out, given.preset, given.degradation, given.seed, overwrite=given.overwrite
        )
    except SlagsegError as error:
        there = (given.out / "sample.json").is_file() and not given.overwrite
        print(f"{error}{' Or replace it: --overwrite.' if there else ''}", file=sys.stderr)
        return 2
    print(f"{given.out}: preset {given.preset}, degradation {given.degradation}, seed {given.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
