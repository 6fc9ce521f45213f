// One stream of server-sent events, read with fetch, that reconnects by itself.
//
// Not an EventSource: that hides the status (a session that has expired looks like a network that is down), hides the
// server's keep-alive comments (so a dead connection looks like a quiet call), and cannot name the event to resume
// after on its first request. Reading the stream ourselves costs forty lines and makes the state honest.

import { address, session } from "./api.js";

const SILENCE = 40_000; // the server sends a comment every 15 s; without a byte for this long the connection is dead
const PAUSES = [100, 500, 1000, 2000, 4000, 8000];

/** Null if fetch rejects because the network or the server went away; any other error is a bug and is thrown. */
const lost = (promise) =>
  promise.catch((error) => {
    if (error instanceof TypeError || error?.name === "AbortError") return null;
    throw error;
  });

/** Splits the text of a stream into messages, as the HTML standard says. */
export class Parser {
  #rest = "";
  #message = { data: [] };

  /** The messages that this piece completes: `{id, event, data}`, `id` undefined where there is none. */
  receive(text) {
    const messages = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        const { id, event, data } = this.#message;
        if (data.length) messages.push({ id, event: event ?? "message", data: data.join("\n") });
        this.#message = { data: [] };
      } else if (!line.startsWith(":")) {
        this.#field(line);
      }
    }
    return messages;
  }

  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#message.data.push(value);
    else if (name === "id" || name === "event") this.#message[name] = value;
  }
}

/**
 * `received(messages)` gets the messages as they come. `changed(state)` gets
 *   connecting | live | reconnecting (`since`: ms, `again`) | ended | refused (`status`) | paused.
 */
export class Feed {
  #path;
  #query;
  #received;
  #changed;
  #abort = null;
  #failures = 0;
  #wake = () => {};
  #since = null;
  state = "idle";
  /** The id to resume after. */
  lastId = null;

  constructor(path, { query = {}, received, changed }) {
    this.#path = path;
    this.#query = query;
    this.#received = received;
    this.#changed = changed;
  }

  start() {
    if (this.#abort) return;
    this.#abort = new AbortController();
    this.#run(this.#abort.signal);
  }

  /** Disconnect; `start` resumes after the last event. */
  stop(state = "idle") {
    this.#abort?.abort();
    this.#abort = null;
    this.#wake();
    if (state === "paused" && this.state !== "ended") this.#tell("paused");
  }

  /** Start again after a pause; a feed that has ended or was refused stays so. */
  resume() {
    if (this.state !== "ended" && this.state !== "refused") this.start();
  }

  /** End the pause before the next attempt: something suggests that it will succeed now. */
  hurry() {
    this.#failures = 0;
    this.#wake();
  }

  /** Ask again for everything after `lastId`. */
  restart() {
    this.stop();
    this.start();
  }

  async #run(signal) {
    this.#tell(this.#since ? "reconnecting" : "connecting");
    while (!signal.aborted) {
      const outcome = await this.#connect(signal);
      if (signal.aborted) return;
      if (outcome !== "again") {
        this.#abort = null;
        this.#since = null;
        this.#tell(outcome.state, outcome);
        return;
      }
      this.#since ??= Date.now();
      this.#tell("reconnecting");
      await this.#pause();
      this.#failures += 1;
    }
  }

  async #connect(signal) {
    // A controller of its own, so that silence can end the connection without ending the feed.
    const line = new AbortController();
    const cut = () => line.abort();
    signal.addEventListener("abort", cut);
    let watchdog = setTimeout(cut, SILENCE);
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(cut, SILENCE);
    };
    try {
      return await this.#listen(line.signal, heard);
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", cut);
      cut();
    }
  }

  async #listen(signal, heard) {
    const response = await lost(
      fetch(address(this.#path, this.#query), {
        headers: { Accept: "text/event-stream", ...(this.lastId ? { "Last-Event-ID": this.lastId } : {}) },
        signal,
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error",
      }),
    );
    if (!response) return "again";
    if (response.status === 204) return { state: "ended" };
    if ([400, 401, 403, 404].includes(response.status)) {
      if (response.status === 401) session.expired();
      return { state: "refused", status: response.status };
    }
    if (!response.ok || !response.body) return "again";
    this.#opened();
    const parser = new Parser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const piece = await lost(reader.read());
      if (!piece || piece.done || signal.aborted) return "again";
      heard();
      if (this.#take(parser.receive(piece.value))) return { state: "ended" };
    }
  }

  #opened() {
    const away = this.#since === null ? null : Date.now() - this.#since;
    this.#since = null;
    this.#tell("live", { away });
  }

  /** True: the server said that nothing follows. */
  #take(messages) {
    if (!messages.length) return false;
    this.#failures = 0;
    const ended = messages.some(({ event }) => event === "end");
    for (const { id, event } of messages) {
      if (event === "reset") this.lastId = null; // it was of another record
      else if (id !== undefined) this.lastId = id;
    }
    this.#received(messages.filter(({ event }) => event !== "end"));
    return ended;
  }

  #pause() {
    const pause = PAUSES[Math.min(this.#failures, PAUSES.length - 1)];
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause * (0.75 + Math.random() / 2));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tell(state, more = {}) {
    this.state = state;
    this.#changed({ state, since: this.#since, ...more });
  }
}
