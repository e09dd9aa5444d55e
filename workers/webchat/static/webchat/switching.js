/** The offer to go on elsewhere: shown when the stub allows it, and only ever a wish sent to the stub. */

import { make } from "./elements.js";
import { LABELS } from "./labels.js";

const WORDS = LABELS.switching;
const PLATFORMS = ["whatsapp", "sms", "email"];

/** A small form over the composer. `onSwitch({platform_name, type, value})` carries the visitor's choice away. */
export class Switching {
  #offered = [];
  #channel;
  #value;
  #label;
  #onSwitch;
  #onClosed;

  constructor({ onSwitch, onClosed }) {
    this.#onSwitch = onSwitch;
    this.#onClosed = onClosed;
    this.#channel = make("select", { id: "channel", change: () => this.#fit() });
    this.#value = make("input", { id: "address", required: true, autocomplete: "on" });
    this.#label = make("label", { for: "address" });
    this.element = make("form", {
      class: "switching", hidden: true, "aria-label": WORDS.button, "data-testid": "switching",
      submit: (event) => { event.preventDefault(); this.#submit(); },
    },
    make("p", { text: WORDS.intro }),
    make("label", { for: "channel", text: WORDS.channel }), this.#channel,
    this.#label, this.#value,
    make("div", { class: "actions" },
      make("button", { type: "button", class: "plain", text: WORDS.cancel, click: () => this.close() }),
      make("button", { type: "submit", class: "solid", text: WORDS.submit })));
  }

  get isOffered() { return this.#offered.length > 0; }

  /** `allowed` is the setting's value: {"whatsapp": true, ...}. */
  offer(allowed) {
    this.#offered = PLATFORMS.filter((name) => allowed?.[name] === true);
    this.#channel.replaceChildren(
      ...this.#offered.map((name) => make("option", { value: name, text: WORDS.names[name] })));
    if (!this.isOffered) this.element.hidden = true;
    this.#fit();
  }

  toggle() {
    if (!this.element.hidden) return this.close();
    this.element.hidden = false;
    return this.#channel.focus();
  }

  close() {
    this.element.hidden = true;
    this.#onClosed();
  }

  #fit() {
    const isMail = this.#channel.value === "email";
    this.#label.textContent = isMail ? WORDS.address : WORDS.number;
    this.#value.type = isMail ? "email" : "tel";
    this.#value.placeholder = isMail ? WORDS.addressSample : WORDS.numberSample;
    if (isMail) this.#value.removeAttribute("pattern");
    else this.#value.setAttribute("pattern", "\\+[0-9][0-9 ]{5,20}");
  }

  #submit() {
    const name = this.#channel.value;
    const value = name === "email" ? this.#value.value.trim() : this.#value.value.replaceAll(" ", "");
    this.#onSwitch({ platform_name: name, type: name === "email" ? "email" : "mobile", value }, WORDS.names[name]);
    this.#value.value = "";
    this.close();
  }
}
