/**
 * The custom element <stubber-webchat>: one chat of one organisation, in a shadow root of its own.
 *
 *   <script type="module" src="https://chat.example.org/widget.js"></script>
 *   <stubber-webchat orguuid="…" chat_name="draftmywebchat"></stubber-webchat>
 *
 * Attributes: orguuid, chat_name, chat_display_name, pass_through_data, open_on_mount, fullscreen_mode,
 * mode ("sticky" floats over the page, "manual" stays where the page puts it), on_server_control_event and
 * page_control_hook (names of functions of the page), sessionuuid with session_token (to resume).
 * Method: forget().
 * Events that it fires: stubber_webchat_refused {code, message}. Events that it takes, on window:
 * stubber_webchat_page_control_event {data}. Changed attributes take effect when the element is put in anew.
 */

import { problemOf, readAttributes } from "./webchat/attributes.js";
import { Conversation } from "./webchat/conversation.js";
import { LABELS } from "./webchat/labels.js";
import { styleSheet } from "./webchat/style.js";
import { ChatWindow } from "./webchat/window.js";

/** The server that this file came from is the one to talk to. */
const SERVER_URL = new URL("./", import.meta.url);
const OWN_ACTIONS = "_stubber_webchat_";
const PHONE = matchMedia("(max-width: 480px)");

class StubberWebchat extends HTMLElement {
  #attributes;
  #conversation;
  #window;
  #takePageEvent = (event) => this.#conversation?.control(event.detail?.data ?? {});

  connectedCallback() {
    this.#attributes = readAttributes(this);
    this.#window = new ChatWindow(this.#attributes, {
      opened: () => this.#opened(),
      closed: () => this.#conversation?.rememberOpen(false),
      say: (text) => this.#say(text),
      typing: () => this.#conversation?.typing(),
      switchTo: (choice) => this.#conversation?.configure(choice),
    });
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styleSheet];
    root.replaceChildren(this.#window.element);
    addEventListener("stubber_webchat_page_control_event", this.#takePageEvent);
    this.#prepare();
  }

  disconnectedCallback() {
    removeEventListener("stubber_webchat_page_control_event", this.#takePageEvent);
    this.#conversation?.stop();
    this.#conversation = null;
  }

  /** Leave the conversation for good: put in anew, an element with these attributes begins a new session. */
  forget() { this.#conversation?.forget(); }

  #prepare() {
    const problem = problemOf(this.#attributes);
    if (problem) {
      this.#refuse("bad_attributes", problem);
    } else {
      this.#conversation = new Conversation(SERVER_URL, this.#attributes, this.#listener());
    }
    // A chat that was open before a reload goes on; on a phone it would cover the page unasked.
    const goesOn = this.#conversation?.wasOpen && !PHONE.matches;
    if (this.#attributes.openOnMount || goesOn) this.#window.open({ withFocus: false });
  }

  /** Opening the window, not loading the page, is what begins a session. */
  #opened() {
    this.#conversation?.rememberOpen(true);
    this.#conversation?.start();
  }

  #say(text) {
    return this.#conversation.say(text, this.#hookEvent(text));
  }

  /** What the page wants to travel with a message: its hook gets the payload and gives it back with more. */
  #hookEvent(text) {
    const hook = globalThis[this.#attributes.pageControlHook];
    if (!this.#attributes.pageControlHook || typeof hook !== "function") return null;
    return hook({ message: { type: "text", data: text } })?.control_event ?? null;
  }

  #listener() {
    const view = this.#window;
    return {
      state: (state) => view.setState(state),
      message: (message) => view.addMessage(message),
      stored: (id, sequence) => view.messages.markStored(id, sequence),
      failed: (id, reason) => view.messages.markFailed(id, reason),
      settings: (settings) => view.applySettings(settings),
      note: (text) => view.messages.note(text),
      restarted: () => view.messages.beginAnew(LABELS.restarted),
      replaying: (isReplaying) => view.messages.setReplaying(isReplaying),
      control: (event) => this.#runPageHandler(event),
      refused: (code, reason) => this.#refuse(code, reason),
      welcome: (welcome) => {
        view.setTitle(this.#attributes.title || welcome.title);
        view.messages.setOpening(welcome.opening);
      },
    };
  }

  #runPageHandler(event) {
    if (String(event.action ?? "").startsWith(OWN_ACTIONS)) return;
    const handler = globalThis[this.#attributes.serverControlHandler];
    if (this.#attributes.serverControlHandler && typeof handler === "function") handler(event);
  }

  #refuse(code, reason) {
    this.#conversation?.stop();
    this.#conversation = null;
    // The sentence is for whoever builds the page; a visitor can do nothing with it.
    this.#window.bar(LABELS.refused[code] ?? LABELS.refused.other);
    console.warn(`stubber-webchat: ${reason}`);
    this.dispatchEvent(new CustomEvent("stubber_webchat_refused", {
      bubbles: true, composed: true, detail: { code, message: reason },
    }));
  }
}

if (!customElements.get("stubber-webchat")) customElements.define("stubber-webchat", StubberWebchat);
