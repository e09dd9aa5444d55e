"""What an operator may set for the programs worker, beside what every worker reads."""

from __future__ import annotations

from pydantic import Field, SecretStr

from broker.domain.wire import UUID_PATTERN
from broker.kit.main import DEMO_ORG
from broker.runtime.settings import Settings


class ProgramsSettings(Settings):
    """Variables ``HEIMDALL_PROGRAMS_<FIELD>``."""

    repository: SecretStr = Field(
        SecretStr(""), description="The project's git repository, a path or an address; empty: owners run programs."
    )
    org: str = Field(DEMO_ORG, pattern=UUID_PATTERN, description="Uuid of the org whose project it is.")
    service: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9_-]{0,62})?$",
        description="Without a repository: the service that answers; empty: the ordinary routes lead to it.",
    )
    folder: str = Field(".heimdall/programs", description="Where the repository's copy and the versions lie.")
    poll_s: float = Field(10.0, ge=0.1, le=3600, description="Seconds between looks for moved branches and tags.")
    links_poll_s: float = Field(
        60.0, ge=0.1, le=3600, description="Seconds between looks for links to replaced versions; they stay as long."
    )
    fetch_limit_s: float = Field(120.0, gt=0, le=3600, description="Seconds that a git command may take.")
    check_limit_s: float = Field(60.0, gt=0, le=3600, description="Seconds to compile a version, and to load it.")
    tests_limit_s: float = Field(300.0, gt=0, le=3600, description="Seconds that a version's tests may take.")
    start_limit_s: float = Field(60.0, gt=0, le=3600, description="Seconds until a started version must be ready.")
    versions_max: int = Field(10, ge=1, le=100, description="Versions that run in this worker at a time.")
