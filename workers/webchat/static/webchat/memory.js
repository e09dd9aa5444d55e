/** What a reload must not lose: the session, how far we have read, and what is still to be sent. */

const UNSENT_MAX = 100;

/** One chat's notes in the tab's own storage; without storage it lives as long as the page. */
export class Memory {
  #key;
  #notes;

  /** `key` names the chat: notes of two servers, organisations or chats never mix. */
  constructor(key) {
    this.#key = `stubber-webchat ${key}`;
    this.#notes = { session: null, began: 0, seen: 0, open: false, unsent: [], ...this.#load() };
  }

  get session() { return this.#notes.session; }
  /** The sequence at which the session began: a fresh page asks for everything after it. */
  get began() { return this.#notes.began; }
  /** The highest sequence this tab has ever handled. */
  get seen() { return this.#notes.seen; }
  get open() { return this.#notes.open; }
  get unsent() { return this.#notes.unsent; }

  beginSession(session) { this.#save({ session, began: 0, seen: 0 }); }
  endSession() { this.#save({ session: null, began: 0, seen: 0 }); }
  forget() { this.#save({ session: null, began: 0, seen: 0, unsent: [] }); }
  setBegan(sequence) { this.#save({ began: sequence }); }
  setSeen(sequence) { if (sequence > this.seen) this.#save({ seen: sequence }); }
  setOpen(open) { this.#save({ open }); }

  /** False when too much waits already: the visitor keeps the text in the input. */
  keep(frame) {
    if (this.unsent.length >= UNSENT_MAX) return false;
    this.#save({ unsent: [...this.unsent, frame] });
    return true;
  }

  drop(id) {
    if (this.unsent.some((frame) => frame.id === id)) {
      this.#save({ unsent: this.unsent.filter((frame) => frame.id !== id) });
    }
  }

  #load() {
    try {
      return JSON.parse(sessionStorage.getItem(this.#key)) ?? {};
    } catch {
      return {}; // Storage is barred (a sandboxed frame, a strict privacy mode) or was tampered with.
    }
  }

  #save(changes) {
    Object.assign(this.#notes, changes);
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(this.#notes));
    } catch {
      // Barred or full: the page goes on with what it holds in memory.
    }
  }
}
