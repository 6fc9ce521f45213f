// The elements that a turn on the page is made of: its marked words, and what stands below them.

import { h } from "./dom.js";
import { clock, length } from "./format.js";

/** A run of a turn's text, marked. */
export function run({ text, unsure, entity, open }) {
  if (entity) return h("span", { class: "entity", title: entity }, text);
  if (open) return h("span", { class: "open" }, text);
  if (unsure === undefined) return document.createTextNode(text);
  return h("span", { class: "unsure", title: `Recognized with ${unsure} % confidence` }, text);
}

/** For how long a turn was said over another. */
export function talkOver(item) {
  const seconds = item.over.reduce((sum, { start, end }) => sum + Math.max(0, end - start), 0);
  const from = Math.min(...item.over.map(({ start }) => start));
  return h("p", { class: "talk-over", title: `Both spoke from ${clock(from)}` }, `Talk-over ${length(seconds)}`);
}

/** Whether there is anything beside the words of a segment. */
export const isBeside = ({ search, alternatives }) => search?.length || alternatives?.length;

/** What the recognizer says beside the words: terms that were searched for, and what may have been said instead. */
export function beside({ parts }) {
  const hits = parts.flatMap(({ search = [] }) => search)
    .map(({ query, confidence, start }) => `“${query}” at ${clock(start)}, ${Math.round(confidence * 100)} %`);
  const others = parts.flatMap(({ alternatives = [] }) => alternatives).map(({ text }) => text);
  const told = [hits.length && `Searched: ${hits.join("; ")}`, others.length && `Or: ${others.join(" / ")}`];
  return h("p", { class: "beside" }, told.filter(Boolean).join(". "));
}
