"""What an operator may set for the webim worker, beside what every worker reads."""

from __future__ import annotations

from pydantic import Field, SecretStr

from broker.runtime.settings import Settings


class WebimSettings(Settings):
    """Variables ``HEIMDALL_WEBIM_<FIELD>``."""

    host: str = Field("127.0.0.1", description="Address that Webim reaches the worker at; 0.0.0.0 in a container.")
    port: int = Field(8081, ge=0, le=65535, description="Port for Webim, administrators, probes and metrics; 0: any.")
    public_url: str = Field(
        "http://127.0.0.1:8081", description="What Webim reaches it by from outside: endpoint addresses begin with it."
    )
    base_url_template: str = Field(
        "https://{domain}.webim.ru", description="Where a channel's Webim is; {domain} is the channel's own."
    )
    private_addresses: bool = Field(
        False, description="Whether Webim may be at a private address or this machine's own, as in a test."
    )
    admin_tokens: SecretStr = Field(
        SecretStr(""), description="Who may manage channels by HTTP: <org>=<token>, comma-separated; empty: nobody."
    )
