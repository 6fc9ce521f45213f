// The delivery: how each endpoint does and which calls are stuck, in a dialog; and the buttons that deliver again.

import { dialog, sentence } from "./actions.js";
import { callPath, get, post } from "./api.js";
import { h, toast } from "./dom.js";
import { dayAndTime, length } from "./format.js";

const STATES = {
  well: "Takes what it gets",
  failing: "Answered with an error",
  refusing: "Fails; asked now and then",
  recovering: "Answers again",
  gone: "Said that it is gone",
  removed: "Not in the settings any more",
};

const REFRESH = 2000; // milliseconds

/** The dialog; it shows how things stand until it is closed. */
export function openDeliveries() {
  const place = h("div", { class: "endpoints" }, "…");
  const since = h("input", { type: "datetime-local", id: "since", step: "1" });
  // Hidden until it is known that this reader may have anything delivered.
  const form = h("form", { class: "row", hidden: true, submit: async (event) => {
    event.preventDefault();
    if (!since.value) return;
    await deliver("/deliveries", { since: new Date(since.value).toISOString() }, "everything since then");
    fill();
  } },
    h("label", { for: "since" }, "Everything since"), since,
    h("button", { type: "submit" }, "Deliver once more"));
  let shown = "";
  const fill = async () => {
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    try {
      const stands = await get("/deliveries");
      // What has not changed is left alone, and so is what has the focus.
      if (shown === (shown = JSON.stringify(stands))) return;
      form.hidden = !stands.may.includes("control");
      place.replaceChildren(...content(stands, fill));
    } catch (failure) {
      shown = "";
      place.replaceChildren(h("p", { class: "error", role: "alert" }, sentence(failure)));
    }
    if (focused) (place.querySelector(`[data-name="${CSS.escape(focused)}"]`) ?? since).focus();
  };
  const element = dialog("Deliveries", () => [place, form]);
  const timer = setInterval(() => document.hidden || fill(), REFRESH);
  element.addEventListener("close", () => clearInterval(timer));
  fill();
}

function content({ endpoints, calls, more, may }, fill) {
  if (!endpoints.length) return [h("p", {}, "No webhook is set up.")];
  const now = ({ name }) => async () => {
    await deliver("/deliveries", { endpoint: name }, name);
    fill();
  };
  return [
    ...endpoints.map((endpoint) => one(endpoint, may.includes("control") ? now(endpoint) : null)),
    calls.length ? h("h3", {}, more ? "Some of the calls that are stuck" : "Calls that are stuck") : null,
    calls.length ? h("ul", { class: "stuck" }, calls.map((call) => h("li", {},
      h("a", { class: "call", href: `/?call=${encodeURIComponent(call.call_id)}`, "data-call": call.call_id },
        h("code", {}, call.call_id)),
      ` to ${call.endpoint}, ${call.seq - call.cursor} left: ${call.reason}`))) : null,
  ].filter(Boolean);
}

/** `again` delivers what it lacks; null: this reader may not. */
function one(endpoint, again) {
  const { name, url, state, waiting, parked, last, next_try: next } = endpoint;
  const stuck = waiting || parked || state === "gone";
  const facts = [
    last ? `${last.answer}, ${length(last.took)}, ${dayAndTime(last.at)}` : "not asked since the start",
    waiting ? `${waiting} waiting` : null,
    parked ? `${parked} given up` : null,
    next && state !== "well" ? `next try ${dayAndTime(next)}` : null,
  ];
  return h("section", { class: "endpoint", "data-state": state },
    h("h3", {}, name, url ? h("span", { class: "hint" }, ` ${url}`) : null),
    h("p", {}, STATES[state] ?? state),
    h("p", { class: "hint" }, facts.filter(Boolean).join("; ")),
    again && stuck && state !== "removed"
      ? h("button", { type: "button", class: "again", "data-name": name, click: again }, "Deliver now")
      : null);
}

/** What the panel of a call offers: what waits, everything, or one event, once more. */
export function again(call) {
  const path = callPath(call.id, "/deliveries");
  const states = Object.values(call.deliveries ?? {}).filter(({ state }) => state !== "none");
  if (!states.length) return null;
  const label = "Number of the event";
  const seq = h("input", { type: "number", min: "1", max: call.seq, id: "event-seq", placeholder: "seq", "aria-label": label });
  const waits = states.some(({ state }) => state !== "delivered");
  const button = (name, body) =>
    h("button", { type: "button", class: "again", click: () => deliver(path, body, "the call") }, name);
  return h("div", { class: "deliver" },
    waits ? button("Deliver now") : null,
    button("Deliver all once more", { after: 0 }),
    h("form", { class: "row", submit: async (event) => {
      event.preventDefault();
      if (seq.value) await deliver(path, { seq: Number(seq.value) }, `event ${seq.value}`);
    } }, seq, h("button", { type: "submit", class: "again" }, "Post this event")));
}

async function deliver(path, body, what) {
  try {
    const told = await (await post(path, body ?? { endpoint: null })).json();
    const calls = `${told.calls} ${told.calls === 1 ? "call" : "calls"}`;
    toast(told.calls === undefined ? answers(told.endpoints) : `Delivering ${what}: ${calls}.`);
  } catch (failure) {
    toast(sentence(failure));
  }
}

const answers = (endpoints) => Object.entries(endpoints)
  .map(([name, attempt]) => `${name}: ${attempt ? attempt.answer : "not told of this event"}`).join(", ");
