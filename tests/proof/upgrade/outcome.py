"""What both sides of an upgrade share."""

from logic import U64_MAX, both, either

# Whether and how it has ended: `UpgradeOutcome` and `UpgradeFailure`.
ENDINGS = ["None", "Upgraded", "Timeout", "UnexpectedPacket", "TransportClosed", "SessionEnded"]
RUNNING, UPGRADED, TIMEOUT, UNEXPECTED_PACKET, TRANSPORT_CLOSED, SESSION_ENDED = range(len(ENDINGS))

# What can come on the candidate: each type, with other data than the exchange has, and bytes that are no packet. The
# exchange has the first three.
PACKETS = ["2probe", "3probe", "5", "2", "3", "6", "unreadable", "5x", "2x", "3x", "0x", "1x", "4x"]
PING_PACKET, PONG_PACKET, UPGRADE_PACKET = range(3)
UPGRADE_WITH_DATA = PACKETS.index("5x")


def is_upgrade(packet):
    """Whether it is a `5`, whatever follows."""
    return either(packet == UPGRADE_PACKET, packet == UPGRADE_WITH_DATA)


def in_range(upgrade, instants):
    """Whether every field has a value of its type."""
    times = (getattr(upgrade, name) for name in instants)
    return both(
        0 <= upgrade.outcome, upgrade.outcome < len(ENDINGS), *(both(0 <= time, time <= U64_MAX) for time in times)
    )


def named(upgrade):
    """The fields with the names of their values."""
    fields = upgrade._asdict().items()
    return ", ".join(f"{field} {ENDINGS[value] if field == 'outcome' else value}" for field, value in fields)
