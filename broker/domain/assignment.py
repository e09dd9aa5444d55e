"""Which member of a group works on which partition: the same answer for whoever asks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping


def share_out(members: Iterable[str], partitions: Iterable[str], held: Mapping[str, str]) -> dict[str, str]:
    """The owner of each partition; empty without members.

    Shares differ by one at most. A member keeps what it holds up to its share; the rest goes where the rendezvous
    hash says, among those with room. So a join or a leave moves no partition that balance does not need moved.

    Args:
        members: who may be given partitions.
        partitions: what there is to share out.
        held: the owner of each partition by now; owners that are no members count as none.
    """
    wanted = sorted(set(partitions))
    holdings: dict[str, list[str]] = {member: [] for member in sorted(set(members))}
    if not holdings:
        return {}
    for partition in wanted:
        if (holder := held.get(partition)) in holdings:
            holdings[holder].append(partition)
    room = _shares(holdings, len(wanted))
    owners: dict[str, str] = {}
    for member, partitions_held in holdings.items():
        partitions_held.sort(key=lambda partition: _weight(member, partition), reverse=True)
        owners.update(dict.fromkeys(partitions_held[: room[member]], member))
        room[member] -= min(room[member], len(partitions_held))
    free = [partition for partition in wanted if partition not in owners]
    pairs = sorted((_weight(member, partition), member, partition) for member in holdings for partition in free)
    for _, member, partition in reversed(pairs):
        if room[member] and partition not in owners:
            owners[partition] = member
            room[member] -= 1
    return owners


def _shares(holdings: Mapping[str, list[str]], count: int) -> dict[str, int]:
    """How many each may have; the odd ones go to those that hold most, so that fewest move."""
    least, odd = divmod(count, len(holdings))
    by_holding = sorted(holdings, key=lambda member: (-len(holdings[member]), member))
    return {member: least + (place < odd) for place, member in enumerate(by_holding)}


def _weight(member: str, partition: str) -> bytes:
    """Rendezvous hash: everyone ranks the members of a partition alike, and differently for each partition."""
    return hashlib.blake2b(f"{member}/{partition}".encode(), digest_size=8).digest()
