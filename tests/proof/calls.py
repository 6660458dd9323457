"""A call of a machine, as a formula and as a step with numbers."""

from typing import Any, NamedTuple

from logic import larger


class Call(NamedTuple):
    """A method that changes a machine, by the name of its function in the model."""

    name: str
    # The kinds of its arguments after the time.
    takes: tuple[str, ...] = ()
    # Whether it takes the time.
    timed: bool = True
    # Whether it says what the caller has to do.
    answers: bool = False
    # The only state in which it is called.
    only_in: str | None = None


class Step(NamedTuple):
    """A call of a model, with the machine before it and after it, and what the caller has to do."""

    model: Any
    call: Call
    before: Any
    now: Any
    arguments: tuple
    after: Any
    outcome: Any

    @property
    def time(self):
        """The time that counts."""
        return larger(self.before.clock, self.now) if self.call.timed else self.before.clock

    @property
    def last(self):
        """The latest time that the call names."""
        return self.time + self.arguments[0] if self.call.takes == ("duration",) else self.time

    def repeated(self, machine, now):
        """What follows from the same call of another machine, or at another time."""
        return make(self.model, self.call, machine, now, self.arguments)[-2:]


def make(model, call, before, now, arguments):
    # Looked up when the call is made, because the proof plants faults in the model.
    function = getattr(model, call.name)
    made = function(before, *([now] if call.timed else []), *arguments)
    after, outcome = made if call.answers else (made, model.NOTHING)
    return Step(model, call, before, now, arguments, after, outcome)
