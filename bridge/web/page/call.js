// The open call: its feed, its words, its recording, and the state of the connection.

import { callPath, get, now, Refused } from "./api.js";
import { Conversation } from "./conversation.js";
import { details } from "./details.js";
import { bring, byId, h, icon, sr } from "./dom.js";
import { Feed } from "./feed.js";
import { Follow } from "./follow.js";
import { clock, dayAndTime, length, parties, timeOfDay, wall } from "./format.js";
import { Player } from "./player.js";
import { Transcript } from "./transcript.js";

const WAYS = { inbound: "Incoming call from ", outbound: "Outgoing call to " };
const FIGURES = 10_000; // milliseconds between two requests for the figures of a live call
const BACKFILL = 3_600_000; // milliseconds after a call for which late words are asked for
const RESUMED = 8000; // milliseconds for which the page says that it has reconnected
const READ_OUT = 6; // finals that are kept for the screen reader

export class CallView {
  #transcript;
  #follow;
  #player;
  #feed = null;
  #conversation = null;
  #call = null;
  #id = null;
  #frame = 0;
  #holes = 0;
  #back = null;
  #tip = Infinity;
  #known = false;
  #caughtUp = false;
  #shown = "";
  #pausedShown = false;
  #query = "";
  #sought = false;
  #timers = [];
  #learned;
  #gone;
  #paused;

  /**
   * `learned(call)`: more is known of the call. `gone(status)`: there is no such call, or no access to it. `paused(on)`:
   * its transcription is paused, or goes on.
   */
  constructor({ learned, gone, paused }) {
    this.#learned = learned;
    this.#paused = paused;
    this.#gone = gone;
    this.#transcript = new Transcript(byId("transcript"), {
      seek: (seconds) => this.#player.listen(seconds),
      said: (item) => readOut(item),
    });
    this.#follow = new Follow(byId("conversation"), byId("transcript"), byId("to-now"));
    this.#player = new Player(byId("player"), {
      moved: (seconds) => this.#follow.spot(this.#transcript.showTime(seconds)),
      played: (on) => this.#followWhat(on),
    });
    setInterval(() => this.#tick(), 1000);
  }

  get id() {
    return this.#id;
  }

  get call() {
    return this.#call;
  }

  /** Whether its transcription is paused. */
  get paused() {
    return Boolean(this.#conversation?.paused && !this.#conversation.ended);
  }

  get feed() {
    return this.#feed;
  }

  get player() {
    return this.#player;
  }

  get follow() {
    return this.#follow;
  }

  /** Show this call; `query` is marked in it. */
  open(id, query = "") {
    if (id === this.#id) return;
    this.close();
    this.#id = id;
    this.#query = query;
    this.#begin();
    byId("call").hidden = false;
    byId("details").replaceChildren();
    this.#head({ id });
    this.#learn();
    this.#feed = new Feed(callPath(id, "/events"), {
      received: (messages) => this.#received(messages),
      changed: (state) => this.#connection(state),
    });
    this.#feed.start();
  }

  /** Start with an empty conversation, for another call or another record. */
  #begin() {
    this.#conversation = new Conversation();
    this.#transcript.live = false;
    this.#transcript.show(this.#conversation);
    this.find(this.#query);
    this.#caughtUp = false;
    byId("conversation").scrollTop = 0;
    byId("call").setAttribute("aria-busy", "true");
  }

  /** Mark these words in the open call, without scrolling. */
  mark(query) {
    this.#sought = false;
    this.#transcript.mark(query);
  }

  /** Mark these words, and go to the first, as soon as it is there. */
  find(query) {
    this.#sought = true;
    this.#transcript.mark(query);
    this.#goToFound();
  }

  #goToFound() {
    const place = this.#sought && this.#transcript.found;
    if (!place) return;
    bring(byId("conversation"), place);
    this.#sought = false;
  }

  /** Ask for nothing of the call any more: it is about to be deleted. */
  release() {
    this.#timers.forEach(clearTimeout);
    this.#timers = [];
    this.#feed?.stop();
    this.#player.unload();
  }

  /** It was not deleted. */
  resume() {
    this.#feed?.start();
    this.#recording();
    this.#learn();
  }

  close() {
    this.release();
    this.#follow.mode = null;
    this.#transcript.live = false;
    cancelAnimationFrame(this.#frame);
    [this.#frame, this.#id, this.#feed, this.#call, this.#back, this.#holes] = [0, null, null, null, null, 0];
    [this.#known, this.#caughtUp, this.#shown, this.#tip] = [false, false, "", Infinity];
    this.#pausedShown = false;
    byId("call").hidden = true;
    byId("log").replaceChildren();
  }

  /** Ask for everything about the call except its events. */
  async #learn() {
    const id = this.#id;
    try {
      const call = await get(callPath(id));
      if (id !== this.#id) return;
      this.#call = call;
      this.#tip = call.seq;
      this.#describe(call);
      this.#verify();
      // Words transcribed after the call come when its stream has already ended.
      if (this.#feed.state === "ended" && this.#conversation.seq < call.seq) this.#feed.restart();
    } catch (error) {
      if (!(error instanceof Refused || error instanceof TypeError)) throw error;
      if (id !== this.#id) return;
      if (error.status === 404) return this.#gone(404);
    }
    // Where to begin reading depends on whether the call is live: nothing is shown before that is known.
    this.#known = true;
    this.#later();
  }

  #describe(call) {
    const shown = JSON.stringify(call);
    // Content that has the focus is not replaced.
    if (shown === this.#shown || (call.active && byId("details").contains(document.activeElement))) return;
    this.#shown = shown;
    this.#head(call);
    byId("details").replaceChildren(...details(call));
    this.#learned(call);
  }

  /** Draw once with the next frame, for all changes until then. */
  #later() {
    if (this.#known) this.#frame ||= requestAnimationFrame(() => this.#render());
  }

  // Events.

  #received(messages) {
    for (const { event, data } of messages) {
      if (event === "reset") {
        this.#begin();
        this.#tip = Infinity;
        this.#learn();
        continue;
      }
      if (this.#conversation.receive(JSON.parse(data))) {
        this.#holes = 0;
        if (event === "call.ended") this.#ended();
        continue;
      }
      // A hole must not be hidden: ask for the stream again from the last event before it.
      this.#feed.lastId = String(this.#conversation.seq);
      this.#holes += 1;
      if (this.#holes > 3) this.#state("broken", "Parts are missing", "The server left out events. Reload to try again.");
      else this.#feed.restart();
      break;
    }
    this.#verify();
    this.#later();
  }

  #ended() {
    this.#followWhat(false);
    this.#learn();
    // The recording and the delivery may take a moment longer.
    for (const wait of [1500, 5000, 15000]) this.#timers.push(setTimeout(() => this.#learn(), wait));
  }

  #render() {
    this.#frame = 0;
    const first = byId("call").getAttribute("aria-busy") === "true";
    const finals = this.#transcript.render();
    if (first && this.#conversation.items.length + this.#conversation.seq) byId("call").removeAttribute("aria-busy");
    // Only events from here on are read out: history is not news.
    this.#transcript.live = this.#caughtUp && !this.#conversation.ended;
    if (!this.#conversation.ended) this.#followWhat(false);
    this.#tellPause();
    this.#follow.arrived(finals);
    this.#goToFound();
    this.#recording();
  }

  #tellPause() {
    if (this.paused === this.#pausedShown) return;
    this.#pausedShown = this.paused;
    this.#paused(this.paused);
    if (["live", "paused"].includes(byId("call-state").dataset.state)) this.#state("live", "Live");
  }

  #followWhat(playing) {
    this.#follow.mode = playing ? "voice" : this.#call?.active && !this.#conversation.ended ? "live" : null;
  }

  /** Open the player, once there is a recording and all events have been read. */
  #recording() {
    const ready = Boolean(this.#call?.audio?.available && this.#conversation.ended && !this.#frame);
    this.#transcript.playable = ready;
    if (ready && !this.#player.open) this.#player.load(this.#call, this.#conversation);
  }

  // The state of the connection.

  #connection({ state, since, away, status }) {
    switch (state) {
      case "connecting":
        return this.#state("connecting", "Connecting …");
      case "reconnecting":
        this.#caughtUp = false;
        this.#transcript.live = false;
        this.#back = null;
        this.#tip = Infinity;
        this.#state("lost", `Reconnecting since ${timeOfDay(since)}`, `The connection was lost at ${wall(since)}.`);
        return null;
      case "live":
        this.#back = away;
        if (away !== null) this.#learn();
        return this.#state("connecting", away === null ? "Reading …" : "Back, catching up …");
      case "ended":
        return this.#state("ended", "Ended");
      case "refused":
        return status === 401 ? null : this.#gone(status);
      default:
        return null;
    }
  }

  /** Say "nothing missed" only after counting: all events up to the server's newest are here. */
  #verify() {
    if (this.#caughtUp || this.#feed?.state !== "live" || this.#conversation.seq < this.#tip) return;
    this.#caughtUp = true;
    if (this.#conversation.ended) return;
    if (this.#back === null) {
      this.#state("live", "Live");
      return;
    }
    const away = length(this.#back / 1000);
    this.#back = null;
    this.#state("back", `Back after ${away}, nothing missed`);
    this.#timers.push(setTimeout(() => this.#feed?.state === "live" && this.#state("live", "Live"), RESUMED));
  }

  #state(kind, text, title = "") {
    if (kind === "live" && this.paused) [kind, text] = ["paused", "Paused"];
    const element = byId("call-state");
    element.dataset.state = kind;
    element.title = title;
    if (element.textContent !== text) element.textContent = text;
  }

  #head(call) {
    const { other, ours } = parties(call);
    const way = call.direction === "outbound" ? "outbound" : "inbound";
    const title = [icon(way), sr(WAYS[call.direction] ?? "Call with "),
      h("span", { class: "party", title: other }, other)];
    byId("call-title").replaceChildren(...(call.started_at ? title : ["Call"]));
    const started = call.started_at
      ? h("time", { datetime: call.started_at, title: wall(call.started_at) }, dayAndTime(call.started_at)) : null;
    const lasts = h("span", { id: "call-length" });
    const end = ours && h("span", {}, `${way === "outbound" ? "from" : "to"} ${ours}`);
    const parts = [lasts, end, started].filter(Boolean);
    byId("call-sub").replaceChildren(...parts.flatMap((part, index) => (index ? [" · ", part] : [part])));
    this.#tick();
    document.title = call.started_at ? `${call.active ? "● " : ""}${other} · Calls` : "Calls";
  }

  /** Whether the call goes on, or its kept audio is still being transcribed. */
  #isGrowing() {
    const soon = () => now() - Date.parse(this.#call.ended_at) < BACKFILL;
    return this.#call.active || (this.#conversation.waiting !== null && soon());
  }

  #tick() {
    const element = this.#call && byId("call-length");
    if (!element || this.#feed?.state === "reconnecting") return; // it may have ended: no one knows
    const seconds = this.#call.active ? (now() - Date.parse(this.#call.started_at)) / 1000 : this.#call.duration;
    const text = clock(seconds ?? 0);
    if (element.textContent !== text) element.textContent = text;
    if (this.#isGrowing() && !document.hidden && Math.floor(now() / 1000) % (FIGURES / 1000) === 0) this.#learn();
  }
}

/** Have the screen reader read a final; only live ones, one after the other. */
function readOut(item) {
  const log = byId("log");
  log.append(h("p", {}, `${item.speaker}: ${item.text}`));
  while (log.children.length > READ_OUT) log.firstElementChild.remove();
}
