"""An index of patterns by their tokens: which of ten thousand match a subject, without trying each.

A tree with one level per token. A subject is walked down it once, along its own tokens and along the wildcards, so the
cost is that of what matches, not of what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeAlias, TypeVar

from broker.domain.patterns import Pattern

Key: TypeAlias = tuple[int, str, int]
"""Identifies a value, and orders what is found."""

Value = TypeVar("Value")


class _Node(Generic[Value]):
    """One place in the tree: what ends here, what takes anything deeper, and the tokens that lead on."""

    __slots__ = ("children", "deeper", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Value]] = {}
        self.here: dict[Key, Value] = {}
        self.deeper: dict[Key, Value] = {}

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
    """Values under patterns; a value may stand under several patterns, and is found once."""

    def __init__(self) -> None:
        self._root: _Node[Value] = _Node()

    def put(self, pattern: Pattern, key: Key, value: Value) -> None:
        """Keep the value under the pattern; the same key there is replaced."""
        tokens, deep = _split(pattern)
        node = self._root
        for token in tokens:
            node = node.children.setdefault(token, _Node())
        (node.deeper if deep else node.here)[key] = value

    def remove(self, pattern: Pattern, key: Key) -> None:
        """Forget what the key has under the pattern; places that nothing needs any more go with it."""
        tokens, deep = _split(pattern)
        path = [self._root]
        for token in tokens:
            child = path[-1].children.get(token)
            if child is None:
                return
            path.append(child)
        (path[-1].deeper if deep else path[-1].here).pop(key, None)
        for token, parent, node in zip(reversed(tokens), path[-2::-1], path[:0:-1], strict=True):
            if not node.empty:
                return
            del parent.children[token]

    def match(self, subject: tuple[str, ...]) -> list[Value]:
        """The values whose patterns match the subject's tokens, by key."""
        found: dict[Key, Value] = {}
        nodes = [self._root]
        for token in subject:
            following: list[_Node[Value]] = []
            for node in nodes:
                found.update(node.deeper)
                following.extend(_children(node, token, "*"))
            nodes = following
        for node in nodes:
            found.update(node.here)
        return [found[key] for key in sorted(found)]

    def overlapping(self, pattern: Pattern) -> list[Value]:
        """The values whose patterns match some subject that this pattern matches too, by key."""
        tokens, deep = _split(pattern)
        found: dict[Key, Value] = {}
        nodes = [self._root]
        for token in tokens:
            following: list[_Node[Value]] = []
            for node in nodes:
                found.update(node.deeper)
                following.extend(node.children.values() if token == "*" else _children(node, token, "*"))
            nodes = following
        for node in nodes:
            found.update(node.deeper if deep else node.here)
            for below in node.below() if deep else ():
                found.update(below.here)
                found.update(below.deeper)
        return [found[key] for key in sorted(found)]


def _split(pattern: Pattern) -> tuple[tuple[str, ...], bool]:
    """The tokens that stand for one level each, and whether anything deeper follows."""
    deep = pattern.tokens[-1] == ">"
    return (pattern.tokens[:-1] if deep else pattern.tokens), deep


def _children(node: _Node[Value], *tokens: str) -> Iterator[_Node[Value]]:
    for token in tokens:
        if (child := node.children.get(token)) is not None:
            yield child
