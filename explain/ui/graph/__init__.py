"""A network drawn from left to right, whose layers can be chosen: boxes as high as maps are and as wide as channels
are many, and what feeds what."""

import math
from pathlib import Path
from typing import Any

from explain.network.graph import INPUT, Graph, Node
from explain.ui.component import mounted, nothing
from explain.ui.graph.places import places

_mount = mounted("graph", Path(__file__).parent)
FAMILIES = {"Conv": "convolution", "Linear": "linear", "Pool": "pooling", "Norm": "other"}
LEAST = 14  # CSS pixels a box is wide and high


def graph(drawn: Graph, selected: str | None, *, alt: str, key: str) -> str | None:
    """Show a network; return the layer the user has just chosen, the last of its node, else None.

    A layer is returned once, in the run that its click or key caused; pass the choice back as `selected`.
    """
    nodes = [
        {**_looks(node), "column": column, "lane": lane, "before": list(node.before)}
        for node, (column, lane) in zip(drawn.nodes, places(drawn), strict=True)
    ]
    at = drawn.node_of(selected) if selected else None
    data = {"nodes": nodes, "selected": at, "alt": alt}
    chosen = _mount(key=key, data=data, on_choose_change=nothing).get("choose")
    if type(chosen) is not int or not 0 <= chosen < len(drawn.nodes) or not drawn.nodes[chosen].layers:
        return None
    return drawn.nodes[chosen].layers[-1].name


def _looks(node: Node) -> dict[str, Any]:
    if not node.layers:
        family = INPUT if node.kind == INPUT else "join"
        return {"name": node.name, "said": node.kind, "family": family, "width": LEAST, "height": LEAST}
    last = node.layers[-1]
    side = max(last.shape[1:]) if len(last.shape) == 3 else 1
    family = next((family for part, family in FAMILIES.items() if part in node.kind), "other")
    kinds = ", ".join(dict.fromkeys(one.kind for one in node.layers))
    weights = sum(one.parameters for one in node.layers)
    said = f"{kinds} · {' × '.join(map(str, last.shape))}" + (f" · {weights:,} parameters" if weights else "")
    return {
        "name": node.name,
        "said": said,
        "family": family,
        "width": round(LEAST + 2.2 * math.log2(last.channels)),
        "height": round(8 + 6 * math.sqrt(side)),
    }
