// The recording: play, jump, choose a speed, and see when each speaker spoke.

import { address, callPath } from "./api.js";
import { h, icon, lanes } from "./dom.js";
import { clock } from "./format.js";

const SPEEDS = [1, 1.25, 1.5, 2, 0.75];
const WIDTH = 2000; // of the drawing, in its own units

export class Player {
  #root;
  #audio = null;
  #parts = {};
  #length = 0;
  #moved;
  #played;
  #frame = 0;

  /** `moved(seconds)`: the recording's position. `played(bool)`: it plays, or is paused. */
  constructor(root, { moved, played }) {
    this.#root = root;
    this.#moved = moved;
    this.#played = played;
  }

  get open() {
    return this.#audio !== null;
  }

  load(call, conversation) {
    this.unload();
    this.#length = Math.max(call.duration ?? 0, conversation.length, 0.1);
    const url = call.audio.url ?? callPath(call.id, "/audio.wav");
    // The second is for a browser that cannot read telephone audio.
    this.#audio = h("audio", { preload: "metadata" },
      h("source", { src: address(url), type: "audio/wav" }),
      h("source", { src: address(url, { format: "pcm" }), type: "audio/wav" }));
    this.#build(call);
    this.#draw(conversation);
    this.#listen();
    this.#root.hidden = false;
  }

  unload() {
    cancelAnimationFrame(this.#frame);
    if (!this.#audio) return;
    this.#audio.pause();
    // Closes the connection.
    this.#audio.replaceChildren();
    this.#audio.load();
    this.#audio = null;
    this.#root.hidden = true;
    this.#root.replaceChildren();
  }

  toggle() {
    if (!this.#audio) return;
    if (this.#audio.paused) this.#play();
    else this.#audio.pause();
  }

  /** Go to this second, and play. */
  listen(seconds) {
    this.#seek(seconds);
    this.#play();
  }

  skip(seconds) {
    if (this.#audio) this.#seek(this.#audio.currentTime + seconds);
  }

  #play() {
    this.#audio.play().catch((error) => {
      // A new seek or the end of the view took over; a file that cannot be played says so through `error`.
      if (error.name !== "AbortError" && error.name !== "NotSupportedError") throw error;
    });
  }

  #seek(seconds) {
    this.#audio.currentTime = Math.min(Math.max(0, seconds), this.#audio.duration || this.#length);
    this.#show();
  }

  #build(call) {
    const button = (name, label, action) =>
      h("button", { type: "button", class: "icon", "aria-label": label, title: label, click: action }, icon(name));
    const play = button("play", "Play", () => this.toggle());
    play.classList.add("play");
    const speed = h("button", { type: "button", class: "speed", click: () => this.#faster() }, "1×");
    const time = h("span", { class: "time" });
    const { svg, paths } = lanes(WIDTH, 2, ["inbound", "outbound", "gaps"]);
    const range = h("input", { type: "range", min: 0, max: this.#length, step: 0.1, value: 0, "aria-label": "Position",
      input: () => this.#seek(Number(range.value)),
      keydown: (event) => {
        const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
        if (!step) return;
        event.preventDefault();
        event.stopPropagation();
        this.skip(step);
      } });
    const legend = Object.entries(call.speakers ?? {}).map(([track, label]) =>
      h("span", { class: `who ${track}`, title: label }, label));
    this.#parts = { play, speed, time, range, paths };
    this.#root.replaceChildren(
      h("div", { class: "player-keys" }, button("rewind", "Back 10 seconds", () => this.skip(-10)), play,
        button("forward", "On 10 seconds", () => this.skip(10))),
      h("div", { class: "timeline" }, h("div", { class: "lane-names", "aria-hidden": "true" }, legend),
        h("div", { class: "lanes" }, svg, range)),
      time, speed, this.#audio);
    this.#show();
  }

  /** When each speaker spoke: one path per lane, coloured by the theme; three hours cost no more than a minute. */
  #draw(conversation) {
    const paths = { inbound: "", outbound: "", gaps: "" };
    const x = (seconds) => ((seconds / this.#length) * WIDTH).toFixed(1);
    const box = (from, to, y, height) => {
      const width = Math.max(1, ((to - from) / this.#length) * WIDTH).toFixed(1);
      return `M${x(from)} ${y}h${width}v${height}h-${width}z`;
    };
    const lane = ({ track }) => (track === "outbound" ? 1 : 0);
    for (const segment of conversation.segments) {
      paths[segment.track] += box(segment.start, segment.end, lane(segment) + 0.12, 0.76);
    }
    for (const gap of conversation.items.filter(({ what }) => what === "gap")) {
      paths.gaps += box(gap.start, gap.end, lane(gap), 1);
    }
    for (const [name, path] of Object.entries(paths)) this.#parts.paths[name].setAttribute("d", path);
  }

  #listen() {
    const audio = this.#audio;
    const { play } = this.#parts;
    const state = () => {
      const on = !audio.paused;
      play.replaceChildren(icon(on ? "pause" : "play"));
      play.setAttribute("aria-label", on ? "Pause" : "Play");
      play.title = on ? "Pause" : "Play";
      if (audio !== this.#audio) return;
      cancelAnimationFrame(this.#frame);
      if (on) this.#tick();
      this.#played(on);
    };
    audio.addEventListener("play", state);
    audio.addEventListener("pause", state);
    audio.addEventListener("seeked", () => audio === this.#audio && this.#show());
    audio.addEventListener("durationchange", () => {
      if (audio !== this.#audio || !Number.isFinite(audio.duration)) return;
      this.#parts.range.max = audio.duration;
      this.#show();
    });
    audio.lastElementChild.addEventListener("error", () => {
      this.#parts.time.textContent = "This recording cannot be played here.";
      play.disabled = true;
    });
  }

  /** `timeupdate` comes four times a second: too slow for words. */
  #tick() {
    this.#show();
    this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #show() {
    const { range, time } = this.#parts;
    const at = this.#audio.currentTime;
    const length = this.#audio.duration || this.#length;
    range.value = at;
    const text = `${clock(at)} / ${clock(length)}`;
    if (time.textContent !== text) {
      time.textContent = text;
      range.setAttribute("aria-valuetext", `${clock(at)} of ${clock(length)}`);
    }
    this.#moved(at);
  }

  #faster() {
    const { speed } = this.#parts;
    const next = SPEEDS[(SPEEDS.indexOf(this.#audio.playbackRate) + 1) % SPEEDS.length];
    this.#audio.playbackRate = next;
    speed.textContent = `${next}×`;
    speed.setAttribute("aria-label", `Speed ${next}`);
  }
}
