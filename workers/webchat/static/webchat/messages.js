/** The log of a chat window: bubbles in order, their states, and staying at the end while the visitor is there. */

import { icon, make } from "./elements.js";
import { LABELS } from "./labels.js";

const TYPING_MS_MAX = 60_000;
const NEAR_END_PX = 48;
const GROUP_MS = 5 * 60_000;

const timeOnly = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

function timeText(atMs) {
  const moment = new Date(atMs);
  const isToday = moment.toDateString() === new Date().toDateString();
  return (isToday ? timeOnly : dayAndTime).format(moment);
}

/** Messages that wait for the server stay at the bottom; what the log has is above them, in its order. */
export class Messages {
  #log;
  #latest;
  #typing;
  #typingTimer = 0;
  #byId = new Map();

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

  add(message) {
    const wasAtEnd = this.#isAtEnd();
    const own = message.direction === "from_visitor";
    const bubble = this.#bubble(message, own);
    const pending = message.state === "sending" ? null : this.#log.querySelector("[data-state=sending]");
    this.#log.insertBefore(bubble, pending ?? this.#typing);
    this.#byId.set(message.id, bubble);
    this.#group(bubble);
    if (bubble.nextElementSibling) this.#group(bubble.nextElementSibling);
    if (!own) this.hideTyping();
    if (wasAtEnd || message.state === "sending") this.scrollToEnd();
    else this.#latest.hidden = false;
  }

  note(text) {
    this.#log.insertBefore(make("p", { class: "note", "data-testid": "note", text }), this.#typing);
    this.scrollToEnd();
  }

  /** Before all else, whatever has been said since: the profile's own greeting. */
  setOpening(message) {
    this.#log.querySelector(".opening")?.remove();
    if (!message) return;
    const bubble = this.#bubble({ ...message, id: "opening" }, false);
    bubble.classList.add("opening");
    this.#log.prepend(bubble);
    this.#group(bubble);
  }

  markStored(id) { this.#setState(id, "sent", LABELS.sent); }
  markFailed(id, reason) { this.#setState(id, "failed", `${LABELS.failed}: ${reason}`); }

  /** Three dots until the next incoming message; not for ever, for perhaps nobody answers. */
  showTyping() {
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.hideTyping(), TYPING_MS_MAX);
    this.#typing.hidden = false;
    this.scrollToEnd();
  }

  hideTyping() {
    clearTimeout(this.#typingTimer);
    this.#typing.hidden = true;
  }

  scrollToEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#latest.hidden = true;
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
      "data-type": message.type ?? "text",
    }, make("span", { class: "author", text: author }), body, make("span", { class: "meta" }, time, state));
  }

  /** One name for a run of messages: bubbles of one author within a few minutes belong together. */
  #group(bubble) {
    const before = bubble.previousElementSibling;
    const same = before?.matches(".message") && before.dataset.author === bubble.dataset.author
      && Math.abs(bubble.dataset.at - before.dataset.at) < GROUP_MS;
    bubble.classList.toggle("follows", Boolean(same));
    if (before?.matches(".message")) before.classList.toggle("followed", Boolean(same));
  }

  #setState(id, state, text) {
    const bubble = this.#byId.get(id);
    if (!bubble || bubble.dataset.state === state) return;
    bubble.dataset.state = state;
    bubble.querySelector(".state").textContent = text;
    if (state === "failed") this.hideTyping();
  }

  #isAtEnd() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_END_PX;
  }

  #hideLatestAtEnd() { if (this.#isAtEnd()) this.#latest.hidden = true; }
}
