"""What the models are written with: choices and sums that work on numbers, and on terms of the solver.

A condition that Python knows is decided at once. Any other becomes a term. So a model is one text: with numbers it makes
a step, and with variables of the solver it is the formula of every step.
"""

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1

# Rule 3 holds up to this time.
LAST_SAFE = 2**64 - 2**42

# `Instant::saturating_add` takes a duration of this many microseconds, or of more, as endless.
ENDLESS = U64_MAX // 1_000_000 * 1_000_000
# The longest `Duration`, in whole microseconds.
MAX_DURATION = U64_MAX * 1_000_000 + 999_999


def choose(condition, then, otherwise):
    """What `then` returns if the condition holds, and what `otherwise` returns if not."""
    if condition is True:
        return then()
    if condition is False:
        return otherwise()
    return merge(condition, then(), otherwise())


def pick(condition, then, otherwise):
    """As `choose`, for values that cost nothing."""
    if condition is True:
        return then
    if condition is False:
        return otherwise
    return merge(condition, then, otherwise)


def merge(condition, then, otherwise):
    """One term for two values. Tuples are merged member by member."""
    if isinstance(then, tuple):
        members = [merge(condition, *pair) for pair in zip(then, otherwise, strict=True)]
        return type(then)(*members) if hasattr(then, "_fields") else tuple(members)
    if then is otherwise:
        return then
    import z3

    return z3.If(condition, then, otherwise)


def both(*conditions):
    unknown = [condition for condition in conditions if condition is not True]
    if any(condition is False for condition in unknown):
        return False
    if not unknown:
        return True
    import z3

    return z3.And(unknown)


def either(*conditions):
    return negate(both(*map(negate, conditions)))


def negate(condition):
    if isinstance(condition, bool):
        return not condition
    import z3

    return z3.Not(condition)


def implies(condition, consequence):
    return either(negate(condition), consequence)


def same(one, other):
    """Whether two values are equal, or two tuples in every member."""
    if isinstance(one, tuple):
        return both(*(same(*pair) for pair in zip(one, other, strict=True)))
    return one == other


def smaller(one, other):
    return pick(one <= other, one, other)


def larger(one, other):
    return pick(one >= other, one, other)


def saturated(number, most):
    """The result of a saturating sum."""
    return smaller(number, most)


def less(one, other):
    """A saturating difference."""
    return larger(one - other, 0)


def rounded_up(number, unit):
    """How many units it takes to hold the number."""
    raised = number + unit - 1
    return raised // unit if isinstance(raised, int) else raised / unit


# core/src/time.rs


def add_micros(instant, micros):
    return saturated(instant + micros, U64_MAX)


def add_millis(instant, millis):
    return add_micros(instant, millis * 1_000)


def add_periods(one, other):
    """The sum of two periods in milliseconds."""
    return saturated(one + other, U32_MAX)


def lasting(now, micros):
    """`Instant::saturating_add`."""
    return pick(micros >= ENDLESS, U64_MAX, add_micros(now, micros))


def advance(machine, now):
    """`Clock::advance`: the machine at the time that counts, and this time."""
    now = larger(machine.clock, now)
    return machine._replace(clock=now), now


# What is tried with numbers.


def around(instants):
    """These instants, the microseconds before and after each, and the bounds of the clock."""
    times = {instant + slip for instant in instants for slip in (-1, 0, 1)}
    return sorted(time for time in times | {0, LAST_SAFE, U64_MAX} if 0 <= time <= U64_MAX)


def apart(one, other):
    """How far apart two numbers are; from two on, in which direction alone."""
    return max(-2, min(2, one - other))
