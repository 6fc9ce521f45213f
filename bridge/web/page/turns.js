// Which segments are one turn, and so one bubble on the page: what one person says without a long pause, whatever a
// recognizer has cut it into. The same rule as in `bridge/transcript/turns.py`. Pure.

const PAUSE = 2; // seconds without a word after which the same speaker begins another turn
const LONGEST = 60; // seconds of a turn: who talks on begins another one
const BACK_CHANNEL = 1; // seconds of talk-over that count: shorter, it is an "mhm" that says "go on"

/**
 * The turns of a conversation that grows: `{key, place, parts}`, in the order of their first segments.
 *
 * Each remembers how things stood when it began, so that after a change only what comes later is grouped again.
 */
export class Turns {
  #turns = [];
  #of = new Map();

  /** Take changes from this segment on; returns the turns that may have changed, and those that were dropped. */
  update(segments, from) {
    let first = Math.max(0, this.#turns.length - 1);
    while (first > 0 && this.#turns[first].index > from) first -= 1;
    const { index: begin, before } = this.#turns[first] ?? { index: 0, before: { open: [], near: [] } };
    const dropped = this.#turns.splice(first);
    const open = new Map();
    for (const [turn, length] of before.open) {
      turn.parts.length = length;
      open.set(turn.parts[0].who, turn);
    }
    const changed = new Set(open.values());
    let near = before.near;
    for (let index = begin; index < segments.length; index += 1) {
      const segment = segments[index];
      near = near.filter((other) => other.end > segment.start - PAUSE);
      let turn = open.get(segment.who);
      if (!turn || !goesOn(turn.parts, segment, near)) {
        const state = { open: [...open.values()].map((one) => [one, one.parts.length]), near };
        turn = { key: `turn ${segment.key}`, place: this.#turns.length, parts: [], index, before: state };
        this.#turns.push(turn);
        open.set(segment.who, turn);
        changed.add(turn);
      }
      turn.parts.push(segment);
      this.#of.set(segment.key, turn);
      near = [...near, segment];
    }
    return { changed, dropped };
  }

  /** The stretches in which a turn was said over one that had begun before. */
  over({ parts, place }) {
    return parts.flatMap((segment) => segment.over.filter((stretch) =>
      stretch.end - stretch.start >= BACK_CHANNEL - 1e-6 && this.#of.get(stretch.with)?.place < place));
  }
}

/** Whether no long pause lies between, and no word of the other speaker but what was said over it. */
function goesOn(parts, segment, near) {
  const end = Math.max(...parts.map((part) => part.end));
  if (segment.start - end > PAUSE || segment.end - parts[0].start > LONGEST) return false;
  if (segment.start <= end) return true;
  return near.every((other) => other.who === segment.who || other.end <= end
    || (other.end - other.start < BACK_CHANNEL && (other.start < end || other.end > segment.start)));
}
