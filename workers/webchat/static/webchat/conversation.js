/** The visitor's side of one session: what was said, what is still on its way, how far we have read. */

import { Connection } from "./connection.js";
import { deskEventOf } from "./desk.js";
import { Memory } from "./memory.js";

const STORED_WAIT_MS = 10_000;
const SEEN_DELAY_MS = 150;
const TEXT_BYTES_MAX = 64 * 1024;
/** A little under what the server takes: a larger frame would end the connection, again and again. */
const FRAME_BYTES_MAX = 320 * 1024;
/** The server does not know (any more) the session that we hold: begin a new one. */
const SESSION_REFUSALS = new Set(["forbidden", "unknown_session"]);
/** Not now: the server ends the connection, and we come back after a while as after any other loss. */
const PASSING_REFUSALS = new Set(["too_many", "stream_full"]);

function bytesOf(text) { return new TextEncoder().encode(text).length; }

/** crypto.randomUUID exists on https and localhost only; a page inside a company may be neither. */
function mintId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * `listener` hears: state(state), message(message), stored(id, sequence), failed(id, reason), welcome(welcome),
 * settings(settings), control(event), note(text), restarted(), replaying(bool), refused(code, reason).
 */
export class Conversation {
  #attributes;
  #listener;
  #memory;
  #connection;
  #state = "idle";
  #shown = 0; // The highest sequence that this page shows: a reconnect asks for what comes after it.
  #isNew = false; // A session that goes on began before all that is replayed; where, its first tab knows.
  #ids = new Set();
  #storedTimer = 0;
  #seenTimer = 0;

  constructor(serverUrl, attributes, listener) {
    this.#attributes = attributes;
    this.#listener = listener;
    this.#memory = new Memory(`${serverUrl.origin} ${attributes.orguuid} ${attributes.chatName}`);
    const url = new URL("webchat/socket", serverUrl);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#connection = new Connection(url.href, {
      hello: () => this.#hello(),
      frame: (frame) => this.#take(frame),
      lost: (isFinal) => this.#lost(isFinal),
    });
  }

  get wasOpen() { return this.#memory.open; }
  forget() {
    this.stop();
    this.#memory.forget();
  }

  rememberOpen(open) { this.#memory.setOpen(open); }

  start() {
    if (this.#state !== "idle") return;
    if (!this.#memory.session && this.#attributes.session) this.#memory.beginSession(this.#attributes.session);
    for (const frame of this.#memory.unsent) this.#showUnsent(frame);
    this.#enter("connecting");
    this.#connection.open();
  }

  stop() {
    clearTimeout(this.#storedTimer);
    clearTimeout(this.#seenTimer);
    this.#connection.close();
    this.#state = "idle";
  }

  /** The reason why the text cannot be taken; "" when it is on its way. `event` travels with it, if given. */
  say(text, event = null) {
    const frame = { frame: "say", id: mintId(), text, event, at_ms: Date.now() };
    if (bytesOf(text) > TEXT_BYTES_MAX || bytesOf(JSON.stringify(frame)) > FRAME_BYTES_MAX) {
      return "This message is too long: at most 64 KiB.";
    }
    if (!this.#memory.keep(frame)) return "Too many messages are waiting. Please wait for the connection.";
    this.#showUnsent(frame);
    this.#dispatch(frame);
    return "";
  }

  control(event) { this.#keepAndDispatch({ frame: "control", id: mintId(), event }); }
  configure(platformSwitch) {
    this.#keepAndDispatch({ frame: "configure", id: mintId(), platform_switch: platformSwitch });
  }

  typing() { if (this.#state === "online") this.#connection.send({ frame: "typing" }); }

  #keepAndDispatch(frame) {
    if (bytesOf(JSON.stringify(frame)) > FRAME_BYTES_MAX) console.warn("stubber-webchat: the event is too large");
    else if (this.#memory.keep(frame)) this.#dispatch(frame);
  }

  #hello() {
    const session = this.#memory.session;
    return {
      frame: "hello",
      orguuid: this.#attributes.orguuid,
      chat_name: this.#attributes.chatName,
      pass_through_data: this.#attributes.passThroughData,
      session: session && {
        ...session,
        replay_after: this.#shown || this.#memory.began,
        seen: this.#memory.seen,
      },
    };
  }

  #take(frame) {
    switch (frame.frame) {
      case "welcome": return this.#welcome(frame);
      case "replayed": return this.#replayed(frame);
      case "stored": return this.#stored(frame.id, frame.sequence);
      case "message": return this.#message(frame);
      case "refused": return this.#refused(frame);
      default: return undefined; // A newer server: what we do not know, we leave alone.
    }
  }

  #welcome(frame) {
    if (!frame.resumed) {
      this.#memory.beginSession({ sessionuuid: frame.sessionuuid, token: frame.token });
      this.#shown = 0;
    }
    this.#isNew = !frame.resumed;
    this.#listener.replaying(true);
    this.#listener.welcome(frame);
  }

  #replayed(frame) {
    if (this.#isNew) this.#memory.setBegan(frame.through);
    this.#advance(frame.through);
    if (frame.gap) this.#listener.note("Some earlier messages are no longer kept.");
    this.#listener.replaying(false);
    this.#connection.settled();
    this.#enter("online");
    for (const unsent of [...this.#memory.unsent]) this.#send(unsent);
  }

  #message(frame) {
    if (frame.direction === "from_visitor") {
      // Our own words come back in a replay, or from another tab; they say nothing about how far we have read.
      const known = this.#ids.has(frame.id);
      this.#stored(frame.id, frame.sequence);
      if (!known) this.#show(frame);
    } else if (frame.sequence > this.#shown) {
      const isFresh = frame.sequence > this.#memory.seen;
      this.#advance(frame.sequence);
      if (frame.settings) this.#listener.settings(frame.settings);
      if (frame.type || deskEventOf(frame.control)) this.#show(frame);
      // A page event is done once per tab: a reload shows the words again, but does not repeat the deed.
      if (frame.control && isFresh) this.#listener.control(frame.control);
    }
  }

  #show(frame) {
    this.#ids.add(frame.id);
    this.#listener.message({ ...frame, state: "sent" });
  }

  #advance(sequence) {
    this.#shown = Math.max(this.#shown, sequence);
    this.#memory.setSeen(sequence);
    this.#seenTimer ||= setTimeout(() => {
      this.#seenTimer = 0;
      this.#connection.send({ frame: "seen", sequence: this.#shown });
    }, SEEN_DELAY_MS);
  }

  #stored(id, sequence) {
    this.#memory.drop(id);
    this.#listener.stored(id, sequence);
    this.#watchStored();
  }

  #refused(frame) {
    if (SESSION_REFUSALS.has(frame.code) && this.#memory.session) {
      this.#memory.endSession();
      this.#shown = 0;
      this.#listener.restarted();
      this.#connection.send(this.#hello());
    } else if (frame.id) {
      this.#memory.drop(frame.id);
      this.#listener.failed(frame.id, frame.message);
    } else if (!PASSING_REFUSALS.has(frame.code)) {
      this.#listener.refused(frame.code, frame.message);
    }
  }

  #showUnsent(frame) {
    if (frame.frame !== "say" || this.#ids.has(frame.id)) return;
    this.#ids.add(frame.id);
    this.#listener.message({
      id: frame.id, direction: "from_visitor", text: frame.text, at_ms: frame.at_ms, state: "sending",
    });
  }

  #dispatch(frame) { if (this.#state === "online") this.#send(frame); }

  #send(frame) {
    const { at_ms: _, ...wire } = frame;
    this.#connection.send(wire);
    this.#watchStored();
  }

  /** No word about a message for too long means a dead connection that nobody has told us of. */
  #watchStored() {
    clearTimeout(this.#storedTimer);
    if (this.#state !== "online" || this.#memory.unsent.length === 0) return;
    this.#storedTimer = setTimeout(() => this.#connection.restart(), STORED_WAIT_MS);
  }

  #lost(isFinal) {
    clearTimeout(this.#storedTimer);
    this.#listener.replaying(false);
    this.#enter(isFinal ? "stopped" : "offline");
    if (isFinal) this.#connection.close();
  }

  #enter(state) {
    this.#state = state;
    this.#listener.state(state);
  }
}
