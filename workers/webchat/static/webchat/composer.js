/** Where the visitor writes: Enter sends, Shift and Enter makes a new line. */

import { icon, make } from "./elements.js";
import { LABELS } from "./labels.js";

const INPUT_HEIGHT_PX_MAX = 132;
const TYPING_EVERY_MS = 3000;

/** `onSay(text)` gives back the reason why a text was not taken, "" if it was: only then the input is emptied. */
export class Composer {
  #input;
  #problem;
  #button;
  #onSay;
  #onTyping;
  #typedAt = 0;

  constructor({ onSay, onTyping }) {
    this.#onSay = onSay;
    this.#onTyping = onTyping;
    this.#input = make("textarea", {
      id: "input", rows: "1", placeholder: LABELS.placeholder, "aria-label": LABELS.input,
      "aria-describedby": "problem", enterkeyhint: "send", autocomplete: "off", "data-testid": "input",
      input: () => this.#changed(),
      keydown: (event) => this.#key(event),
    });
    this.#problem = make("p", { id: "problem", class: "problem", role: "alert", "data-testid": "problem" });
    this.#button = make("button", {
      class: "send", type: "submit", "aria-label": LABELS.send, disabled: true, "data-testid": "send",
    }, icon("send"));
    this.element = make("form", {
      class: "composer", part: "composer",
      submit: (event) => { event.preventDefault(); this.#send(); },
    }, this.#problem, make("div", { class: "field" }, this.#input, this.#button));
  }

  focus() { this.#input.focus({ preventScroll: true }); }

  /** With a reason, nothing can be written: the chat is not there. */
  setBarred(isBarred) {
    this.#input.disabled = isBarred;
    this.#resize();
  }

  #key(event) {
    // While an input method is composing, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #send() {
    const text = this.#input.value.trim();
    if (!text || this.#input.disabled) return;
    const problem = this.#onSay(text);
    this.#problem.textContent = problem;
    if (!problem) this.#input.value = "";
    this.#resize();
    this.focus();
  }

  #changed() {
    this.#problem.textContent = "";
    this.#resize();
    if (this.#input.value && Date.now() - this.#typedAt > TYPING_EVERY_MS) {
      this.#typedAt = Date.now();
      this.#onTyping();
    }
  }

  #resize() {
    this.#button.disabled = !this.#input.value.trim() || this.#input.disabled;
    this.#input.style.height = "auto";
    this.#input.style.height = `${Math.min(this.#input.scrollHeight, INPUT_HEIGHT_PX_MAX)}px`;
  }
}
