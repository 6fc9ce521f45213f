// Where the words of a segment stand in its text, and which of them are marked. Pure.

const UNSURE = 0.5; // below this confidence a word is marked as a guess

/** For each word `{start, end, from, to}`: its seconds, and its characters in the text. Words not found are left out. */
export function places(item) {
  const found = [];
  let from = 0;
  for (const word of item.words) {
    const text = word.text || word.word;
    const at = text ? item.text.indexOf(text, from) : -1;
    if (at < 0) continue;
    from = at + text.length;
    found.push({ start: word.start, end: word.end, from: at, to: from, confidence: word.confidence });
  }
  return found;
}

/** The text in runs `{text, over, unsure}`: spoken over the other speaker, and of low confidence. */
export function runs(item) {
  const marks = item.final ? item.words.some((word) => word.confidence < UNSURE) || item.over.length > 0 : false;
  if (!marks) return [{ text: item.text }];
  const result = [];
  let at = 0;
  const add = (to, over, unsure) => {
    if (to <= at) return;
    const last = result.at(-1);
    const text = item.text.slice(at, to);
    if (last && Boolean(last.over) === over && last.unsure === unsure) last.text += text;
    else result.push({ text, over, unsure });
    at = to;
  };
  let before = null;
  for (const word of places(item)) {
    const over = item.over.some(({ start, end }) => word.start < end && start < word.end);
    const unsure = word.confidence < UNSURE ? Math.round(word.confidence * 100) : undefined;
    // The space between two words that are marked alike belongs to the mark.
    const joined = before && before.over === over && before.unsure === unsure;
    add(word.from, joined ? over : false, joined ? unsure : undefined);
    add(word.to, over, unsure);
    before = { over, unsure };
  }
  add(item.text.length, false, undefined);
  return result;
}

/** The word spoken at this second, or the last one before it. */
export function wordAt(found, seconds) {
  return found.findLast((word) => word.start <= seconds) ?? found[0];
}

/** Which stretches of a text hold one of these words: `[from, to]`. */
export function matches(text, words) {
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return []; // a letter that is two in lower case: the places would be wrong
  const found = [];
  for (const word of words) {
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + word.length)) {
      found.push([at, at + word.length]);
    }
  }
  return found.sort(([a], [b]) => a - b);
}

/** The words of a search query, to mark. */
export const searchWords = (query) => query.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
