// The calls on the left: the live ones first, then the earlier ones by day, more of them on scrolling, or the results
// of a search.
//
// The stream of all calls brings new calls and their last sentences; each event names its call. After every connection
// the list itself is asked for as well, so that changes during a lost connection are not missed.

import { callPath, get, now, Refused } from "./api.js";
import { bring, byId, h } from "./dom.js";
import { Feed } from "./feed.js";
import { asNumber, clock, dayKey, dayName } from "./format.js";
import { fillRow, makeRow } from "./rows.js";

const PAGE = 50;
const TYPING = 250; // milliseconds without a key after which a search starts

export class CallList {
  #feed;
  #rows = new Map();
  #pages = [];
  #barred = false; // this token is not for calls
  #loading = null;
  #generation = 0;
  #query = "";
  #selected = null;
  #searched;
  #live = byId("live-calls");
  #earlier = byId("earlier-calls");

  /** `changed(state)`: the state of the stream of all calls. `searched(query)`: a search for it has begun. */
  constructor({ changed, searched }) {
    this.#searched = searched;
    this.#feed = new Feed("/calls/live", {
      query: { types: "call.started,transcript.final,call.ended" },
      received: (messages) => messages.forEach((message) => this.#received(message)),
      changed: (state) => {
        if (state.state === "live") this.#refresh();
        this.#barred = state.state === "refused" && state.status === 403;
        if (this.#barred) this.#counts();
        // After a pause the list is asked for again; the sentences spoken meanwhile are not needed.
        if (state.state === "paused") this.#feed.lastId = null;
        changed(state);
      },
    });
    new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && this.#more(), {
      root: byId("list-scroll"),
      rootMargin: "400px",
    }).observe(byId("list-end"));
    setInterval(() => this.#tick(), 1000);
    let typing;
    byId("search").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.search(byId("search").value), TYPING);
    });
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      this.search(byId("search").value).then(() => this.focus(0));
    });
  }

  get query() {
    return this.#query;
  }

  get feed() {
    return this.#feed;
  }

  /** Show the calls with these words or this number; all calls for "". */
  async search(text) {
    if (text.trim() === this.#query) return;
    this.#query = text.trim();
    this.#searched(this.#query);
    this.#clear();
    await this.#load();
  }

  /** Mark the call that is open. */
  select(id) {
    this.#selected = id;
    for (const [key, { link }] of this.#rows) mark(link, key === id);
    this.#rove();
  }

  /** Take a call's data from the open call. */
  update(call) {
    const { snippet, ...rest } = call;
    if (this.#rows.has(call.id)) this.#put(snippet ? call : rest);
  }

  remove(id) {
    this.#drop(id);
    this.#counts();
  }

  /** Move the focus by so many rows; if it is outside the list, to the open call. */
  focus(step) {
    const links = [...document.querySelectorAll("#list-scroll a.call")];
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const open = links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = at < 0 ? Math.max(0, open) : Math.min(Math.max(0, at + step), links.length - 1);
    for (const link of links) link.tabIndex = -1;
    links[next].tabIndex = 0;
    links[next].focus({ preventScroll: true });
    bring(byId("list-scroll"), links[next], { block: "nearest" });
  }

  // The list's content.

  #clear() {
    this.#generation += 1;
    this.#loading = null;
    this.#rows.clear();
    this.#live.replaceChildren();
    this.#earlier.replaceChildren();
    this.#pages = [];
  }

  /** Load the first page of all calls; rows that are shown already stay in place. */
  async #load() {
    const generation = this.#generation;
    const number = asNumber(this.#query);
    const search = number ? [{ from: number }, { to: number }] : [{ q: this.#query }];
    const queries = this.#query ? search : [{ active: false }];
    this.#pages = queries.map((query) => ({ query, before: null, done: false }));
    this.#say("Loading …");
    if (!this.#query) await this.#loadActive();
    if (generation === this.#generation) await this.#more();
  }

  /** Load all active calls; those that have ended since are asked for one by one. */
  async #loadActive() {
    const active = new Set();
    let before = null;
    do {
      const page = await this.#ask({ active: true, before, limit: PAGE });
      if (!page) return;
      for (const call of page.calls) {
        active.add(call.id);
        this.#put(call);
      }
      before = page.next;
    } while (before);
    const gone = [...this.#rows.values()].filter(({ call }) => call.active && !active.has(call.id));
    await Promise.all(gone.map(({ call }) => this.#askAgain(call.id)));
    this.#counts();
  }

  async #askAgain(id) {
    try {
      this.#put(await get(callPath(id)));
    } catch (error) {
      if (error instanceof Refused && error.status === 404) this.#drop(id);
      else if (!lost(error)) throw error;
    }
  }

  async #refresh() {
    if (this.#query) return;
    if (!this.#pages.length) {
      await this.#load();
      return;
    }
    const ended = [...this.#rows.values()].map(({ call }) => call).filter(({ active }) => !active);
    await this.#loadActive();
    const page = await this.#ask({ active: false, limit: PAGE });
    if (!page || this.#query) return;
    for (const call of page.calls) this.#put(call);
    // A call that should be among them and is not has been deleted.
    const there = new Set(page.calls.map(({ id }) => id));
    const from = page.next ? page.calls.at(-1).started_at : "";
    for (const { id, started_at } of ended) if (started_at > from && !there.has(id)) this.#drop(id);
    this.#counts();
  }

  /** The next page. */
  #more() {
    this.#loading ??= this.#loadMore(this.#generation).finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #loadMore(generation) {
    const pages = this.#pages.filter(({ done }) => !done);
    for (const page of pages) {
      const found = await this.#ask({ ...page.query, before: page.before, limit: PAGE });
      if (generation !== this.#generation || !found) return;
      for (const call of found.calls) this.#put(call);
      page.before = found.next;
      page.done = !found.next;
    }
    this.#counts();
    const end = byId("list-end").getBoundingClientRect();
    const room = byId("list-scroll").getBoundingClientRect();
    // The end is still in view, so no scrolling will ask for more.
    if (pages.length && end.top < room.bottom + 400 && room.height) await this.#loadMore(generation);
  }

  /** A page of calls; null if the bridge does not answer now (the stream shows that, and tries again). */
  async #ask(query) {
    try {
      return await get("/calls", query);
    } catch (error) {
      if (lost(error)) {
        this.#say("The list cannot be read now.");
        return null;
      }
      throw error;
    }
  }

  #received({ event, data }) {
    if (event === "reset") {
      this.#clear();
      this.#load();
      return;
    }
    const { call_id: id, data: told } = JSON.parse(data);
    const known = this.#rows.get(id)?.call;
    if (event === "call.started" && !this.#query) {
      this.#put({ ...told, ...known, id, active: true, ended_at: null, duration: null });
    } else if (event === "call.ended" && known) {
      const { ended_at, duration, reason, figures } = told;
      this.#put({ ...known, active: false, ended_at, duration, reason, figures });
    } else if (event === "transcript.final" && known) {
      if (told.text) this.#put({ ...known, last: { speaker: told.speaker, text: told.text } });
    } else {
      return;
    }
    this.#counts();
  }

  // Drawing.

  #put(call) {
    const known = this.#rows.get(call.id);
    const merged = { ...known?.call, ...call };
    merged.last ??= known?.call.last ?? null;
    const row = known ?? makeRow(merged);
    if (known?.call.active !== merged.active) {
      const focused = row.link === document.activeElement;
      place(merged.active ? this.#live : this.#day(merged), row.element, merged.started_at);
      if (focused) row.link.focus();
    }
    row.call = merged;
    this.#rows.set(call.id, row);
    fillRow(row, this.#query);
    mark(row.link, call.id === this.#selected);
  }

  #drop(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    const list = row.element.parentElement;
    const focused = row.element.contains(document.activeElement);
    row.element.remove();
    this.#rows.delete(id);
    if (list !== this.#live && list && !list.children.length) list.closest("section").remove();
    if (focused) this.focus(0);
  }

  /** The list of the day a call was on. */
  #day(call) {
    const key = dayKey(call.started_at);
    for (const section of this.#earlier.children) {
      if (section.dataset.day === key) return section.lastElementChild;
      if (section.dataset.day < key) return this.#newDay(key, call, section);
    }
    return this.#newDay(key, call, null);
  }

  #newDay(key, call, before) {
    const list = h("ul", { class: "calls" });
    const section = h("section", { "data-day": key, "aria-labelledby": `day-${key}` },
      h("h2", { class: "list-title", id: `day-${key}` }, dayName(call.started_at, now())), list);
    this.#earlier.insertBefore(section, before);
    return list;
  }

  #counts() {
    const live = this.#live.children.length;
    byId("live-section").hidden = live === 0;
    const title = `Live (${live})`;
    if (byId("live-title").textContent !== title) byId("live-title").textContent = title;
    const all = this.#rows.size;
    const done = this.#pages.every((page) => page.done);
    const found = `${done ? all : `More than ${all}`} ${all === 1 && done ? "call" : "calls"} found`;
    byId("search-result").textContent = this.#query ? found : "";
    if (this.#barred) this.#say("This token may not read calls.");
    else if (!done) this.#say("Loading …");
    else if (all) this.#say("");
    else this.#say(this.#query ? "Nothing found." : "No calls yet. They appear here the moment they start.");
    this.#rove();
  }

  #say(text) {
    if (byId("list-end").textContent !== text) byId("list-end").textContent = text;
  }

  /** One row can be reached with Tab; the arrows go on from there. */
  #rove() {
    if (document.querySelector("#list-scroll a.call:focus")) return;
    const row = this.#rows.get(this.#selected)?.link ?? document.querySelector("#list-scroll a.call");
    for (const link of document.querySelectorAll("#list-scroll a.call[tabindex='0']")) {
      if (link !== row) link.tabIndex = -1;
    }
    if (row) row.tabIndex = 0;
  }

  #tick() {
    if (this.#feed.state === "reconnecting") return; // they may have ended: no one knows
    for (const { element } of [...this.#rows.values()].filter(({ call }) => call.active)) {
      const time = element.querySelector(".call-when");
      time.textContent = clock((now() - Date.parse(time.dateTime)) / 1000);
    }
  }
}

/** The network or the server is away, or the session is over: other modules report it. */
const lost = (error) =>
  error instanceof TypeError || (error instanceof Refused && (error.status === 401 || error.status >= 500));

function mark(link, current) {
  if (current) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}

/** Insert by time, the newest first; pages come at the end, so the search for the place begins there. */
function place(list, element, startedAt) {
  element.dataset.started = startedAt ?? "";
  let after = list.lastElementChild;
  while (after && after.dataset.started < element.dataset.started) after = after.previousElementSibling;
  if (after) after.after(element);
  else list.prepend(element);
}
