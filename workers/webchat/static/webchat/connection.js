/** One WebSocket that comes back by itself, with backoff and jitter. */

const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 15_000;
const WELCOME_WAIT_MS = 15_000;
const CODE_SERVICE_RESTART = 1012;
/** Codes after which trying again cannot help: the server says no to us, not "not now". */
const FINAL_CODES = new Set([4400, 4403]);

/**
 * Calls `handlers.hello()` for the first frame of each connection, `handlers.frame(frame)` for each frame that
 * comes, `handlers.lost(isFinal)` when a connection ends. `settled()` tells it that the server took us in.
 */
export class Connection {
  #url;
  #handlers;
  #socket = null;
  #attempt = 0;
  #retryTimer = 0;
  #welcomeTimer = 0;
  #wanted = false;
  #wake = () => { if (this.#wanted && !this.#socket) this.#connect(); };

  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  open() {
    if (this.#wanted) return;
    this.#wanted = true;
    addEventListener("online", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#connect();
  }

  close() {
    this.#wanted = false;
    removeEventListener("online", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    clearTimeout(this.#retryTimer);
    this.#drop();
  }

  /** Give up this connection and make another: the server has not answered for too long. */
  restart() {
    if (!this.#socket) return;
    this.#drop();
    this.#ended(0);
  }

  settled() {
    clearTimeout(this.#welcomeTimer);
    this.#attempt = 0;
  }

  /** False when there is no connection: the caller keeps what matters and sends it after the next hello. */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #connect() {
    clearTimeout(this.#retryTimer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#welcomeTimer = setTimeout(() => this.restart(), WELCOME_WAIT_MS);
    socket.onopen = () => this.send(this.#handlers.hello());
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#handlers.frame(JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      this.#drop();
      this.#ended(event.code);
    };
  }

  #drop() {
    clearTimeout(this.#welcomeTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #ended(code) {
    const isFinal = FINAL_CODES.has(code);
    if (this.#wanted && !isFinal) this.#retryTimer = setTimeout(this.#wake, this.#waitMs(code));
    this.#handlers.lost(isFinal);
  }

  /** Half of the wait is chance, so that a thousand browsers do not come back in one instant. */
  #waitMs(code) {
    if (code === CODE_SERVICE_RESTART && this.#attempt === 0) {
      this.#attempt = 1;
      return Math.random() * FIRST_WAIT_MS;
    }
    const bound = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** this.#attempt);
    this.#attempt = Math.min(this.#attempt + 1, 10);
    return bound * (0.5 + Math.random() / 2);
  }
}
