"""Where the nodes of a graph stand: a column after all that feed them, ways that run beside each other in lanes."""

from explain.network.graph import Graph

__all__ = ["places"]


def places(graph: Graph) -> list[tuple[int, int]]:
    """Column and lane of each node, both from 0: no two share a place, and every edge leads to a later column.

    A node goes on in the lane of what feeds it, a join in the first lane of those it joins; where another stands there
    or further on, in the next free lane below.
    """
    columns: list[int] = []
    for node in graph.nodes:
        columns.append(1 + max((columns[k] for k in node.before), default=-1))
    found: list[tuple[int, int]] = []
    until: list[int] = []  # a lane is free after this column
    for k, node in enumerate(graph.nodes):
        lane = min((found[b][1] for b in node.before), default=0)
        while lane < len(until) and until[lane] >= columns[k]:
            lane += 1
        until += [-1] * (lane + 1 - len(until))
        until[lane] = columns[k]
        found.append((columns[k], lane))
    return found
