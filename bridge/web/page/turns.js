// Which segments are one turn, and so one bubble on the page: what one speaker says without a long pause, whatever a
// recognizer has cut it into. The same rule as in `bridge/transcript/turns.py`. Pure.

const PAUSE = 2; // seconds without a word after which the same speaker begins another turn
const LONGEST = 60; // seconds of a turn: who talks on begins another one
const BACK_CHANNEL = 1; // seconds of talk-over that count: shorter, it is an "mhm" that says "go on"

/** The segments, which are in the order of time, in groups; the groups are in the order of their first segments. */
export function turns(segments) {
  const found = [];
  const last = {};
  let near = [];
  for (const segment of segments) {
    near = near.filter((other) => other.end > segment.start - PAUSE);
    const turn = last[segment.track];
    if (turn && goesOn(turn, segment, near)) {
      turn.push(segment);
    } else {
      last[segment.track] = [segment];
      found.push(last[segment.track]);
    }
    near.push(segment);
  }
  return found;
}

/** Whether no long pause lies between, and no word of the other speaker but what was said over it. */
function goesOn(turn, segment, near) {
  const end = Math.max(...turn.map((part) => part.end));
  if (segment.start - end > PAUSE || segment.end - turn[0].start > LONGEST) return false;
  if (segment.start <= end) return true;
  return near.every((other) => other.track === segment.track || other.end <= end
    || (other.end - other.start < BACK_CHANNEL && (other.start < end || other.end > segment.start)));
}

/** For each turn the stretches in which it was said over a turn that had begun before. */
export function talkOver(groups) {
  const places = new Map(groups.flatMap((turn, place) => turn.map((segment) => [segment.key, place])));
  return groups.map((turn, place) => turn.flatMap((segment) => segment.over.filter((stretch) =>
    stretch.end - stretch.start >= BACK_CHANNEL - 1e-6 && places.get(stretch.with) < place)));
}
