"""Asks the solver about every step of a machine, and reads what it finds."""

import z3

from calls import make
from logic import LAST_SAFE, both


class Unknown(Exception):
    """The solver gives no verdict."""


def variables(subject):
    """A machine of which nothing is known."""
    return subject.fields(*(z3.Bool(name) if name in subject.flags else z3.Int(name) for name in subject.fields._fields))


def any_step(subject, call, until=LAST_SAFE):
    """A step of which only the call is known, and what is true of every such step."""
    before, now = variables(subject), z3.Int("now")
    arguments = tuple(z3.Int(f"argument_{kind}") for kind in call.takes)
    bounds = [
        both(subject.bounds[kind][0] <= value, value <= subject.bounds[kind][1])
        for kind, value in zip(call.takes, arguments, strict=True)
    ]
    is_made = subject.states[call.only_in](before) if call.only_in else True
    given = both(subject.holds(before), 0 <= now, now <= until, is_made, subject.is_valid(call, arguments), *bounds)
    return make(subject.model, call, before, now, arguments), given


def example(*conditions):
    """Values for which all conditions hold, or nothing if there are none."""
    solver = z3.Solver()
    solver.add(*conditions)
    verdict = solver.check()
    if verdict == z3.unknown:
        raise Unknown(solver.reason_unknown())
    return solver.model() if verdict == z3.sat else None


def value(found, term):
    """The value of a term, or of each in a tuple, as Python has it."""
    if isinstance(term, tuple):
        members = [value(found, member) for member in term]
        return type(term)(*members) if hasattr(term, "_fields") else tuple(members)
    if not z3.is_expr(term):
        return term
    is_ = found.eval(term, model_completion=True)
    return z3.is_true(is_) if z3.is_bool(is_) else is_.as_long()
