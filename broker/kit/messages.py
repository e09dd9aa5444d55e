"""Messages for a visitor, as notifications carry them.

Source: specs/stubber-webchat.md section 4.2.
"""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]


def text(value: str) -> Message:
    """Shown as it is."""
    return {"type": "text", "value": value}


def markdown(value: str) -> Message:
    """Rendered, and made safe, by the channel."""
    return {"type": "markdown", "value": value}


def html(value: str) -> Message:
    """Made safe by the channel; prefer markdown."""
    return {"type": "html", "value": value}


def form(form_name: str, fields: dict[str, Any]) -> Message:
    """A form with a unique name; ``fields`` maps names to ``{"fieldtype": ...}``."""
    return {"type": "form", "value": {"form_name": form_name, "spec": {"fields": fields}}}
