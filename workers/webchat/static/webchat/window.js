/** The chat window and its launcher: what is open, where the focus is, what the visitor is told. */

import { Composer } from "./composer.js";
import { icon, make } from "./elements.js";
import { LABELS } from "./labels.js";
import { Messages } from "./messages.js";
import { Switching } from "./switching.js";

const PHONE = matchMedia("(max-width: 480px)");

/** `on` has opened(), closed(), say(text), typing(), switchTo(platformSwitch). */
export class ChatWindow {
  #on;
  #launcher;
  #badge;
  #panel;
  #title;
  #status;
  #grow;
  #swap;
  #switching;
  #unread = 0;

  constructor({ title, manual, fullscreen }, on) {
    this.#on = on;
    this.messages = new Messages();
    this.composer = new Composer({ onSay: on.say, onTyping: on.typing });
    this.#switching = new Switching({
      onSwitch: (choice, name) => {
        on.switchTo(choice);
        this.messages.note(LABELS.switching.done(name));
      },
      onClosed: () => this.composer.focus(),
    });
    this.#buildLauncher();
    this.#buildPanel();
    this.element = make("div", { class: "host", part: "host", "data-mode": manual ? "manual" : "sticky" },
      this.#launcher, this.#panel);
    this.setTitle(title);
    this.#setFullscreen(fullscreen);
  }

  get isOpen() { return !this.#panel.hidden; }

  /** `withFocus` is false when nobody asked just now: a page that loads must not lose its focus to us. */
  open({ withFocus }) {
    if (this.isOpen) return;
    this.#panel.hidden = false;
    this.#launcher.hidden = true;
    this.#launcher.setAttribute("aria-expanded", "true");
    this.#fitModal();
    this.#setUnread(0);
    this.messages.scrollToEnd();
    if (withFocus) this.composer.focus();
    this.#on.opened();
  }

  close() {
    if (!this.isOpen) return;
    this.#panel.hidden = true;
    this.#launcher.hidden = false;
    this.#launcher.setAttribute("aria-expanded", "false");
    this.#launcher.focus();
    this.#on.closed();
  }

  setTitle(title) {
    this.#title.textContent = title || LABELS.title;
    this.#setUnread(this.#unread);
  }

  setState(state) {
    this.element.dataset.state = state;
    this.#status.textContent = LABELS.status[state];
    if (state !== "online") this.messages.hideTyping();
  }

  /** The chat is not there: say why, and take no messages. */
  bar(reason) {
    this.setState("stopped");
    this.messages.warn(reason);
    this.composer.setBarred(true);
  }

  addMessage(message) {
    const isMessage = this.messages.add(message);
    if (!this.isOpen && isMessage && message.direction === "to_visitor") this.#setUnread(this.#unread + 1);
  }

  /** Settings from the stub, by type; what this client does not have yet is left alone. */
  applySettings(settings) {
    for (const { type, value } of Object.values(settings)) {
      if (type === "switching") this.#switching.offer(value);
    }
    this.#swap.hidden = !this.#switching.isOffered;
  }

  #buildLauncher() {
    this.#badge = make("span", { class: "badge", hidden: true, "aria-hidden": "true" });
    this.#launcher = make("button", {
      class: "launcher", part: "launcher", type: "button", "aria-expanded": "false", "aria-haspopup": "dialog",
      "data-testid": "launcher", click: () => this.open({ withFocus: true }),
    }, icon("chat"), this.#badge);
  }

  #buildPanel() {
    const round = (name, label, click, testId) => make("button",
      { class: "round", type: "button", "aria-label": label, title: label, click, "data-testid": testId }, icon(name));
    this.#title = make("h2", { id: "title" });
    this.#status = make("p", { class: "status", role: "status", "data-testid": "status" });
    this.#swap = round("swap", LABELS.switching.button, () => this.#switching.toggle(), "switch");
    this.#swap.hidden = true;
    this.#grow = round("grow", LABELS.fullscreen, () => this.#setFullscreen(!this.#isFullscreen()), "fullscreen");
    this.#grow.classList.add("grow");
    const close = round("close", LABELS.close, () => this.close(), "close");
    this.#panel = make("section", {
      class: "panel", part: "panel", role: "dialog", "aria-labelledby": "title", hidden: true,
      "data-testid": "window", keydown: (event) => this.#key(event),
    },
    make("header", { class: "bar", part: "bar" },
      make("span", { class: "avatar", "aria-hidden": "true" }, icon("chat")),
      make("div", { class: "heading" }, this.#title, this.#status), this.#swap, this.#grow, close),
    this.messages.element, this.#switching.element, this.composer.element);
  }

  #key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      if (this.#switching.element.hidden) this.close();
      else this.#switching.close();
    } else if (event.key === "Tab" && this.#panel.ariaModal === "true") {
      this.#keepFocusInside(event);
    }
  }

  /** A window that covers the page is modal: Tab must not wander under it. */
  #keepFocusInside(event) {
    const stops = [...this.#panel.querySelectorAll("button, textarea, select, input, a[href], [tabindex='0']")]
      .filter((stop) => !stop.disabled && stop.offsetParent !== null);
    const current = this.#panel.getRootNode().activeElement;
    const edge = event.shiftKey ? stops[0] : stops.at(-1);
    if (current !== edge) return;
    event.preventDefault();
    (event.shiftKey ? stops.at(-1) : stops[0]).focus();
  }

  #isFullscreen() { return this.element.hasAttribute("data-fullscreen"); }

  #setFullscreen(isFull) {
    this.element.toggleAttribute("data-fullscreen", isFull);
    this.#grow.setAttribute("aria-pressed", String(isFull));
    this.#fitModal();
  }

  #fitModal() {
    const covers = this.#isFullscreen() || (PHONE.matches && this.element.dataset.mode === "sticky");
    this.#panel.setAttribute("aria-modal", String(covers));
  }

  #setUnread(count) {
    this.#unread = count;
    this.#badge.hidden = count === 0;
    this.#badge.textContent = count > 99 ? "99+" : String(count);
    const news = count ? `, ${LABELS.unread(count)}` : "";
    this.#launcher.setAttribute("aria-label", `${LABELS.open}${news}`);
  }
}
