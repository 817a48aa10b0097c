"""Who dials: ``a=setup`` (RFC 4145, RFC 6135) and what the relay makes of it on each leg. Pure."""

from __future__ import annotations

from enum import StrEnum


class Setup(StrEnum):
    """The values of ``a=setup`` (RFC 4145 section 4)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"
    HOLDCONN = "holdconn"


class Role(StrEnum):
    """What the relay does on a leg. The listener stays open in both until the first valid bind."""

    ACCEPT = "accept"
    DIAL = "dial"


# Every call asks for them: looked up in their class they cost a search.
ACTIVE, PASSIVE, ACTPASS = Setup.ACTIVE, Setup.PASSIVE, Setup.ACTPASS
ACCEPT, DIAL = Role.ACCEPT, Role.DIAL


def dials(offered: Setup | None, answered: Setup | None) -> tuple[bool, bool]:
    """Whether (offerer, answerer) dial when nothing stands between them.

    ``None`` is an absent attribute, and ``holdconn`` counts as absent (RFC 6135 section 4.2.1):
    the offerer then dials by the default of RFC 4975 section 5.4.
    """
    answerer = answered is ACTIVE
    if offered is PASSIVE:
        # An illegal actpass in the answer leaves the answerer as the only one that can dial.
        return False, answerer or answered is ACTPASS
    if offered is ACTPASS:
        return not answerer, answerer
    return True, answerer


def answer_setup(offered: Setup | None) -> Setup:
    """What the relay writes in the answer to an offerer that said ``offered``.

    ``passive`` lets an offerer behind a NAT dial; ``active`` is the only legal answer to
    ``passive`` (RFC 4145 section 4.1).
    """
    return ACTIVE if offered is PASSIVE else PASSIVE


def relay_role_offerer(offered: Setup | None, we_answered: Setup | None = None) -> Role:
    """The relay's role on the offerer's leg.

    ``we_answered`` matters only where it is not :func:`answer_setup`'s choice: an offerer that said
    ``actpass`` and was answered ``active`` waits to be dialled.
    """
    waits = offered is PASSIVE or (offered is ACTPASS and we_answered is ACTIVE)
    return DIAL if waits else ACCEPT


def relay_role_answerer(answered: Setup | None) -> Role:
    """The relay's role on the answerer's leg, whatever we offered.

    Anything but ``active`` is dialled: an answerer without ACM waits by RFC 4975 section 5.4, and
    one that was offered ``passive`` and did not say ``active`` would otherwise wait for ever.
    """
    return ACCEPT if answered is ACTIVE else DIAL
