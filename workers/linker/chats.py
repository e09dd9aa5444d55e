"""The verbs about chats: create a profile, list them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID, uuid5

import structlog

from broker.codec import decode, encode
from broker.domain.commands import CreateProfile, ListProfiles
from broker.domain.ids import OrgId, Stub, channel_name
from broker.domain.profiles import Profile, profile_key, profile_name
from broker.domain.replies import ProfilesReply
from broker.domain.wire import Body, dump, validate
from broker.errors import ConflictError, NameTakenError
from broker.transport.records import Records
from workers.linker.directory import Directory

log = structlog.get_logger()


class Chats:
    """Writes the bucket of profiles; what is answered is true of this linker's own copy too."""

    def __init__(self, directory: Directory, profiles: Records) -> None:
        self._directory = directory
        self._records = profiles

    async def create(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """Verb ``profilecreate``."""
        wanted = validate(CreateProfile, body, what="profilecreate")
        chat = profile_name(wanted.branch, wanted.name)
        for stub in (wanted.stub, *(wanted.routes or {}).values()):
            if stub is not None:
                Stub.parse(stub)
        profile = Profile(
            org=org,
            branch=wanted.branch,
            name=wanted.name,
            chat_name=chat,
            profile_uuid=str(uuid5(UUID(org), chat)),
            channel=channel_name(wanted.channel),
            stub=wanted.stub,
            routes=wanted.routes,
            title=wanted.title,
            opening_message=wanted.opening_message,
        )
        key = profile_key(org, chat)
        before = await self._records.read(key)
        if before.value is not None:
            raise NameTakenError(wanted.name, branch=wanted.branch, org=org)
        try:
            revision = await self._records.write(key, encode(dump(profile)), revision=before.revision)
        except ConflictError as error:
            raise NameTakenError(wanted.name, branch=wanted.branch, org=org) from error
        await self._directory.profiles.wait_for(revision)
        log.info("profile_created", chat_name=chat)
        return dump(profile)

    async def profiles(self, org: OrgId, body: Body, _headers: Mapping[str, str]) -> Body:
        """Verb ``profiles``."""
        validate(ListProfiles, body, what="profiles")
        entries = [entry for entry in self._directory.profiles.items() if entry.key.startswith(f"{org}.")]
        found = [validate(Profile, decode(entry.value), what="profile") for entry in entries]
        return dump(ProfilesReply(profiles=found))
