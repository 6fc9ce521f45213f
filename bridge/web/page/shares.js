// A segment in which several people on one track speak, taken apart: what each says in one go is a share of its own, as
// in `bridge/transcript/speech.py`. Pure.

import { joined } from "./words.js";

/** The shares of a transcript, in order: `{key, who, speaker, start, end, text, words, entities}`. */
export function shares(data) {
  const words = data.words ?? [];
  const groups = byVoice(words);
  if (groups.length === 1 && groups[0].voice === null) return [whole(data, words)];
  let at = 0;
  const from = groups.map((group, index) => {
    const found = index ? data.text.indexOf(wordOf(group.words[0]), at) : 0;
    for (const word of group.words) at = Math.max(at, data.text.indexOf(wordOf(word), at) + wordOf(word).length);
    return found;
  });
  const cut = from.every((place, index) => place >= (from[index - 1] ?? 0));
  return groups.map(({ voice, first, words: said }, index) => ({
    key: index ? `${data.segment_id}/${index}` : data.segment_id,
    who: `${data.track} ${voice}`,
    speaker: voice === null ? data.speaker : `${data.speaker} ${voice + 1}`,
    start: index ? said[0].start : data.start,
    end: index < groups.length - 1 ? said.at(-1).end : data.end,
    text: cut ? data.text.slice(from[index], from[index + 1]).trim() : joined(said.map(wordOf)).text,
    words: said,
    entities: entitiesOf(data, first, said.length),
  }));
}

const whole = (data, words) => ({
  key: data.segment_id,
  who: data.track,
  speaker: data.speaker,
  start: data.start,
  end: data.end,
  text: data.text,
  words,
  entities: entitiesOf(data, 0, words.length),
});

const wordOf = (word) => word.text || word.word;

/** Words that follow one another and are of one voice; a word without one is its neighbour's. */
function byVoice(words) {
  const groups = [];
  let voice = null;
  for (const [place, word] of words.entries()) {
    voice = word.speaker ?? voice;
    const last = groups.at(-1);
    if (last && last.voice === voice) last.words.push(word);
    else groups.push({ voice, first: place, words: [word] });
  }
  return groups.length ? groups : [{ voice: null, first: 0, words }];
}

/** The entities of some of the words, counted from the first of these. */
const entitiesOf = ({ entities = [] }, first, length) => entities
  .filter(({ start_word, end_word }) => start_word >= first && end_word <= first + length)
  .map((entity) => ({ ...entity, start_word: entity.start_word - first, end_word: entity.end_word - first }));
