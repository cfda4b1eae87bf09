"""An index as an input: its facts say which network and pictures it is of, and how one like it is built."""

from __future__ import annotations

from typing import Any

from ...errors import BadValue
from ..facts import Facts
from .kind import Given, Input, Opener, literal
from .network import model_of


class IndexInput(Input):
    metavar, own, url, opened, positional = "INDEX", "index", "index", True, True
    help = "the folder of an index, or the name of one in the workspace"
    in_python = "from build_index or open_index"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.index(text)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        from ..parts.result import index_facts

        return index_facts(value)

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadValue or BadFile where there is none of this model over these pictures. What is
        given is the first index; a second one may be another."""
        facts = facts if name == self.own else facts.part(name)
        if open.given_index is not None:
            problem = other_index(facts, open.given_index.manifest, len(open.given_index))
            if problem and name == self.own:
                raise BadValue(problem)
            if not problem:
                return open.given_index
        return open.find_index(facts, model_of(facts, open))

    def text(self, value: Any, given: Given) -> str:
        return str(value.folder.name if value.folder.parent.name == "indexes" else value.folder)

    def python(self, value: Any, given: Given) -> str:
        return f"explain.open_index({literal(self.text(value, given))})"


def other_index(facts: Facts, known: Any, images: int) -> str:
    """How an index, by its manifest, is another than the one that the facts are of; empty when it is not."""
    options = facts.part("index")
    if known.model_digest != facts.text("model_digest"):
        return f"The index over {known.data!r} was made with other weights than the figure."
    if known.data_digest != facts.text("data_digest") or images != facts.number("images"):
        return f"The figure was made with other pictures than the index over {known.data!r} has now."
    for name in ("k", "seed"):
        if options.has(name) and options.number(name) != getattr(known, name):
            return f"The index over {known.data!r} has {name}={getattr(known, name)}, not {options.number(name)}."
    if options.has("layers") and options.texts("layers") != list(known.layers):
        return f"The index over {known.data!r} has other layers than the figure's."
    return ""
