// How texts are joined, where the words of a turn stand in its text, and which of them are marked. Pure.

const UNSURE = 0.5; // below this confidence a word is marked as a guess

// Scripts that put no blanks between words, as in `bridge/writing.py`: of China and Japan, then of Thailand, Laos,
// Tibet, Myanmar, Cambodia and Java.
const UNSPACED = new RegExp(
  "^[\\u2e80-\\u312f\\u3190-\\u31ff\\u3220-\\u325f\\u3280-\\u9fff\\ua000-\\ua4cf\\uf900-\\ufaff\\ufe30-\\ufe4f"
  + "\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff9f\\u{1b000}-\\u{1b16f}\\u{20000}-\\u{3ffff}"
  + "\\u0e00-\\u109f\\u1780-\\u17ff\\u1950-\\u19ff\\u1a20-\\u1aaf\\ua980-\\ua9ff\\uaa60-\\uaadf]", "u");
const LETTER = /^[\p{L}\p{N}]/u;

/** Whether a blank is written between two words, or sentences. */
export const spaced = (before, after) => !isUnspaced([...before].reverse()) && !isUnspaced([...after]);

/** Whether the first character that belongs to a script belongs to one without blanks. */
function isUnspaced(characters) {
  const telling = characters.find((character) => UNSPACED.test(character) || LETTER.test(character));
  return telling !== undefined && UNSPACED.test(telling);
}

/** The texts one after the other, and where each begins. */
export function joined(texts) {
  let text = "";
  const from = [];
  for (const [index, next] of texts.entries()) {
    if (index && spaced(texts[index - 1], next)) text += " ";
    from.push(text.length);
    text += next;
  }
  return { text, from };
}

/** For each word that is found its seconds and its characters in the text: `{start, end, from, to, confidence, word}`. */
export function places(turn) {
  const found = [];
  for (const [index, part] of turn.parts.entries()) {
    let from = 0;
    for (const word of part.words) {
      const text = word.text || word.word;
      const at = text ? part.text.indexOf(text, from) : -1;
      if (at < 0) continue;
      from = at + text.length;
      const [start, to] = [turn.from[index] + at, turn.from[index] + from];
      found.push({ start: word.start, end: word.end, from: start, to, confidence: word.confidence, word });
    }
  }
  return found;
}

/** The text in runs `{text, unsure, entity, open}`: of low confidence, in percent; what it names; not settled yet. */
export function runs(turn) {
  const isMarked = ({ parts }) => parts.some(({ words, entities }) => entities?.length || words.some(isGuess));
  const marked = isMarked(turn);
  if (turn.final && !marked) return [{ text: turn.text }]; // as nearly always
  const result = [];
  let at = 0;
  const add = (to, what) => {
    if (to <= at) return;
    result.push({ text: turn.text.slice(at, to), ...what });
    at = to;
  };
  const found = marked ? places(turn) : [];
  for (const [index, part] of turn.parts.entries()) {
    const [from, to] = [turn.from[index], turn.from[index] + part.text.length];
    add(from, {});
    for (const mark of part.final ? marks(part, found) : []) {
      add(mark.from, {});
      add(mark.to, mark.what);
    }
    add(to, { open: !part.final });
  }
  return result;
}

const isGuess = ({ confidence }) => confidence < UNSURE;

/** What is marked of a part, in the order of its words: entities, and guesses outside of them. */
function marks(part, found) {
  const placeOf = new Map(found.map((place) => [place.word, place]));
  const named = (part.entities ?? []).flatMap(({ label, start_word, end_word }) => {
    const words = part.words.slice(start_word, end_word).map((word) => placeOf.get(word)).filter(Boolean);
    return words.length ? [{ from: words[0].from, to: words.at(-1).to, what: { entity: label } }] : [];
  });
  const guesses = part.words.filter(isGuess).map((word) => placeOf.get(word)).filter(Boolean)
    .filter((word) => !named.some(({ from, to }) => word.from < to && word.to > from))
    .map(({ from, to, confidence }) => ({ from, to, what: { unsure: Math.round(confidence * 100) } }));
  return [...named, ...guesses].sort((a, b) => a.from - b.from);
}

/** The word spoken at this second, or the last one before it. */
export function wordAt(found, seconds) {
  return found.findLast((word) => word.start <= seconds) ?? found[0];
}

// A half-width letter with its voice mark, or any other character.
const CHARACTER = /[\uff66-\uff9d][\uff9e\uff9f]|./gsu;

/** The text as the search compares it, and for each of its code units where in the text it comes from. */
function folded(text) {
  let result = "";
  const from = [];
  for (const { 0: character, index } of text.matchAll(CHARACTER)) {
    const plain = (/[\uff00-\uffef]/.test(character) ? character.normalize("NFKC") : character).toLowerCase();
    result += plain;
    for (let unit = 0; unit < plain.length; unit += 1) from.push(index);
  }
  from.push(text.length);
  return { text: result, from };
}

/** Which stretches of a text hold one of these words: `[from, to]`. */
export function matches(text, words) {
  const lower = folded(text);
  const found = [];
  for (const word of words) {
    for (let at = lower.text.indexOf(word); at >= 0; at = lower.text.indexOf(word, at + word.length)) {
      found.push([lower.from[at], lower.from[at + word.length]]);
    }
  }
  return found.sort(([a], [b]) => a - b);
}

/** The words of a search query, to mark. */
export const searchWords = (query) => folded(query).text.match(/[\p{L}\p{M}\p{N}']+/gu) ?? [];
