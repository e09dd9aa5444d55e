/** What the embedding page asked for, read from the element once and checked before anything connects. */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const CHAT_NAME = /^[a-z0-9][a-z0-9_-]{0,67}$/;

/** Boolean attributes count as set when present, unless they say "false". */
function isOn(value) {
  return value !== null && value.toLowerCase() !== "false" && value !== "0";
}

/** The attributes of a <stubber-webchat> element as one frozen record. */
export function readAttributes(element) {
  const text = (name) => element.getAttribute(name) ?? "";
  return Object.freeze({
    orguuid: text("orguuid").trim(),
    chatName: text("chat_name").trim(),
    title: text("chat_display_name").trim(),
    // Carried byte for byte: never trimmed, never parsed.
    passThroughData: element.getAttribute("pass_through_data"),
    openOnMount: isOn(element.getAttribute("open_on_mount")),
    fullscreen: isOn(element.getAttribute("fullscreen_mode")),
    manual: text("mode").trim() === "manual",
    session: text("sessionuuid") && text("session_token")
      ? { sessionuuid: text("sessionuuid"), token: text("session_token") }
      : null,
    serverControlHandler: text("on_server_control_event").trim(),
    pageControlHook: text("page_control_hook").trim(),
  });
}

/** What is wrong with an organisation's uuid, as one sentence; "" if nothing. */
export function orguuidProblem(orguuid) {
  if (!orguuid) return "Give the organisation's uuid in the attribute orguuid.";
  if (UUID.test(orguuid)) return "";
  if (UUID.test(orguuid.toLowerCase())) return "Write the organisation's uuid in lower case.";
  return "This is no uuid: expected 32 hexadecimal digits in groups of 8-4-4-4-12.";
}

/** What is wrong with a chat name, as one sentence; "" if nothing. */
export function chatNameProblem(chatName) {
  if (!chatName) return "Give the chat's name, branch and name together, as in draftmywebchat.";
  if (CHAT_NAME.test(chatName)) return "";
  if (CHAT_NAME.test(chatName.toLowerCase())) return "Write the chat's name in lower case.";
  if (chatName.length > 68) return "The chat's name is too long: at most 68 characters.";
  return "A chat's name has lower-case letters and digits only, as in draftmywebchat.";
}

/** The first problem of a whole set of attributes; "" if they can be used. */
export function problemOf(attributes) {
  return orguuidProblem(attributes.orguuid) || chatNameProblem(attributes.chatName);
}
