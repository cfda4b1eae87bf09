"""How well saliency maps, and what is said of them, do where it is known which pixels decide.

    python benchmarks/truth.py [--pictures 4] [--suites NAME ...] [--peers] [--cache FOLDER] [--out FILE]

Networks whose evidence is planted are made (a minute or two each) and kept in the cache; the evidence is proved by
intervention. All methods, the controls and the truth's own mask are then asked of each picture. Printed are, as
Markdown: what proves each suite; where the maps of each method lie; how well each measure of trust, the verdict, and
with --peers each measure of Quantus (`pip install quantus`) tell right maps from wrong ones; and what the verdict says
of right maps, wrong maps and each control.

A map is right if at least half of its highest pixels, as many as half of the evidence's, lie in the evidence; all
controls but the truth are wrong. Measures and limits were chosen on the suites that are not held out.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from machine import machine
from planted.measured import Row, rows_of
from planted.networks import Planted, planted
from planted.suites import SUITES
from scipy.stats import rankdata

RIGHT = 0.5
LEVELS = {"passes": 1.0, "cannot tell": 0.5, "doubtful": 0.5, "fails": 0.0}


def is_right(row: Row) -> bool:
    return bool(row["kind"] != "control" and row["share"] >= RIGHT)


def auc(right: Iterable[float], wrong: Iterable[float]) -> float:
    """The chance that a right map has more of it than a wrong one."""
    one, other = np.array(list(right), float), np.array(list(wrong), float)
    if not len(one) or not len(other):
        return float("nan")
    ranks = rankdata(np.concatenate([one, other]))
    return float((ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2) / (len(one) * len(other)))


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    cells = [[f"{one:.2f}" if isinstance(one, float) else str(one) for one in row] for row in rows]
    names = list(head)
    return "\n".join("| " + " | ".join(row) + " |" for row in [names, ["---"] * len(names), *cells]) + "\n"


def of_suites(made: Iterable[Planted]) -> str:
    rows = []
    for one in made:
        proof = " ".join(f"{name} {value:.2f}" for name, value in one.proof.items())
        rows.append([one.suite.name, one.suite.what, "held out" if one.suite.held_out else "to choose by", proof])
    return table(
        ("suite", "what decides", "used", "accuracy; probability with, without and of the evidence alone"), rows
    )


def of_methods(rows: list[Row]) -> str:
    by = _by(rows, lambda row: row["entry"])
    lines = [
        [name, len(of), *(float(np.mean([row[what] for row in of])) for what in ("share", "auc", "mass")), _levels(of)]
        for name, of in by.items()
    ]
    lines.sort(key=lambda line: -line[2])
    return table(("map", "maps", "highest inside", "AUC", "mass inside", "passes/doubtful/fails/cannot tell"), lines)


def of_measures(rows: list[Row]) -> str:
    """Each in the direction that it is meant in; Quantus' in the better of both, as it is told nothing else."""
    lines = [["**verdict**", "ours", len(rows), _tells(rows, lambda row: LEVELS[row["verdict"]])]]
    for source in ("ours", "peers"):
        for name in dict.fromkeys(name for row in rows for name in row.get(source, {})):
            having = [row for row in rows if name in row.get(source, {})]
            value = _tells(having, lambda row, name=name, source=source: row[source][name])
            if name != "room":
                lines.append([name, source.replace("peers", "Quantus"), len(having), value])
    for line in lines:
        if line[1] == "Quantus":
            line[3] = max(line[3], 1 - line[3])
    lines = sorted((line for line in lines if np.isfinite(line[3])), key=lambda line: -line[3])
    return table(("measure", "of", "maps", "AUC, right against wrong"), lines)


def of_verdict(rows: list[Row]) -> str:
    right, wrong = [row for row in rows if is_right(row)], [row for row in rows if not is_right(row)]
    lines = [["right maps", right], ["wrong maps", [row for row in wrong if row["kind"] == "map"]]]
    lines += [["the truth's own mask", [row for row in rows if row["kind"] == "truth"]]]
    lines += _by([row for row in rows if row["kind"] == "control"], lambda row: f"control: {row['entry']}").items()
    said = [[name, len(of), *(f"{_share(of, level):.0%}" for level in LEVELS)] for name, of in lines if of]
    return table(("", "maps", *LEVELS), said)


def of_calibration(rows: list[Row]) -> str:
    """Of maps with so much of what can be found, how many are right."""
    lines = []
    for low, high in ((-np.inf, 0), (0, 0.2), (0.2, 0.4), (0.4, 0.55), (0.55, 0.7), (0.7, 0.85), (0.85, np.inf)):
        of = [row for row in rows if low <= row["ours"]["share found"] < high and row["kind"] == "map"]
        if of:
            name = f"{max(low, -1):.2f} to {min(high, 1):.2f}"
            lines.append([name, len(of), float(np.mean([is_right(row) for row in of]))])
    return table(("share found", "methods' maps", "right"), lines)


def _by(rows: list[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _tells(rows: list[Row], value: Callable[[Row], float]) -> float:
    return auc((value(row) for row in rows if is_right(row)), (value(row) for row in rows if not is_right(row)))


def _share(rows: list[Row], level: str) -> float:
    return float(np.mean([row["verdict"] == level for row in rows]))


def _levels(rows: list[Row]) -> str:
    return "/".join(
        str(sum(row["verdict"] == level for row in rows)) for level in ("passes", "doubtful", "fails", "cannot tell")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=4, help="of each suite")
    parser.add_argument("--suites", nargs="*", default=list(SUITES), help="some of them; by default all")
    parser.add_argument("--peers", action="store_true", help="also measure by Quantus")
    parser.add_argument("--cache", type=Path, default=Path(".cache/truth"), help="of networks and of what was measured")
    parser.add_argument("--out", type=Path, help="a file for the tables")
    given = parser.parse_args()
    if unknown := [name for name in given.suites if name not in SUITES]:
        parser.error(f"no suite {unknown[0]!r}; valid: {', '.join(SUITES)}")
    made, rows = [], []
    for name in given.suites:
        count = given.pictures if SUITES[name].net != "transfer" else max(1, given.pictures // 2)
        made.append(planted(SUITES[name], count, given.cache / "networks"))
        rows += rows_of(name, made[-1], given.cache / "measured", given.peers)
        print(f"{name}: {len(rows)} maps so far", file=sys.stderr, flush=True)
    parts = [f"{machine()}\n", of_suites(made)]
    for title, of in (("held out", True), ("to choose by", False)):
        some = [row for row in rows if SUITES[row["suite"]].held_out == of]
        if some:
            parts += [f"## Suites {title}\n", of_measures(some), of_verdict(some), of_calibration(some)]
    parts += ["## Where the maps lie, all suites\n", of_methods(rows)]
    text = "\n".join(parts)
    print(text)
    if given.out:
        given.out.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
