"""What an operator may set for the webim worker, beside what every worker reads."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from broker.runtime.settings import Settings
from workers.webim.administration.access import AdminTokens


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
    patience_s: float = Field(
        600.0, gt=0, description="Seconds that an answer is tried while Webim is away; then: dead letter."
    )
    admin_tokens: SecretStr = Field(
        SecretStr(""), description="Who may manage channels by HTTP: <org>=<token>, comma-separated; empty: nobody."
    )

    @field_validator("admin_tokens")
    @classmethod
    def _check_admin_tokens(cls, value: SecretStr) -> SecretStr:
        try:
            AdminTokens.parse(value.get_secret_value())
        except ValueError as error:
            raise PydanticCustomError("admin_tokens", "{problem}", {"problem": str(error)}) from None
        return value

    @property
    def administrators(self) -> AdminTokens:
        """Who may manage channels by HTTP."""
        return AdminTokens.parse(self.admin_tokens.get_secret_value())
