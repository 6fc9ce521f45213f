// One row of the list of calls: the party, the time, and a line about the call.

import { now } from "./api.js";
import { h, icon, sr } from "./dom.js";
import { clock, endReason, parties, timeOfDay, wall } from "./format.js";
import { matches, searchWords } from "./words.js";

const WAYS = { inbound: "Incoming, from ", outbound: "Outgoing, to " };
const PLAIN = ["stopped", null, undefined]; // how a call ends when nothing is wrong

/** A row without its text. */
export function makeRow(call) {
  const href = `/?call=${encodeURIComponent(call.id)}`;
  const link = h("a", { class: "call", href, tabindex: "-1", "data-call": call.id },
    h("span", { class: "call-who" }),
    h("time", { class: "call-when" }),
    h("span", { class: "call-line" }));
  return { link, element: h("li", {}, link) };
}

/** Fill in a row's text: what a search found in the call, the last sentence, or the call's length. */
export function fillRow({ link, call }, query) {
  const [who, when, line] = link.children;
  const { other, ours } = parties(call);
  const way = call.direction === "outbound" ? "outbound" : "inbound";
  who.replaceChildren(icon(way), sr(WAYS[call.direction] ?? "Call with "), other);
  when.dateTime = call.started_at ?? "";
  when.title = `${wall(call.started_at)}${call.ended_at ? ` to ${timeOfDay(call.ended_at)}` : ""}`;
  when.classList.toggle("live", call.active);
  when.textContent = call.active ? clock((now() - Date.parse(call.started_at)) / 1000) : timeOfDay(call.started_at);
  if (query && call.snippet) line.replaceChildren(...marked(call.snippet, query));
  else if (call.active && call.last) line.replaceChildren(`${call.last.speaker}: ${call.last.text}`);
  else {
    const lasted = call.active ? null : clock(call.duration ?? 0);
    const wrong = call.active || PLAIN.includes(call.reason) ? null : h("span", { class: "wrong" }, endReason(call.reason));
    const parts = [lasted, wrong ?? (ours && `${way === "outbound" ? "from" : "to"} ${ours}`)].filter(Boolean);
    line.replaceChildren(...parts.flatMap((part, index) => (index ? [" · ", part] : [part])));
  }
}

/** The text with what was searched for marked in it. */
function marked(text, query) {
  const parts = [];
  let at = 0;
  for (const [from, to] of matches(text, searchWords(query))) {
    if (from < at) continue;
    parts.push(text.slice(at, from), h("mark", {}, text.slice(from, to)));
    at = to;
  }
  return [...parts, text.slice(at)];
}
