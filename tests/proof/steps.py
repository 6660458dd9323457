"""Prints the steps that a model takes, for the test that lets the code take them as well.

    python3 steps.py heartbeat <role> <interval> <timeout> [<most machines>]
    python3 steps.py upgrade <server or client>

A line is a constructor or a call with its arguments, `->`, what the caller has to do, and the fields of the machine
that follows. The calls after a line `machine` are of this machine, whose fields and deadline the line shows. Starting
from each constructor, one machine of each kind is taken further, until no call leads to a new kind.
"""

import sys
from itertools import islice

import heartbeat.invariant
import heartbeat.machine
import heartbeat.reached
import upgrade.client
import upgrade.reached
import upgrade.server
from calls import make
from logic import LAST_SAFE


def main(of, which, *numbers):
    if of == "heartbeat":
        interval, timeout, *most = map(int, numbers)
        begin = heartbeat.reached.constructed(which, interval, timeout)
        walk(heartbeat.machine, heartbeat.reached, heartbeat.invariant.invariant, begin, (interval, timeout), *most)
    else:
        model = {"server": upgrade.server, "client": upgrade.client}[which]
        walk(model, upgrade.reached, model.invariant, upgrade.reached.constructed(model))


def walk(model, reached, invariant, begin, settings=(), most=None):
    known, waiting, walked = set(), [], 0

    def meet(machine):
        if (kind := reached.kind(machine)) not in known:
            known.add(kind)
            waiting.append(machine)

    def say(*words, machine=None):
        fields = map(int, reached.shown(machine)) if machine else ()
        sys.stdout.write(" ".join(map(str, (*words, *fields))) + "\n")

    for name, arguments, machine in begin:
        say(name, *arguments, "->", "None", machine=machine)
        meet(machine)
    # Grows while it is walked through.
    for machine in islice(waiting, most):
        check(machine, invariant)
        walked += 1
        has_deadline, deadline = model.poll_timeout(machine)
        say("machine", *map(int, reached.shown(machine)), "->", deadline if has_deadline else "None")
        times, values = reached.times(machine), reached.arguments(machine, *settings)
        for now in times:
            for name, question in reached.QUESTIONS.items():
                say(name, now, "->", question(machine, now))
        for call in model.CALLS:
            if call.only_in is None or call.only_in == reached.state(machine):
                for now in times if call.timed else [0]:
                    for arguments in values[call.takes]:
                        step = make(model, call, machine, now, arguments)
                        say(call.name, now, *arguments, "->", model.OUTCOMES[step.outcome], machine=step.after)
                        meet(step.after)
    say("machines", "->", walked)


def check(machine, invariant):
    """The proof begins with the invariant, so it must hold for every machine that there is."""
    broken = [what for what, holds in invariant(machine).items() if holds is not True]
    if broken and machine.clock <= LAST_SAFE:
        sys.exit(f"{machine} is reached, but it is not so that {'; '.join(broken)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
