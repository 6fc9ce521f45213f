// What was said in one call, and what happened, in the order of the call's clock. Pure: no elements, no network.
//
// Finals append, interims replace, keyed on `segment_id`; the segments of a turn are one item, in which the newest one
// grows. A segment keeps the place at which it was first shown, so that the text does not jump while it is read.

import { shares } from "./shares.js";
import { Turns } from "./turns.js";
import { joined } from "./words.js";

const END = Number.MAX_SAFE_INTEGER;

// Of two segments that begin at once the inbound one comes first, whichever came first.
const CHANNEL = 2 ** 32;

// Seconds: a shorter gap, a single lost frame, loses no word and gets no row.
const SHORTEST_GAP = 0.2;

// The `why` of a gap that a pause tells of.
const PAUSED = "paused";

// The `why` of a gap whose audio may still be kept, and transcribed later.
const GIVEN_UP = "not_transcribed";

export class Conversation {
  /** Segments by time: `{key, at, track, start, end, text, words, final, over, …}`. */
  segments = [];
  /** The last `seq` received. */
  seq = 0;
  started = null;
  ended = null;
  /** Seconds still to be transcribed after the call; null: nothing more comes. */
  waiting = null;
  /** Seconds of audio of each track that was lost after the call ended, before it could be transcribed. */
  #lost = { inbound: 0, outbound: 0 };
  #givenUp = false;
  /** The pause of the transcription that goes on, `{key, at, by}`; null: the call is heard. */
  paused = null;
  /** Seconds of the call up to which something is known. */
  length = 0;
  #items = [];
  #byKey = new Map();
  #segments = new Map();
  #turns = new Turns();
  /** Segments that have changed since the turns were made of them, and the place of the first change. */
  #fresh = new Set();
  #from = Infinity;
  #settled = [];
  #changed = new Set();
  #removed = new Set();
  #order = 0;
  #interruption = null;
  /** The newest run of lost events: the key, place and count of its note, and the number it reaches. */
  #unreadable = null;

  /**
   * Take an event. False: its `seq` leaves a hole, nothing was done and the feed must be asked again.
   * An event that was received before is ignored.
   */
  receive(event) {
    if (event.seq !== undefined && event.seq !== null) {
      if (event.seq <= this.seq) return true;
      if (event.seq > this.seq + 1) return false;
      this.seq = event.seq;
    }
    this.#handlers[event.type]?.(event.data, event);
    return true;
  }

  /** Items by time: `{key, kind: "turn" | "speaking" | "note", at, …}`. */
  get items() {
    this.#makeTurns();
    return this.#items;
  }

  /** The items that are new or changed, and those removed, and the segments that have settled, since the last call. */
  changes() {
    this.#makeTurns();
    const changes = { changed: this.#changed, removed: this.#removed, settled: this.#settled };
    this.#changed = new Set();
    this.#removed = new Set();
    this.#settled = [];
    return changes;
  }

  get(key) {
    return this.#byKey.get(key);
  }

  /** Where an item stands in `items`. */
  indexOf(item) {
    return position(this.#items, item);
  }

  /** The turns that go on at this second. */
  at(seconds) {
    const found = [];
    const after = position(this.items, { at: seconds, order: END });
    for (let index = after - 1; index >= Math.max(0, after - 40) && found.length < 2; index -= 1) {
      const item = this.#items[index];
      if (item.kind === "turn" && item.at <= seconds && seconds < item.end) found.push(item);
    }
    return found;
  }

  #handlers = {
    "call.started": (data) => {
      this.started = data;
    },
    "transcript.interim": (data) => this.#segment(data),
    "transcript.final": (data) => this.#segment(data),
    "speech.started": (data) => this.#speaking(data),
    "turn.eager_end": (data) => this.#ending(data, true),
    "turn.resumed": (data) => this.#ending(data, false),
    "dtmf.received": ({ at, track, digit }, event) => this.#note(event.id, at, { what: "dtmf", track, digit }),
    "pause.started": ({ at, by }, event) => this.#pause({ key: event.id, at, by }),
    "pause.ended": ({ at }) => this.#pauseEnded(at),
    "audio.gap": ({ from, to, track, missing, why }, event) => {
      if (why === PAUSED) {
        this.#pauseEnded(to); // of a call that ended in it there is no other word
        return;
      }
      if (this.ended) this.#gapAfterEnd(track, missing, why);
      if (missing < SHORTEST_GAP) return;
      this.#note(event.id, from, { what: "gap", track, end: to, missing, why });
    },
    "call.resumed": ({ at, reason }, event) => this.#note(event.id, at, { what: "resumed", reason, time: event.time }),
    "stream.failed": (data, event) =>
      this.#note(event.id, this.#wallSeconds(event), { what: "failed", error: data.error }),
    "transcription.interrupted": (data, event) => this.#interrupted(data, event),
    "transcription.resumed": (data, event) => this.#resumed(event),
    "call.ended": (data, event) => this.#end(data, event),
    "transcription.backfilled": (data) => this.#backfilled(data),
    "event.lost": (data, event) => this.#eventLost(event),
  };

  #segment(data) {
    this.#quiet(data.track);
    const known = this.#segments.get(data.segment_id);
    if (known?.final || (known && known.revision > data.revision)) return;
    if (this.ended && !data.final) return;
    const found = data.text ? shares(data) : [];
    for (const key of known?.shares.slice(found.length) ?? []) {
      if (key === data.segment_id) this.#overlap(known, []);
      this.#forget(this.#segments.get(key));
    }
    for (const share of found) this.#share(share, data);
    if (!found.length) return;
    const first = this.#segments.get(data.segment_id);
    Object.assign(first, { shares: found.map(({ key }) => key), search: data.search, alternatives: data.alternatives });
    this.#overlap(first, data.overlaps ?? []);
  }

  /** What one of those who speak in a segment says. */
  #share(share, { track, channel, start_time: time, language, final, revision }) {
    const known = this.#segments.get(share.key);
    const segment = Object.assign(known ?? { at: share.start, over: [] }, share, { track, time, language, final, revision });
    this.length = Math.max(this.length, share.end);
    if (!known) {
      segment.order = channel * CHANNEL + (this.#order += 1);
      this.#segments.set(segment.key, segment);
      this.segments.splice(position(this.segments, segment), 0, segment);
    }
    this.#touch(segment);
    if (segment.final) this.#settled.push(segment);
  }

  #forget(segment) {
    this.#touch(segment);
    this.segments.splice(position(this.segments, segment), 1);
    this.#segments.delete(segment.key);
  }

  #touch(segment) {
    this.#fresh.add(segment);
    this.#from = Math.min(this.#from, position(this.segments, segment));
  }

  /** Bring the items of the turns up to date. */
  #makeTurns() {
    if (this.#from === Infinity) return;
    const { changed, dropped } = this.#turns.update(this.segments, this.#from);
    const fresh = this.#fresh;
    [this.#fresh, this.#from] = [new Set(), Infinity];
    const gone = new Set(dropped.map(({ key }) => key));
    for (const turn of changed) {
      gone.delete(turn.key);
      const [known, over] = [this.#byKey.get(turn.key), this.#turns.over(turn)];
      const same = known && isSame(known.over, over) && isSame(known.parts, turn.parts);
      if (!same || turn.parts.some((part) => fresh.has(part))) this.#put(turnOf(turn, over));
    }
    for (const key of gone) this.#remove(this.#byKey.get(key));
  }

  /**
   * Each revision of a segment lists all its talk-over with the segments known by then: of two segments, the newer list
   * counts for both.
   */
  #overlap(segment, overlaps) {
    const others = new Set(overlaps.map(({ segment_id }) => this.#segments.get(segment_id)).filter(Boolean));
    for (const other of new Set([...(segment.others ?? []), ...others])) {
      other.over = other.over.filter((stretch) => stretch.with !== segment.key);
      segment.over = segment.over.filter((stretch) => stretch.with !== other.key);
      this.#touch(other);
    }
    segment.others = others;
    for (const { segment_id, start, end } of overlaps) {
      segment.over.push({ start, end, with: segment_id });
      this.#segments.get(segment_id)?.over.push({ start, end, with: segment.key });
    }
  }

  #speaking(data) {
    if (this.ended) return;
    this.#quiet(data.track);
    // Shown at the end: the place of the words is known only when they come.
    this.#put({ key: `speaking-${data.track}`, kind: "speaking", at: END, track: data.track, speaker: data.speaker });
  }

  /** Mark the segment whose speaker may be done, or take the mark away. */
  #ending({ segment_id }, ending) {
    const segment = this.#segments.get(segment_id);
    if (!segment || segment.final) return;
    segment.ending = ending;
    this.#touch(segment);
  }

  /** Remove the mark of a speaker who has begun: the words have come, or none follow. */
  #quiet(track) {
    const speaking = this.#byKey.get(`speaking-${track}`);
    if (speaking) this.#remove(speaking);
  }

  #note(key, at, what) {
    this.length = Math.max(this.length, what.end ?? at);
    this.#put({ key, kind: "note", at, start: at, ...what });
  }

  /** Events that a damaged database has lost: one note for those with successive numbers. */
  #eventLost({ id, seq }) {
    const run = this.#unreadable?.last === seq - 1 ? this.#unreadable : { key: id, at: this.length, count: 0 };
    this.#unreadable = { ...run, last: seq, count: run.count + 1 };
    this.#note(run.key, run.at, { what: "lost", count: run.count + 1 });
  }

  #pause(pause) {
    this.paused = pause;
    this.#note(pause.key, pause.at, { what: "paused", by: pause.by, end: null });
  }

  #pauseEnded(end) {
    if (!this.paused) return;
    const { key, at, by } = this.paused;
    this.paused = null;
    this.#note(key, at, { what: "paused", by, end });
  }

  /** Each failed attempt sends the event again: one note shows the newest. */
  #interrupted(data, event) {
    const since = this.#interruption?.since ?? Date.parse(event.time);
    const key = this.#interruption?.key ?? event.id;
    const at = this.#byKey.get(key)?.at ?? this.#wallSeconds(event);
    this.#interruption = { key, since, reason: data.reason };
    this.#note(key, at, { what: "interrupted", reason: data.reason, retry: data.retry, away: null, time: event.time });
  }

  #resumed(event) {
    const away = this.#interruption;
    if (!away) return;
    this.#interruption = null;
    const item = this.#byKey.get(away.key);
    this.#note(away.key, item.at, { ...item, away: (Date.parse(event.time) - away.since) / 1000 });
  }

  #end(data, event) {
    this.ended = data;
    for (const segment of this.segments.filter(({ final }) => !final)) this.#forget(segment);
    for (const item of this.#items.filter(({ kind }) => kind === "speaking")) this.#remove(item);
    this.length = Math.max(this.length, data.duration);
    const { reason, duration, missing, uncovered } = data;
    // Seconds still to be transcribed from kept audio; null: nothing follows.
    this.waiting = uncovered?.length ? missing : null;
    // `left`: seconds that have no words by now; the rest of `missing` was transcribed afterwards.
    const note = { kind: "note", what: "ended", start: duration, time: event.time, reason };
    this.#put({ key: "ended", at: END, ...note, missing, left: missing, waiting: this.waiting });
  }

  #gapAfterEnd(track, missing, why) {
    const ended = this.#byKey.get("ended");
    if (why !== GIVEN_UP) {
      this.#lost[track] += missing;
      return;
    }
    // Nothing is awaited any more; words that `bridge backfill` adds later are counted when they come.
    this.#givenUp = true;
    this.waiting = null;
    if (ended) this.#put({ ...ended, waiting: null });
  }

  #backfilled({ from, to, waiting }) {
    this.waiting = this.#givenUp ? null : waiting || null;
    const ended = this.#byKey.get("ended");
    if (ended) {
      const left = Math.min(ended.missing, waiting + Math.max(this.#lost.inbound, this.#lost.outbound));
      this.#put({ ...ended, left, waiting: this.waiting });
    }
    // A gap that was given up before is filled now, whole or in part.
    for (const gap of this.#items.filter((item) => item.what === "gap" && item.why === GIVEN_UP)) {
      if (to <= gap.start || from >= gap.end) continue;
      this.#remove(gap);
      for (const [start, end] of [[gap.start, from], [to, gap.end]]) {
        if (end - start < SHORTEST_GAP) continue;
        this.#note(`${gap.key}:${start}`, start, { what: "gap", track: gap.track, end, missing: end - start, why: gap.why });
      }
    }
  }

  /** Seconds of the call, for events that only know the wall clock. */
  #wallSeconds(event) {
    const seconds = (Date.parse(event.time) - Date.parse(this.started?.started_at)) / 1000;
    return Number.isFinite(seconds) ? Math.max(0, seconds) : this.length;
  }

  #put(item) {
    const known = this.#byKey.get(item.key);
    if (known && known !== item) Object.assign(known, item);
    if (!known) {
      item.order ??= this.#order += 1;
      this.#byKey.set(item.key, item);
      this.#items.splice(position(this.#items, item), 0, item);
    }
    this.#removed.delete(item);
    this.#changed.add(known ?? item);
  }

  #remove(item) {
    this.#items.splice(position(this.#items, item), 1);
    this.#byKey.delete(item.key);
    this.#changed.delete(item);
    this.#removed.add(item);
  }
}

/** The item of a turn, made of its segments. */
function turnOf({ key, parts: [...parts] }, over) {
  const [first] = parts;
  const { text, from } = joined(parts.map((part) => part.text));
  return {
    key,
    kind: "turn",
    at: first.at,
    order: first.order,
    track: first.track,
    speaker: first.speaker,
    language: first.language,
    start: first.start,
    end: Math.max(...parts.map((part) => part.end)),
    time: first.time,
    final: parts.every((part) => part.final),
    ending: parts.some((part) => part.ending && !part.final),
    parts,
    over,
    text,
    from,
  };
}

const isSame = (some, others) => some.length === others.length && some.every((one, place) => one === others[place]);

/** The index of the first item that is not before this one. */
function position(items, { at, order }) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = items[middle];
    if (item.at < at || (item.at === at && item.order < order)) low = middle + 1;
    else high = middle;
  }
  return low;
}
