"""registry: the signature is the schema; every value is checked and every refusal names what is valid."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.attribution import METHODS
from explain.errors import BadValue, ExplainError, Unknown, enumerate_some, shorten
from explain.options import Choices, Option, Range
from explain.registry import Registry


@pytest.fixture
def fruits():
    registry = Registry("fruit")

    @registry.register
    def apple(
        skin,
        *,
        count: Annotated[int, Range(1, 9, help="how many")] = 3,
        weight: Annotated[float, Range(0, 1)] = 0.5,
        colour: Annotated[str, Choices("red", "green")] = "red",
        ripe: bool = True,
        note: str = "",
    ):
        """An apple.

        More of it.
        """
        return skin, count, weight, colour, ripe, note

    @registry.register(label="Grad-CAM")
    def grad_cam():
        """Not a fruit."""

    return registry


def test_schema(fruits):
    options = fruits["apple"].options
    assert list(options) == ["count", "weight", "colour", "ripe", "note"], "positional parameters are no options"
    assert options["count"] == Option("count", int, 3, Range(1, 9, "how many"))
    assert options["colour"].bounds.values == ("red", "green")
    assert (options["count"].help, options["note"].help) == ("how many", "")
    assert options["ripe"].type is bool
    assert options["ripe"].bounds is None


def test_mapping(fruits):
    assert list(fruits) == ["apple", "grad_cam"]
    assert len(fruits) == 2
    assert "apple" in fruits
    assert "pear" not in fruits
    assert fruits["apple"].summary == "An apple."
    assert fruits["apple"].label == "Apple"
    assert fruits["grad_cam"].label == "Grad-CAM"


def test_call(fruits):
    assert fruits["apple"]("thin") == ("thin", 3, 0.5, "red", True, "")
    assert fruits["apple"]("thin", count="9", weight="1", ripe="no") == ("thin", 9, 1.0, "red", False, "")


def test_check_fills_defaults_in_order(fruits):
    assert fruits["apple"].check({"note": "x"}) == {
        "count": 3,
        "weight": 0.5,
        "colour": "red",
        "ripe": True,
        "note": "x",
    }


def test_twice(fruits):
    with pytest.raises(ValueError, match="twice"):
        fruits.register(fruits["apple"].function)
    assert len(fruits) == 2


@pytest.mark.parametrize("name", ["aple", "", None, 3, ["apple"], {}])
def test_unknown_name(fruits, name):
    with pytest.raises(Unknown, match=r"Unknown fruit .*apple") as caught:
        fruits[name]
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("value", ["0", "10", 0, 10, -1, 1e9, "1.5", 1.5, "x", "", None, [], True, "nan", "inf", 1e400])
def test_count(fruits, value):
    with pytest.raises(BadValue, match="count=") as caught:
        fruits["apple"].check({"count": value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "-inf", 1.01, -0.01, "half", None, False])
def test_weight(fruits, value):
    with pytest.raises(BadValue, match="weight="):
        fruits["apple"].check({"weight": value})


@pytest.mark.parametrize("value", ["maybe", 2, None, ""])
def test_ripe(fruits, value):
    with pytest.raises(BadValue, match="true or false"):
        fruits["apple"].check({"ripe": value})


@pytest.mark.parametrize(
    ("value", "truth"), [(True, True), ("True", True), ("yes", True), (1, True), ("0", False), ("NO", False)]
)
def test_truth(fruits, value, truth):
    assert fruits["apple"].check({"ripe": value})["ripe"] is truth


def test_choices(fruits):
    with pytest.raises(Unknown, match=r"'blue'.*red, green"):
        fruits["apple"].check({"colour": "blue"})


def test_unknown_option(fruits):
    with pytest.raises(Unknown, match=r"option of apple 'size'.*count, weight, colour"):
        fruits["apple"].check({"size": 1})
    with pytest.raises(Unknown, match="It has none"):
        fruits["grad_cam"].check({"size": 1})


@given(st.integers(-20, 20))
def test_range_is_what_it_says(value):
    option = Option("count", int, 1, Range(1, 9))
    for form in (value, str(value), float(value)):
        if 1 <= value <= 9:
            checked = option.check(form)
            assert checked == value
            assert type(checked) is int
        else:
            with pytest.raises(BadValue, match="1 to 9"):
                option.check(form)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.binary(), st.lists(st.integers()), st.booleans()))
def test_anything(value):
    """Whatever comes from a URL or a shell is either in range or refused with one line."""
    for option in (Option("a", int, 1, Range(1, 9)), Option("b", bool, True), Option("c", str, "x", Choices("x", "y"))):
        try:
            checked = option.check(value)
        except ExplainError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert checked in {"a": range(1, 10), "b": (True, False), "c": ("x", "y")}[option.name]


def test_a_parameter_that_is_ignored_is_not_taken():
    assert METHODS["grad_cam"].takes("layer")
    assert not METHODS["gradient"].takes("layer")


def test_messages():
    assert "Did you mean 'conv1'?" in str(Unknown("layer", "conv_1", ["conv1", "relu"]))
    many = [f"layer{k}" for k in range(100)]
    assert "and 88 more" in str(Unknown("layer", "xyz", many))
    assert "Valid" not in str(Unknown("layer", "layer_1", many)), "close names instead of a long list"
    assert len(shorten("x" * 1000)) <= 80
    assert shorten("a\nb") == r"'a\nb'"
    assert enumerate_some(["a", "b", "c"], 2) == "a, b and 1 more"
