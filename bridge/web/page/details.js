// The panel of a call: figures, delivery, parameters, and downloads.

import { address, callPath, session } from "./api.js";
import { again } from "./deliveries.js";
import { h } from "./dom.js";
import { clock, endReason, length } from "./format.js";

const EXPORTS = [
  ["txt", "Text", "to read"],
  ["srt", "SRT", "subtitles"],
  ["vtt", "WebVTT", "captions"],
  ["json", "JSON", "with every word's time"],
];

const NAMES = { twilio: "Twilio's format" };

/** The whole panel; `call` as GET /calls/{id} answers. */
export function details(call) {
  return [figures(call), delivery(call), parameters(call), exports_(call)].filter(Boolean);
}

const section = (title, ...children) => h("section", {}, h("h3", {}, title), ...children);

function figures(call) {
  const given = call.figures;
  const labels = Object.entries(call.speakers ?? {});
  if (!given || !labels.some(([, label]) => given.words?.[label])) return null;
  const rows = [
    ["Talk time", given.talk_time, clock],
    ["Words", given.words, String],
    ["Words a minute", given.words_per_minute, (n) => String(Math.round(n))],
    ["Answers after", given.response_time, length],
  ];
  const table = h("table", { class: "figures" },
    h("thead", {}, h("tr", {}, h("td", {}), labels.map(([track, label]) =>
      h("th", { scope: "col" }, h("span", { class: `who ${track}` }, label))))),
    h("tbody", {}, rows.filter(([, values]) => values).map(([name, values, words]) =>
      h("tr", {}, h("th", { scope: "row" }, name), labels.map(([, label]) =>
        h("td", {}, values[label] === null || values[label] === undefined ? "–" : words(values[label])))))));
  return section("Figures", share(call, labels), table, facts([
    ["Talk-over", given.talk_over === undefined ? null : length(given.talk_over)],
    ["Longest silence", given.longest_silence === undefined ? null : length(given.longest_silence)],
    ["Deepgram behind", latency(call.latency)],
  ]));
}

/** How far Deepgram's interims lagged behind the audio. */
const latency = (told) =>
  told ? `${told.p50.toFixed(2)} s, 99 % within ${told.p99.toFixed(2)} s, at most ${told.max.toFixed(2)} s` : null;

/** Each speaker's share as a bar; hidden from screen readers, which have the table. */
function share(call, labels) {
  const bar = h("div", { class: "share", "aria-hidden": "true" });
  for (const [track, label] of labels) {
    const part = h("span", { class: track });
    part.style.flexGrow = String(call.figures.talk_time?.[label] ?? 0);
    bar.append(part);
  }
  return bar;
}

const facts = (pairs) => {
  const given = pairs.filter(([, value]) => value !== null && value !== undefined);
  if (!given.length) return null;
  return h("dl", { class: "facts" }, given.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
};

function delivery(call) {
  const pairs = [];
  if (!call.active && call.reason) pairs.push(["End", endReason(call.reason)]);
  if (call.flush) pairs.push(["Words", completeness(call)]);
  const others = Object.entries(call.deliveries ?? {}).filter(([name]) => name !== "webhook");
  // A call that has named its own endpoint, or has others only, is not told that it has no webhook.
  if (call.delivery && (call.delivery.state !== "none" || !others.some(([, { state }]) => state !== "none"))) {
    pairs.push(["Webhook", deliveryWords(call.delivery, call.seq)]);
  }
  for (const [name, state] of others) {
    if (state.state !== "none") pairs.push([NAMES[name] ?? name, deliveryWords(state, call.seq)]);
  }
  if (call.carrier) pairs.push(["Carrier", call.carrier]);
  pairs.push(["Call", h("code", {}, call.id)]);
  if (call.continues) pairs.push(["Continues", record(call.continues)]);
  if (call.continued_by) pairs.push(["Goes on in", record(call.continued_by)]);
  return section("Record", facts(pairs), session.access === null && (call.may?.includes("control") ?? true) ? again(call) : null);
}

/** How complete the transcript is: seconds without words, and seconds transcribed after the call. */
function completeness({ flush, missing, waiting, backfilled }) {
  const parts = [];
  if (waiting) parts.push(`${length(waiting)} still to be transcribed`);
  if (missing > waiting) parts.push(`${length(missing - waiting)} missing`);
  if (!missing) parts.push(flush === "complete" || backfilled ? "All there" : "Perhaps not all there");
  if (backfilled) parts.push(`${length(backfilled)} transcribed afterwards`);
  return parts.join(", ");
}

const record = (id) => h("a", { href: `/?call=${encodeURIComponent(id)}` }, h("code", {}, id));

function deliveryWords({ state, cursor, attempts, reason }, tip) {
  const waiting = Math.max(0, (tip ?? 0) - (cursor ?? 0));
  const events = `${waiting} ${waiting === 1 ? "event" : "events"}`;
  switch (state) {
    case "none":
      return "None is set up";
    case "delivered":
      return "All delivered";
    case "pending":
      if (!attempts) return `${events} on the way`;
      return `${events} waiting, ${attempts} ${attempts === 1 ? "try" : "tries"} failed${reason ? `: ${reason}` : ""}`;
    case "parked":
      return `Given up with ${events} left${reason ? `: ${reason}` : ""}`;
    default:
      return state;
  }
}

function parameters(call) {
  const given = Object.entries(call.parameters ?? {});
  return given.length ? section("Parameters", facts(given)) : null;
}

function exports_(call) {
  const link = (path, name, hint, file) =>
    h("a", { href: address(path), download: file, title: `${name}, ${hint}` }, name);
  const links = EXPORTS.map(([kind, name, hint]) =>
    link(callPath(call.id, `/transcript.${kind}`), name, hint, `${call.id}.${kind}`));
  if (call.audio?.available) {
    links.push(link(call.audio.url ?? callPath(call.id, "/audio.wav"), "Audio", "the recording", `${call.id}.wav`));
  }
  return section("Download", h("p", { class: "exports" }, links));
}
