"""The public surface for services: what a program imports to answer conversations."""

from broker.kit.dialog import Dialog, EndedDialog
from broker.kit.dialogs import Dialogs
from broker.kit.main import serve
from broker.kit.messages import form, html, markdown, text
from broker.kit.run import Run
from broker.kit.service import Service

__all__ = ["Dialog", "Dialogs", "EndedDialog", "Run", "Service", "form", "html", "markdown", "serve", "text"]
