// The conversation on the page: one list item for each turn or note, keyed as in `conversation.js`.
//
// Words are not elements of their own: in three hours there are fifty thousand. Where a word is follows from its place
// in the text, and it is marked with the CSS Custom Highlight API; without that the whole turn is marked. Lines stand
// in chunks, of which the browser lays out only those in view: five thousand lines one by one are too many to watch.

import { bring, h, sr } from "./dom.js";
import { clock, endReason, gapReason, length, wall } from "./format.js";
import { beside, isBeside, run, talkOver } from "./said.js";
import { matches, places, runs, searchWords, wordAt } from "./words.js";

const CHUNK = 64; // lines
const BARELY = 0.05; // seconds that are not worth a word

const canHighlight = typeof Highlight === "function" && Boolean(CSS.highlights);

export class Transcript {
  #list;
  #conversation = null;
  #elements = new Map();
  #items = new WeakMap();
  #places = new WeakMap();
  #playing = new Set();
  #reachable = null;
  #word = null;
  #now = [];
  #playable = false;
  #search = [];
  #first = null;
  #found = canHighlight ? new Highlight() : null;
  #seek;
  #said;
  /** Whether new items are live: they then fade in and are read out. */
  live = false;

  /** `seek(seconds)`: the reader wants to play from there. `said(item)`: a live final has come. */
  constructor(list, { seek, said }) {
    this.#list = list;
    this.#seek = seek;
    this.#said = said;
    list.addEventListener("click", (event) => this.#clicked(event));
    list.addEventListener("pointermove", (event) => this.#pointed(event), { passive: true });
    list.addEventListener("pointerleave", () => highlight("hover", null));
    list.addEventListener("keydown", (event) => this.#keyed(event));
    if (this.#found) CSS.highlights.set("found", this.#found);
  }

  /** Show another conversation. */
  show(conversation) {
    this.#conversation = conversation;
    this.#elements.clear();
    this.#playing.clear();
    this.#reachable = null;
    this.#word = null;
    this.#now = [];
    this.#search = [];
    this.#first = null;
    this.#found?.clear();
    highlight("now", null);
    highlight("hover", null);
    this.#list.replaceChildren();
  }

  /** Whether a click on a word plays it. */
  set playable(on) {
    this.#playable = on;
    this.#list.classList.toggle("playable", on);
  }

  /** Bring the page up to date; returns the number of new finals. */
  render() {
    const { changed, removed, settled } = this.#conversation.changes();
    for (const item of removed) this.#drop(item);
    // From first to last, so that an item's predecessor is on the page when the item is inserted after it.
    const order = [...changed].sort((a, b) => a.at - b.at || a.order - b.order);
    for (const item of order) {
      const known = this.#elements.get(item.key);
      const element = known ?? this.#make(item);
      fill[item.kind](element, item);
      if (!known) this.#insert(item, element);
      this.#places.delete(item);
      if (this.#search.length && item.kind === "turn") {
        // Its text has been written again.
        const old = [...(this.#found ?? [])].filter((range) => element.contains(range.startContainer));
        for (const range of old) this.#found.delete(range);
        this.#find(item);
      }
    }
    if (this.live) settled.forEach(this.#said);
    if (!this.#reachable?.isConnected) this.#reach(this.#list.querySelector(".line"));
    return settled.length;
  }

  /** Mark the words of the recording at this second; returns the place of one of them, if any. */
  showTime(seconds) {
    const items = seconds === null ? [] : this.#conversation.at(seconds);
    const elements = new Set(items.map((item) => this.#elements.get(item.key)).filter(Boolean));
    for (const element of this.#playing) if (!elements.has(element)) element.classList.remove("playing");
    for (const element of elements) element.classList.add("playing");
    this.#playing = elements;
    const words = items.map((item) => [item, wordAt(this.#placesOf(item), seconds)]).filter(([, word]) => word);
    const spoken = words.map(([item, word]) => `${item.key}:${word.from}`).join();
    if (spoken !== this.#word) {
      this.#word = spoken;
      this.#now = words.map(([item, word]) => this.#range(item, word.from, word.to)).filter(Boolean);
      highlight("now", this.#now);
    }
    return this.#now[0] ?? [...elements][0] ?? null;
  }

  /** Mark the words of a search, in what comes later too. */
  mark(query) {
    this.#search = searchWords(query);
    this.#found?.clear();
    this.#first = null;
    if (!this.#search.length) return;
    for (const item of this.#conversation.items) {
      if (item.kind === "turn" && this.#elements.has(item.key)) this.#find(item);
    }
  }

  /** The place of the first word that is marked; null: there is none yet. */
  get found() {
    return this.#first && this.#range(...this.#first);
  }

  #find(item) {
    const found = matches(item.text, this.#search);
    if (found.length) this.#first ??= [item, ...found[0]];
    for (const range of found.map(([from, to]) => this.#range(item, from, to)).filter(Boolean)) this.#found?.add(range);
  }

  #make(item) {
    const element = make[item.kind](item);
    if (this.live) element.classList.add("arriving");
    this.#elements.set(item.key, element);
    this.#items.set(element, item);
    return element;
  }

  #insert(item, element) {
    const before = this.#conversation.items[this.#conversation.indexOf(item) - 1];
    const previous = before && this.#elements.get(before.key);
    const chunk = previous ? previous.parentElement : this.#list.firstElementChild;
    if (!chunk) this.#list.append(h("div", { class: "chunk" }, element));
    else if (!previous) chunk.prepend(element);
    else if (previous.nextSibling || chunk.children.length < CHUNK) previous.after(element);
    else if (chunk.nextSibling) chunk.nextSibling.prepend(element);
    else chunk.after(h("div", { class: "chunk" }, element));
  }

  #drop(item) {
    const element = this.#elements.get(item.key);
    const chunk = element?.parentElement;
    element?.remove();
    this.#elements.delete(item.key);
    if (chunk && !chunk.children.length) chunk.remove();
  }

  /** The one line that Tab leads to; the arrows go on from there. */
  #reach(element) {
    this.#reachable?.setAttribute("tabindex", "-1");
    this.#reachable = element;
    element?.setAttribute("tabindex", "0");
  }

  #placesOf(item) {
    if (!this.#places.has(item)) this.#places.set(item, places(item));
    return this.#places.get(item);
  }

  #range(item, from, to) {
    const paragraph = this.#elements.get(item.key)?.querySelector(".said");
    if (!paragraph) return null;
    const walker = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    let [before, open] = [0, false];
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const after = before + node.length;
      if (!open && from < after) {
        range.setStart(node, from - before);
        open = true;
      }
      if (open && to <= after) {
        range.setEnd(node, to - before);
        return range;
      }
      before = after;
    }
    return null;
  }

  /** The item and the word under the pointer. */
  #wordUnder(event) {
    const paragraph = event.target.closest?.(".said");
    const item = this.#items.get(paragraph?.closest(".line"));
    if (item?.kind !== "turn" || !item.parts.some(({ final }) => final)) return {};
    const caret = caretAt(event.clientX, event.clientY);
    if (!caret || !paragraph.contains(caret.node)) return { item };
    const before = document.createRange();
    before.setStart(paragraph, 0);
    before.setEnd(caret.node, caret.offset);
    const offset = before.toString().length;
    return { item, word: this.#placesOf(item).find(({ from, to }) => from <= offset && offset <= to) };
  }

  #clicked(event) {
    if (!this.#playable || !getSelection().isCollapsed) return;
    const { item, word } = this.#wordUnder(event);
    if (item) {
      this.#seek(word?.start ?? item.start);
      return;
    }
    const timed = this.#items.get(event.target.closest("time")?.closest(".line"));
    if (timed) this.#seek(timed.start);
  }

  #pointed(event) {
    if (!this.#playable || event.pointerType === "touch") return;
    const { item, word } = this.#wordUnder(event);
    highlight("hover", word ? [this.#range(item, word.from, word.to)] : null);
  }

  /** Up and down from line to line, Enter to listen. */
  #keyed(event) {
    const element = event.target.closest(".line");
    if (!element || event.altKey || event.ctrlKey || event.metaKey) return;
    const { nextElementSibling: after, previousElementSibling: before, parentElement: chunk } = element;
    const next = {
      ArrowDown: after ?? chunk.nextElementSibling?.firstElementChild,
      ArrowUp: before ?? chunk.previousElementSibling?.lastElementChild,
    }[event.key];
    if (next) {
      this.#reach(next);
      next.focus({ preventScroll: true });
      bring(this.#list.parentElement, next, { block: "nearest" });
      event.preventDefault();
    } else if (event.key === "Enter" && this.#playable) {
      this.#seek(this.#items.get(element).start);
      event.preventDefault();
    }
  }
}

function highlight(name, ranges) {
  if (!canHighlight) return;
  if (ranges?.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}

function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const caret = document.caretPositionFromPoint(x, y);
    return caret && { node: caret.offsetNode, offset: caret.offset };
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return range && { node: range.startContainer, offset: range.startOffset };
}

const timeElement = (item, className) =>
  h("time", { class: className, title: wall(item.time) || null, datetime: item.time ?? null }, clock(item.start));

const make = {
  turn: (item) =>
    h("div", { class: `line turn ${item.track}`, role: "listitem", tabindex: "-1" },
      h("div", { class: "said-head" }, h("span", { class: "who" }), h("time", { class: "at" })),
      h("p", { class: "said", dir: "auto" })),
  speaking: (item) =>
    h("div", { class: `line turn speaking ${item.track}`, role: "listitem", tabindex: "-1" },
      h("div", { class: "said-head" }, h("span", { class: "who" }, item.speaker)),
      h("p", { class: "said" }, sr("is speaking"),
        h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")))),
  note: () => h("div", { role: "listitem", tabindex: "-1" }),
};

const fill = {
  turn: (element, item) => {
    const [head, said] = element.children;
    const [who, time] = head.children;
    if (who.textContent !== item.speaker) who.textContent = item.speaker;
    const at = clock(item.start);
    if (time.textContent !== at) {
      time.textContent = at;
      time.dateTime = item.time ?? "";
      time.title = wall(item.time);
    }
    element.classList.toggle("interim", !item.parts.some(({ final }) => final));
    element.classList.toggle("final", item.final);
    element.classList.toggle("ending", item.ending);
    element.classList.toggle("voiced", item.parts[0].who !== item.track); // the next may be another's of this track
    if (item.language) element.lang = item.language;
    said.replaceChildren(...runs(item).map(run));
    element.querySelector(".talk-over")?.remove();
    if (item.over.length) element.append(talkOver(item));
    element.querySelector(".beside")?.remove();
    if (item.parts.some(isBeside)) element.append(beside(item));
  },
  speaking: () => {},
  note: (element, item) => {
    element.className = `line note ${item.what}`;
    element.replaceChildren(h("span", { class: "note-text" }, ...noteWords[item.what](item)), timeElement(item, "at"));
  },
};

/** Sentences on the audio that had no words when the call ended. */
function wordless(missing, left, waiting) {
  const parts = [];
  if (waiting) parts.push(`${length(waiting)} are still to be transcribed.`);
  else if (left > BARELY) parts.push(`${length(left)} have no words.`);
  if (missing - left > BARELY) parts.push(`${length(missing - left)} were transcribed afterwards.`);
  return parts.join(" ");
}

const BY = { api: "by a program", page: "on the page", key: "with a key" };

const noteWords = {
  dtmf: ({ digit }) => ["Key ", h("kbd", {}, digit), " pressed"],
  gap: ({ missing, why }) => [`${length(missing)} of audio missing${why ? `: ${gapReason(why)}` : ""}`],
  lost: ({ count }) => [
    `${count === 1 ? "An event that stood here is" : `${count} events that stood here are`} lost: the database was damaged`,
  ],
  paused: ({ by, start, end }) => {
    const who = BY[by] ? ` ${BY[by]}` : "";
    if (end === null) return [`Paused${who}: nothing is heard or kept.`];
    return [`Paused${who} for ${length(end - start)}: nothing was heard or kept.`];
  },
  failed: ({ error }) => [`The carrier reports: ${error}`],
  interrupted: ({ reason, retry, away }) => {
    if (away !== null) return [`Transcription was away for ${length(away)}: ${reason}`];
    const outlook = retry ? "The audio is kept, the words will follow." : "It goes on when this is fixed.";
    return [`Transcription interrupted: ${reason}. ${outlook}`];
  },
  resumed: ({ reason }) => [`The call goes on: ${gapReason(reason)}`],
  ended: ({ reason, missing, left, waiting, start }) => [
    `Call ended after ${clock(start)}. ${endReason(reason)}.`,
    missing > 0.5 ? ` ${wordless(missing, left, waiting)}` : "",
  ],
};
