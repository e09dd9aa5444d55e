"""What the members of bodies mean, where their names do not say it already."""

from __future__ import annotations

NOTES: dict[str, str] = {
    # What a visitor does.
    "sessionuuid": "The conversation; must be the one in the subject where the subject has one.",
    "webchat_message": "What the visitor wrote, or the stub says.",
    "webchat_message.type": "What `value` is; a visitor's may be a type that we do not know.",
    "webchat_message.value": "The text; an object for a form.",
    "webchat_message.value.form_name": "The form's unique id.",
    "webchat_message.value.spec": 'The form\'s fields: `{"fields": {<name>: {"fieldtype": …}}}`.',
    "webchat_configuration": "The chat that the event came through.",
    "webchat_configuration.orguuid": "As in the subject.",
    "webchat_configuration.chatname": "As in the subject.",
    "webchat_configuration.passthroughData": (
        "Given by the page that embeds the chat, carried byte for byte; `pass_through_data` and `passthrough_data` "
        "are read too."
    ),
    "webchat_configuration.branch": "`draft` or `live`.",
    "webchat_configuration.profile_uuid": "The profile that the page was given.",
    "webchat_client_configuration": "What the visitor filled in, or settings for the client under free labels.",
    "platform_switch": "The visitor asks to carry on elsewhere.",
    "platform_switch.platform_name": "`whatsapp`, `sms` or `email`.",
    "platform_switch.type": "Kind of address: `mobile` or `email`.",
    "platform_switch.value": "The number with its `+`, or the mail address.",
    "webchat_control_event": "Any object, from the page to the stub or from the stub to the page.",
    "webchat_attachments": "Stored files, by reference; at most 64.",
    "webchat_attachments[].contentType": "Media type.",
    "webchat_attachments[].filename": "The name to show.",
    "webchat_attachments[].fileuuid": "Where it is stored.",
    "webchat_attachments[].originalname": "The name on the visitor's machine.",
    "webchat_meta_data": "What the channel knows of the visitor, such as `ip` and `user_agent`.",
    "webchat_profile": "The profile's look, as the channel uses it.",
    # What a stub says.
    "webchat_agent": "Who speaks, as the visitor sees it.",
    "webchat_agent.name": "The name to show.",
    "webchat_client_configuration.<label>.type": "`default_country_code`, `switching`, `files` or `voicenote`.",
    "webchat_client_configuration.<label>.value": 'What the type takes, such as `{"enable": true}`.',
    "stubsession": "Links the conversation to the sender; absent leaves the link as it is.",
    "set_new_with_timeout_hours": "Hours until the link expires; fractions are fine, more than 720 are cut to that.",
    "set_feedback_action": "What runs on the stub while the link holds; absent: `_update_from_<channel>`.",
    "stubsession.sessionuuid": "Continues a thread, on channels that have threads.",
    "operation": "Must be the one of the subject.",
    "stubref": "The stub's reference; in a task with its service in front where that is not the sender's.",
    "mobile_number": "Whom it is about: digits with the country code.",
    "whatsapp_profile_name": "The profile; must be the one in the subject where there is one.",
    "from": "Who wrote: the number.",
    "from_name": "Their name, as the channel tells it.",
    "to": "The profile's own number.",
    "message": "What they wrote; becomes `stubpost.message`.",
    "whatsapp_body": "The outside system's own payload.",
    "only_of": "End the link only if this stub owns it: the closing of a stub says so.",
    # Questions and answers.
    "webim_request": "What the visitor or the channel did; of `query` and `event` there is exactly one.",
    "webim_request.channel_id": "The channel's settings that it came in by.",
    "webim_request.channel_type": "As in the subject.",
    "webim_request.branch": "Which version of the program the session began with, as the channel asks for it.",
    "webim_request.commit": "The same, exactly; absent, as with `branch`, where versions are nobody's business.",
    "webim_request.conversation_id": "The chat's id in the outside system, as text.",
    "webim_request.client_id": "As `conversation_id`: one chat, one client.",
    "webim_request.visitor_id": "The visitor's id in the outside system; the same in all chats of one visitor.",
    "webim_request.session_id": "The session uuid.",
    "webim_request.new_session": "The session begins with this question.",
    "webim_request.question_id": "The answer names it.",
    "webim_request.query": "What the visitor said, several texts joined, or the text of a pressed button.",
    "webim_request.event": "The event's name: `newChatStarted`, `fileEvent` and others.",
    "webim_request.event_data": "What belongs to the event; of `newChatStarted` the channel's whole request.",
    "webim_request.data": "The question in parts.",
    "webim_request.data.chatId": "As `conversation_id`.",
    "webim_request.data.messages": "The messages that were joined.",
    "webim_request.data.files": "Files, by address.",
    "webim_request.data.button": "The pressed button.",
    "webim_request.data.button.id": "The id that it was shown with.",
    "webim_request.data.button.text": "What it says.",
    "webim_request.user_from": "Who asks, as far as the channel tells: `id`, `firstName` and so on.",
    "webim_request.raw_request": "The channel's request as it came; absent where it made none.",
    "webim_request.api_version": "Which dialect the channel speaks.",
    "webim_request.received_at": "When we got it, ISO 8601, UTC.",
    "webim_response": "The whole answer to one question.",
    "webim_response.question_id": "Which question; absent: whichever waits.",
    "webim_response.replies": "What is shown, in this order; at most 64.",
    "webim_response.actions": "What becomes of the chat then; at most 16.",
    "webim_response.newSessionStarted": "The program has forgotten what it knew; conversation and link stay.",
    "webim_response.endSession": "The session ends; the chat's next message begins another.",
    # What the backbone says.
    "stub": "`<service>.<stubref>`: the stub's whole address.",
    "feedback_action": "What runs on the stub while the link holds.",
    "epoch": "Log sequence of the event that set the link: a later link has a greater one.",
    "timeout_hours": "For how long it was set.",
    "expires_at_ms": "Deadline, Unix time in ms: from then on the link counts as absent.",
    "clamped": "True if less time was given than was asked for.",
    "replaces": "The stub that owned the conversation until now.",
    "reason": "Why: a code, or what ended the link.",
    "timer": "Which of the conversation's timers fired.",
    "deadline_at_ms": "The moment that passed, Unix time in ms.",
    "notification": "Log sequence of the notification.",
    "status": "What became of it.",
    # Runs and dead letters.
    "stubpost": "The record of the run.",
    "stubpost.message": "The visitor's text, or the registration's message; empty if there is none.",
    "stubpost.data": "The event, see above.",
    "detail": "One sentence for a person; never what was written.",
    "subject": "The original's, as its stream stores it.",
    "stream": "Where the original was found.",
    "sequence": "The original's place in that stream.",
    "stored_at_ms": "When the original was stored, Unix time in ms.",
    "attempts": "How often it was tried.",
    "headers": "The original's.",
    "body": "The original's bytes, as they came.",
    # Commands.
    "uuid": "The registration's identity; derive it from the stub and a purpose word.",
    "registration_name": "For people.",
    "on_trigger_method": "`keep`: it stays after firing. `remove`: it fires once.",
    "events": "What is waited for, under names of your own; any of them triggers.",
    "events.<label>.path": "A subject, with `#` for one level and a last `*` for anything deeper.",
    "events.<label>.mechanism": (
        "`evt`, `evb`: all that match run. `cbh`, `rra`, `rnd`: one of them runs. `*`: as the event is emitted."
    ),
    "events.<label>.timeout_seconds": (
        "With `remove`: how long to wait, an hour if absent. With `keep`: how long one run may take."
    ),
    "path": "Where to emit: a subject of a visitor's event, without wildcards.",
    "path_strings": "Several at once, each `<mechanism>|<path>`; then `path` and `mechanism` are not read.",
    "mechanism": "Which registrations hear of it: `*` all, else those of that mechanism and of `*`.",
    "data": 'The event, under its channel: `{"webchat": {…}}`.',
    "trigger_stubaction": "What runs.",
    "trigger_stubaction.action_name": "The action.",
    "trigger_stubaction.stubref": "On which stub: `<service>.<stubref>`, or a stubref of the sender's service.",
    "trigger_stubaction.message": "Becomes `stubpost.message`.",
    "trigger_stubaction.data": "Laid under the event's data.",
    "after": "Where to go on: the last sequence that you have; of registrations, the `next` of the page before.",
    "limit": "How many at most.",
    "name": "The chat's name without its branch.",
    "routes": "Which stub takes what comes by which route (`Heimdall-Route`); `__catch_all`: the rest.",
    "channel": "The outside system that it is a profile of.",
    "branch": "Which half of the chat.",
    "title": "What the chat window is called.",
    "opening_message": "Shown before anybody wrote; it sets no link.",
}
"""By path, or by the end of a path where several bodies share a member."""


def note_for(path: str) -> str | None:
    """The note of the longest end of this path that has one."""
    parts = path.split(".")
    for start in range(len(parts)):
        key = ".".join(parts[start:])
        if key in NOTES:
            return NOTES[key]
    return None
