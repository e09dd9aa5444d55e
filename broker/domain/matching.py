"""An index of patterns by their tokens: which of ten thousand match a subject, without trying each.

A tree with one level per token. A subject is walked down it once, along its own tokens and along the wildcards, so the
cost is that of what matches, not of what is there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from heapq import merge
from operator import itemgetter
from typing import Generic, TypeAlias, TypeVar

from broker.domain.patterns import Pattern

Key: TypeAlias = tuple[int, str, int]
"""Identifies a value, and orders what is found."""

Value = TypeVar("Value")

_key_of = itemgetter(0)


class _Node(Generic[Value]):
    """One place in the tree: what ends here and what takes anything deeper, by key; and the tokens that lead on."""

    __slots__ = ("children", "deeper", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Value]] = {}
        self.here: list[tuple[Key, Value]] = []
        self.deeper: list[tuple[Key, Value]] = []

    @property
    def empty(self) -> bool:
        """Whether nothing would be lost without it."""
        return not (self.children or self.here or self.deeper)

    def below(self) -> Iterator[_Node[Value]]:
        """All places below this one."""
        for child in self.children.values():
            yield child
            yield from child.below()


class PatternIndex(Generic[Value]):
    """Values under patterns; a value may stand under several patterns, and is found once.

    What is found comes in the order of the keys, and one by one: who needs the first alone pays for the first alone.
    """

    def __init__(self) -> None:
        self._root: _Node[Value] = _Node()

    def put(self, pattern: Pattern, key: Key, value: Value) -> None:
        """Keep the value under the pattern; the same key there is replaced."""
        tokens, deep = _split(pattern)
        node = self._root
        for token in tokens:
            node = node.children.setdefault(token, _Node())
        entries = node.deeper if deep else node.here
        place, there = _place(entries, key)
        if there:
            entries[place] = (key, value)
        else:
            entries.insert(place, (key, value))

    def remove(self, pattern: Pattern, key: Key) -> None:
        """Forget what the key has under the pattern; places that nothing needs any more go with it."""
        tokens, deep = _split(pattern)
        path = [self._root]
        for token in tokens:
            child = path[-1].children.get(token)
            if child is None:
                return
            path.append(child)
        entries = path[-1].deeper if deep else path[-1].here
        place, there = _place(entries, key)
        if there:
            del entries[place]
        for token, parent, node in zip(reversed(tokens), path[-2::-1], path[:0:-1], strict=True):
            if not node.empty:
                return
            del parent.children[token]

    def match(self, subject: tuple[str, ...]) -> Iterator[Value]:
        """The values whose patterns match the subject's tokens."""
        found: list[list[tuple[Key, Value]]] = []
        nodes = [self._root]
        for token in subject:
            following: list[_Node[Value]] = []
            for node in nodes:
                if node.deeper:
                    found.append(node.deeper)
                if (child := node.children.get(token)) is not None:
                    following.append(child)
                if (child := node.children.get("*")) is not None:
                    following.append(child)
            nodes = following
        found += [node.here for node in nodes]
        return _once(found)

    def overlapping(self, pattern: Pattern) -> Iterator[Value]:
        """The values whose patterns match some subject that this pattern matches too."""
        tokens, deep = _split(pattern)
        found: list[list[tuple[Key, Value]]] = []
        nodes = [self._root]
        for token in tokens:
            following: list[_Node[Value]] = []
            for node in nodes:
                found.append(node.deeper)
                following.extend(node.children.values() if token == "*" else _children(node, token, "*"))
            nodes = following
        for node in nodes:
            found.append(node.deeper if deep else node.here)
            for below in node.below() if deep else ():
                found += [below.here, below.deeper]
        return _once([entries for entries in found if entries])


def _once(found: list[list[tuple[Key, Value]]]) -> Iterator[Value]:
    """The values of all lists by key, each key once."""
    last: Key | None = None
    for key, value in found[0] if len(found) == 1 else merge(*found, key=_key_of):
        if key != last:
            yield value
        last = key


def _place(entries: list[tuple[Key, Value]], key: Key) -> tuple[int, bool]:
    """Where the key stands or would stand, and whether it is there."""
    place = bisect_left(entries, key, key=_key_of)
    return place, place < len(entries) and entries[place][0] == key


def _split(pattern: Pattern) -> tuple[tuple[str, ...], bool]:
    """The tokens that stand for one level each, and whether anything deeper follows."""
    deep = pattern.tokens[-1] == ">"
    return (pattern.tokens[:-1] if deep else pattern.tokens), deep


def _children(node: _Node[Value], *tokens: str) -> Iterator[_Node[Value]]:
    for token in tokens:
        if (child := node.children.get(token)) is not None:
            yield child
