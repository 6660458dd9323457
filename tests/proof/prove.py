"""Proves the rules of the machines for every time and every setting, by induction over their calls.

Prints a line for each property. Fails if the solver refutes one, or if what must be refuted is not.
"""

import sys
import time
from unittest import mock

import z3

from calls import make
from heartbeat.subject import HEARTBEAT
from logic import both, negate
from solver import Unknown, any_step, example, value, variables
from upgrade.subjects import CLIENT_UPGRADE, SERVER_UPGRADE


class Wrong(Exception):
    """Something is not as it must be."""


def main():
    for subject in (HEARTBEAT, SERVER_UPGRADE, CLIENT_UPGRADE):
        started = time.monotonic()
        prove_beginnings(subject)
        pairs = sum(prove(subject, one) for one in subject.properties)
        kinds = show_what_is_possible(subject)
        for doubt in subject.doubts:
            refute(subject, doubt)
        for fault in subject.faults:
            notice(subject, *fault)
        print(
            f"proof: {subject.name}: {len(subject.properties)} properties of {len(subject.model.CALLS)} calls and "
            f"{len(subject.begins)} constructors proven in {pairs} pairs, {kinds} kinds of steps shown to be possible, "
            f"{len(subject.doubts)} wrong properties refuted, {len(subject.faults)} planted faults noticed; "
            f"{time.monotonic() - started:.0f} s, z3 {z3.get_version_string()}",
            flush=True,
        )


def prove_beginnings(subject):
    """The invariant holds where a machine begins."""
    for name, begin in subject.begins.items():
        machine, given = begin(variables(subject), z3.Int("instant"))
        if example(given) is None or example(given, negate(subject.holds(machine))) is not None:
            raise Wrong(f"a new machine {name} is outside of the invariant")
        print(f"proven   -        the invariant holds for a new machine {name}")


def prove(subject, property_):
    """Returns for how many calls."""
    started, calls = time.monotonic(), 0
    for call in filter(property_.is_about, subject.model.CALLS):
        step, bounds = any_step(subject, call, property_.until)
        given = both(bounds, property_.given(step))
        if example(given) is None:
            raise Wrong(f"{property_.name}: {call.name} never does what the property is about")
        against = example(given, negate(property_.holds(step)))
        if against is not None:
            raise Wrong(f"not so: {property_.sentence}\n         {described(value(against, step))}")
        calls += 1
    rule = f"rule {property_.rule}" if property_.rule else "-"
    seconds = time.monotonic() - started
    print(f"proven   {rule:8} {property_.name}: {property_.sentence} ({calls} calls, {seconds:.1f} s)", flush=True)
    return calls


def show_what_is_possible(subject):
    """Every call in every state, and every outcome."""
    outcomes, kinds = set(), 0
    for call in subject.model.CALLS:
        step, bounds = any_step(subject, call)
        for name, is_in in subject.states.items():
            if call.only_in in (None, name):
                if example(bounds, is_in(step.before)) is None:
                    raise Wrong(f"{call.name} is impossible for a machine that is {name}")
                kinds += 1
        for number, outcome in enumerate(subject.model.OUTCOMES):
            if outcome not in outcomes and example(bounds, step.outcome == number) is not None:
                outcomes.add(outcome)
    if missing := set(subject.model.OUTCOMES) - outcomes:
        raise Wrong(f"no call has the outcome {', '.join(missing)}")
    print(f"possible -        every call in every state, and every outcome: {kinds} and {len(outcomes)}", flush=True)
    return kinds + len(outcomes)


def refute(subject, doubt):
    for call in filter(doubt.is_about, subject.model.CALLS):
        step, bounds = any_step(subject, call, doubt.until)
        against = example(bounds, doubt.given(step), negate(doubt.holds(step)))
        if against is not None:
            found = value(against, step)
            # The terms and the numbers must agree about the step.
            if make(*found[:5]) != found or doubt.holds(found) is not False:
                raise Wrong(f"the counterexample is none: {described(found)}")
            print(f"refuted  -        {doubt.sentence}\n         {described(found)}", flush=True)
            return
    raise Wrong(f"not refuted: {doubt.sentence}")


def notice(subject, name, fault, by):
    said = fault.__name__.replace("_", " ")
    property_ = next(one for one in subject.properties if one.name == by)
    with mock.patch.object(subject.model, name, fault):
        for call in filter(property_.is_about, subject.model.CALLS):
            step, bounds = any_step(subject, call, property_.until)
            if example(bounds, property_.given(step), negate(property_.holds(step))) is not None:
                print(f"noticed  -        a model that {said}: {by}, {call.name}", flush=True)
                return
    raise Wrong(f"a model that {said} has the property: {by}")


def described(step):
    before, after = step.model.named(step.before), step.model.named(step.after)
    call = f"{step.call.name}({', '.join(map(str, (step.now, *step.arguments)))})"
    return f"{call} of {before}\n           returns {step.model.OUTCOMES[step.outcome]} and leaves {after}"


if __name__ == "__main__":
    try:
        main()
    except (Wrong, Unknown) as reason:
        sys.exit(f"proof: {reason}")
