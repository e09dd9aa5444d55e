/** The log of a chat window: bubbles in order, their states, and staying at the end while the visitor is there. */

import { changeBubble, deskEventOf, isOfMessage, lineOf } from "./desk.js";
import { icon, make } from "./elements.js";
import { LABELS } from "./labels.js";

const TYPING_MS_MAX = 60_000;
const NEAR_END_PX = 48;
const GROUP_MS = 5 * 60_000;
/** The place of what the log does not hold yet: after everything. */
const WAITING = "Infinity";

const timeOnly = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

function timeText(atMs) {
  const moment = new Date(atMs);
  const isToday = moment.toDateString() === new Date().toDateString();
  return (isToday ? timeOnly : dayAndTime).format(moment);
}

/** What has a place in the log of the conversation: messages, and lines of a desk. */
const PLACED = "[data-sequence]";

/** The next message or line after one, notes passed over; null at the end. */
function followerOf(placed) {
  let next = placed.nextElementSibling;
  while (next && !next.matches(PLACED)) next = next.nextElementSibling;
  return next;
}

/** In the log's own order, whatever comes first over the wire; what waits for the server stays at the bottom. */
export class Messages {
  #log;
  #latest;
  #typing;
  #typingTimer = 0;
  #isAwaiting = false; // Our last word is the last one said.
  #byId = new Map();
  #byDeskId = new Map(); // An agent may change what they wrote; their system has ids of its own.

  constructor() {
    this.#typing = make("div", { class: "typing", "aria-hidden": "true", "data-testid": "typing", hidden: true },
      make("i"), make("i"), make("i"));
    this.#log = make("div", {
      class: "log", part: "log", role: "log", "aria-live": "polite", "aria-label": LABELS.log,
      tabindex: "0", "data-testid": "log", scroll: () => this.#hideLatestAtEnd(),
    }, this.#typing);
    this.#latest = make("button", {
      class: "latest", type: "button", hidden: true, click: () => this.scrollToEnd(),
    }, icon("down"), LABELS.latest);
    this.element = make("div", { class: "scroller" }, this.#log, this.#latest);
  }

  /** While history is shown again, a screen reader does not read all of it out. */
  setReplaying(isReplaying) {
    this.#log.setAttribute("aria-live", isReplaying ? "off" : "polite");
    this.#log.setAttribute("aria-busy", String(isReplaying));
  }

  /** Whether it is a message of its own: not news of a desk, nor a change of an earlier one. */
  add(message) {
    const event = deskEventOf(message.control);
    if (event && this.#change(event)) return false;
    const isMessage = !event || (isOfMessage(event) && Boolean(message.type));
    const own = message.direction === "from_visitor";
    const shown = isMessage ? this.#bubble(message, own) : this.#line(event, message);
    if (!shown) return false;
    const wasAtEnd = this.#isAtEnd();
    this.#byId.set(message.id, shown);
    if (isMessage && event?.id) this.#byDeskId.set(event.id, shown);
    this.#place(shown);
    this.#isAwaiting = own && message.state === "sending";
    if (!this.#isAwaiting) this.hideTyping();
    if (wasAtEnd || message.state === "sending") this.scrollToEnd();
    else this.#latest.hidden = false;
    return isMessage;
  }

  note(text) {
    this.#log.insertBefore(make("p", { class: "note", "data-testid": "note", text }), this.#typing);
    this.scrollToEnd();
  }

  /** Another session follows: what is shown stays above it, for its sequences may be of another log. */
  beginAnew(text) {
    for (const bubble of this.#log.querySelectorAll(`${PLACED}:not([data-state=sending])`)) bubble.dataset.sequence = 0;
    this.note(text);
  }

  /** Read out at once: without this the visitor cannot go on. */
  warn(text) {
    this.#log.querySelector(".warning")?.remove();
    this.#log.insertBefore(make("p", { class: "warning", role: "alert", "data-testid": "warning", text }), this.#typing);
    this.scrollToEnd();
  }

  /** Before all else, whatever has been said since: the profile's own greeting. */
  setOpening(message) {
    if (!message || this.#log.querySelector(".opening")) return;
    const bubble = this.#bubble({ ...message, sequence: 0 }, false);
    bubble.classList.add("opening");
    this.#log.prepend(bubble);
    this.#group(bubble);
  }

  /** From here on somebody may be answering, unless the answer was faster than the word that it is stored. */
  markStored(id, sequence) {
    const wasAtEnd = this.#isAtEnd();
    if (!this.#setState(id, "sent", LABELS.sent)) return;
    this.#byId.get(id).dataset.sequence = sequence;
    this.#place(this.#byId.get(id));
    if (this.#isAwaiting) this.#showTyping();
    if (wasAtEnd) this.scrollToEnd();
  }

  markFailed(id, reason) { this.#setState(id, "failed", `${LABELS.failed}: ${reason}`); }

  hideTyping() {
    clearTimeout(this.#typingTimer);
    this.#typing.hidden = true;
  }

  scrollToEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#latest.hidden = true;
  }

  /** Three dots until the next incoming message; not for ever, for perhaps nobody answers. */
  #showTyping() {
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.hideTyping(), TYPING_MS_MAX);
    this.#typing.hidden = false;
  }

  /** False where nothing of it is shown here, so that there is nothing to change. */
  #change(event) {
    const bubble = this.#byDeskId.get(event.id);
    if (!bubble || event.type === "agent.message" || !isOfMessage(event)) return false;
    changeBubble(bubble, event);
    return true;
  }

  /** Somebody came, went, or is waited for: the desk's own sentence, else ours; null where there is nothing to say. */
  #line(event, message) {
    const words = lineOf(event);
    if (!message.html && !words) return null;
    const line = make("p", {
      class: "note event", "data-testid": "event", "data-type": event.type, "data-sequence": message.sequence,
    });
    if (message.html) line.innerHTML = message.html;
    else line.textContent = words;
    return line;
  }

  #bubble(message, own) {
    const body = make("div", { class: `body body-${message.type ?? "text"}` });
    // What the server sends as html is safe: it went through an allow-list there. Our own words stay text.
    if (message.html) body.innerHTML = message.html;
    else body.textContent = message.text ?? "";
    const author = own ? LABELS.you : message.agent || LABELS.agent;
    const time = message.at_ms
      ? make("time", { datetime: new Date(message.at_ms).toISOString(), text: timeText(message.at_ms) })
      : "";
    const state = make("span", { class: "state", "data-testid": "state" });
    if (own) state.textContent = LABELS[message.state];
    return make("article", {
      class: "message", "data-testid": "message", "data-direction": message.direction ?? "to_visitor",
      "data-state": message.state ?? "sent", "data-author": author, "data-at": message.at_ms ?? 0,
      "data-type": message.type ?? "text", "data-sequence": message.sequence ?? WAITING,
    }, make("span", { class: "author", text: author }), body, make("span", { class: "meta" }, time, state));
  }

  /** After the last message that stands before it in the log; usually that is the end. It moves only if it must. */
  #place(bubble) {
    const sequence = Number(bubble.dataset.sequence);
    let after = null;
    for (const other of this.#placedBackwards(this.#typing.previousElementSibling)) {
      if (other === bubble) continue;
      if (Number(other.dataset.sequence) <= sequence) break;
      after = other;
    }
    if (bubble.isConnected && followerOf(bubble) === after) return;
    const left = followerOf(bubble);
    this.#log.insertBefore(bubble, after ?? this.#typing);
    for (const touched of [left, bubble, after]) if (touched?.matches(".message")) this.#group(touched);
  }

  *#placedBackwards(from) {
    for (let item = from; item; item = item.previousElementSibling) if (item.matches(PLACED)) yield item;
  }

  /** One name for a run of messages: bubbles of one author within a few minutes belong together. */
  #group(bubble) {
    const before = bubble.previousElementSibling;
    const same = before?.matches(".message") && before.dataset.author === bubble.dataset.author
      && (before.matches(".opening") || bubble.dataset.at - before.dataset.at < GROUP_MS);
    bubble.classList.toggle("follows", Boolean(same));
    if (before?.matches(".message")) before.classList.toggle("followed", Boolean(same));
  }

  #setState(id, state, text) {
    const bubble = this.#byId.get(id);
    if (!bubble || bubble.dataset.state === state) return false;
    bubble.dataset.state = state;
    bubble.querySelector(".state").textContent = text;
    return true;
  }

  #isAtEnd() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_END_PX;
  }

  #hideLatestAtEnd() { if (this.#isAtEnd()) this.#latest.hidden = true; }
}
