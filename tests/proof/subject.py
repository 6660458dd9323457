"""What is proven about which machine."""

from typing import Any, Callable, NamedTuple

from calls import Step
from logic import LAST_SAFE, both


class Property(NamedTuple):
    name: str
    # The number in ARCHITECTURE.md, or 0.
    rule: int
    sentence: str
    # What follows from the invariant, and from `given`.
    holds: Callable[[Step], Any]
    # The calls that it is about, or all.
    calls: tuple[str, ...] | None = None
    given: Callable[[Step], Any] = lambda step: True
    # The latest time that is handled.
    until: int = LAST_SAFE

    def is_about(self, call):
        return self.calls is None or call.name in self.calls


class Subject(NamedTuple):
    """A machine of the code."""

    name: str
    # Its functions, by the names that they have in the code.
    model: Any
    # The type of its fields, and those that are true or false.
    fields: type
    flags: tuple[str, ...]
    # What an argument of each kind may be.
    bounds: dict[str, tuple[int, int]]
    # What is true of all arguments of a call together.
    is_valid: Callable[[Any, tuple], Any]
    # How it begins: a new machine, and what is given, from fields and one more instant of which nothing is known.
    begins: dict[str, Callable[[Any, Any], tuple[Any, Any]]]
    # The states in which every call must be possible, unless it says in which alone it is made.
    states: dict[str, Callable[[Any], Any]]
    # What is true of every machine, each part by what it says.
    invariant: Callable[[Any], dict[str, Any]]
    properties: list[Property]
    doubts: list[Property]
    # Each with the function that it stands in for, and the name of the property that must notice it.
    faults: list[tuple[str, Callable[..., Any], str]]

    def holds(self, machine):
        return both(*self.invariant(machine).values())
