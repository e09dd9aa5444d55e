"""What an operator may set for this worker, beside what every worker reads."""

from __future__ import annotations

from pydantic import Field

from broker.runtime.settings import Settings


class WebchatSettings(Settings):
    """Variables ``HEIMDALL_WEBCHAT_<FIELD>``."""

    host: str = Field("127.0.0.1", description="Address that browsers reach the worker at; 0.0.0.0 in a container.")
    port: int = Field(8080, ge=0, le=65535, description="Port for browsers, probes and metrics; 0 takes a free one.")
    allowed_origins: str = Field(
        "",
        description="Sites that may embed a chat, as in https://shop.example.org, comma-separated; * for all. "
        "Pages of the worker's own host always may.",
    )
    trusted_proxies: str = Field(
        "", description="Addresses of proxies whose X-Forwarded-For tells the visitor's address, comma-separated."
    )
    sockets_max: int = Field(12_000, ge=1, description="Open chats in this process.")
    sockets_per_address_max: int = Field(200, ge=1, description="Open chats from one address.")
    sessions_per_minute_max: int = Field(120, ge=1, description="New sessions from one address within a minute.")
    frames_per_s: float = Field(10.0, gt=0, description="Frames a second that one browser may send; more have to wait.")
    frames_burst: int = Field(40, ge=1, description="Frames that one browser may send at once.")
    session_keep_days: int = Field(
        40, ge=1, le=400, description="Days after which a session that nobody came back to cannot be resumed."
    )
    demo_org: str = Field(
        "0f6c2f58-8f43-5a0e-9b7e-2f1b6a1d7c90", description="Org uuid that the demo builder page begins with."
    )
    demo_chat: str = Field("draftmywebchat", description="Chat name that the demo builder page begins with.")
    demo_title: str = Field("My webchat", description="Title that the demo builder page begins with.")
    demo_pass_through: str = Field(
        "{'page':'pricing'}", description="Pass-through data that the demo builder page begins with."
    )

    @property
    def origins(self) -> tuple[str, ...]:
        """The sites as single origins."""
        return tuple(origin.strip().rstrip("/") for origin in self.allowed_origins.split(",") if origin.strip())

    @property
    def page_defaults(self) -> dict[str, str]:
        """What stands in the demo builder page's fields."""
        return {
            "orguuid": self.demo_org,
            "chat_name": self.demo_chat,
            "chat_display_name": self.demo_title,
            "pass_through_data": self.demo_pass_through,
        }
