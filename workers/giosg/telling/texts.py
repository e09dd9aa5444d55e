"""Pure: the desk's own words to visitors, in the languages that it speaks; in any other language it speaks English."""

from __future__ import annotations

from dataclasses import dataclass

AGENT_NAME_CHARACTERS_MAX = 128


@dataclass(frozen=True, slots=True)
class Words:
    """All that the desk itself says, in one language. ``{name}`` is the agent's public name, ``{text}`` a text."""

    unavailable: str
    held: str
    hold_over: str
    waiting_long: str
    new_conversation: str
    ended: str
    delayed: str
    failed: str
    files_unsupported: str
    unreadable: str
    joined: str
    left: str
    edited: str
    agent: str

    def joined_by(self, name: str | None) -> str:
        """An agent has come."""
        return self.joined.replace("{name}", _named(name, self.agent))

    def left_by(self, name: str | None) -> str:
        """An agent has gone."""
        return self.left.replace("{name}", _named(name, self.agent))

    def corrected(self, text: str) -> str:
        """An agent has changed what was said before."""
        return self.edited.replace("{text}", text)


ENGLISH = Words(
    unavailable="Nobody is available right now. Please try again later.",
    held="Nobody is available right now. Your message is kept and will be answered as soon as somebody is there.",
    hold_over="Still nobody is available, and your message could not be passed on. Please try again later.",
    waiting_long="Thank you for waiting. Somebody will be with you as soon as possible.",
    new_conversation="A new conversation has been started.",
    ended="The conversation has ended.",
    delayed="Your message is taking longer than usual. It will be passed on as soon as possible.",
    failed="Your message could not be delivered. Please try again later.",
    files_unsupported="Files cannot be passed on in this conversation.",
    unreadable="A message came that cannot be shown here.",
    joined="{name} has joined the conversation.",
    left="{name} has left the conversation.",
    edited="Correction: {text}",
    agent="An agent",
)
FINNISH = Words(
    unavailable="Kukaan ei ole juuri nyt paikalla. Yritä myöhemmin uudelleen.",
    held="Kukaan ei ole juuri nyt paikalla. Viestisi on tallessa, ja siihen vastataan heti, kun joku on paikalla.",
    hold_over="Kukaan ei ole vieläkään paikalla, eikä viestiäsi voitu välittää. Yritä myöhemmin uudelleen.",
    waiting_long="Kiitos, että odotat. Palvelemme sinua mahdollisimman pian.",
    new_conversation="Uusi keskustelu on aloitettu.",
    ended="Keskustelu on päättynyt.",
    delayed="Viestisi välittäminen kestää tavallista kauemmin. Se toimitetaan mahdollisimman pian.",
    failed="Viestiäsi ei voitu toimittaa. Yritä myöhemmin uudelleen.",
    files_unsupported="Tässä keskustelussa ei voi lähettää tiedostoja.",
    unreadable="Saapui viesti, jota ei voida näyttää tässä.",
    joined="{name} liittyi keskusteluun.",
    left="{name} poistui keskustelusta.",
    edited="Korjaus: {text}",
    agent="Asiakaspalvelija",
)
SWEDISH = Words(
    unavailable="Ingen är tillgänglig just nu. Försök igen senare.",
    held="Ingen är tillgänglig just nu. Ditt meddelande sparas och besvaras så snart någon är på plats.",
    hold_over="Fortfarande är ingen tillgänglig, och ditt meddelande kunde inte föras vidare. Försök igen senare.",
    waiting_long="Tack för att du väntar. Vi svarar så snart som möjligt.",
    new_conversation="En ny konversation har startats.",
    ended="Konversationen har avslutats.",
    delayed="Det tar längre tid än vanligt att föra fram ditt meddelande. Det levereras så snart som möjligt.",
    failed="Ditt meddelande kunde inte levereras. Försök igen senare.",
    files_unsupported="Filer kan inte skickas i den här konversationen.",
    unreadable="Ett meddelande kom som inte kan visas här.",
    joined="{name} har anslutit till konversationen.",
    left="{name} har lämnat konversationen.",
    edited="Rättelse: {text}",
    agent="En kundtjänstmedarbetare",
)
WORDS = {"en": ENGLISH, "fi": FINNISH, "sv": SWEDISH}


def words(language: str | None) -> Words:
    """The words of a language as codes name it, such as ``fi`` or ``fi-FI``."""
    return WORDS.get((language or "").lower().replace("_", "-").partition("-")[0], ENGLISH)


def _named(name: str | None, otherwise: str) -> str:
    return (name or "").strip()[:AGENT_NAME_CHARACTERS_MAX] or otherwise
