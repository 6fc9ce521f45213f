// The actions on a call: pause its transcription and stop it, make a link to it, delete it.

import { ask, callPath, post, Refused } from "./api.js";
import { byId, h, icon, toast } from "./dom.js";
import { parties, wall } from "./format.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
const PAUSE = "Pause the transcription";
const LASTS = [[HOUR, "An hour"], [DAY, "A day"], [7 * DAY, "A week"], [30 * DAY, "30 days"]];

/**
 * The buttons of an open call; `deleting()` is called before its deletion, and `deleted(id)` or `kept()` after it.
 * A `single` call's link only allows reading; a token has what `call.may` says.
 */
export function tools(call, { deleting, deleted, kept, single }) {
  const button = (name, label, click, more = {}) =>
    h("button", { type: "button", class: "icon", "aria-label": label, title: label, click, ...more }, icon(name));
  const toggle = (event) => {
    const open = document.body.classList.toggle("with-details");
    event.currentTarget.setAttribute("aria-expanded", String(open));
  };
  const open = String(document.body.classList.contains("with-details"));
  const panel = button("details", "About this call", toggle,
    { "aria-expanded": open, "aria-controls": "details", id: "details-button" });
  if (single) return [panel];
  const may = (right) => call.may?.includes(right) ?? true;
  const live = call.active && may("control") ? [
    button("pause", PAUSE, () => pause(call.id), { id: "pause", "aria-pressed": "false", "aria-keyshortcuts": "P" }),
    button("stop", "Stop the transcription", () => stopDialog(call)),
  ] : [];
  return [
    ...live,
    button("link", "Copy a link to this call", () => linkDialog(call)),
    call.active || !may("delete") ? null : button("trash", "Delete this call", () => deleteDialog(call, { deleting, deleted, kept })),
    panel,
  ].filter(Boolean);
}

/** The button says whether the transcription is paused. */
export function showPaused(on) {
  const button = byId("pause");
  if (!button) return;
  button.setAttribute("aria-pressed", String(on));
  button.title = on ? "Hear the call again (P)" : `${PAUSE} (P)`;
  button.replaceChildren(icon(on ? "play" : "pause"));
}

/** Pause the transcription of the open call, if it is live, or go on. */
export async function pause(id) {
  const button = byId("pause");
  if (!button || button.hasAttribute("aria-busy")) return;
  const action = button.getAttribute("aria-pressed") === "true" ? "resume" : "pause";
  button.setAttribute("aria-busy", "true"); // not disabled: it keeps the focus
  try {
    const { paused } = await (await post(callPath(id, "/control"), { action })).json();
    if (byId("pause") === button) showPaused(paused);
  } catch (failure) {
    toast(sentence(failure));
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function stopDialog(call) {
  dialog("Stop the transcription?", (close) => {
    const error = h("p", { class: "error", role: "alert" });
    const confirm = h("button", { type: "button", class: "danger", click: async () => {
      confirm.disabled = true;
      try {
        await post(callPath(call.id, "/control"), { action: "stop" });
        close();
      } catch (failure) {
        confirm.disabled = false;
        error.textContent = sentence(failure);
      }
    } }, "Stop");
    return [
      h("p", {}, "This record ends with the words that were said so far. The telephone call itself goes on."),
      error,
      h("div", { class: "row end" }, h("button", { type: "button", autofocus: true, click: close }, "Go on"), confirm),
    ];
  });
}

/** A modal dialog with a title; `build(close)` makes its content. It is removed when it closes. */
export function dialog(title, build) {
  const element = h("dialog", { "aria-labelledby": "dialog-title", close: () => element.remove() });
  const close = () => element.close();
  element.append(
    h("header", {}, h("h2", { id: "dialog-title" }, title),
      h("button", { type: "button", class: "icon", "aria-label": "Close", click: close }, icon("close"))),
    ...build(close),
  );
  // A click beside it closes it.
  element.addEventListener("click", (event) => event.target === element && close());
  document.body.append(element);
  element.showModal();
  return element;
}

function linkDialog(call) {
  dialog("Link to this call", () => {
    const lasts = h("select", { id: "link-lasts" }, LASTS.map(([seconds, name]) =>
      h("option", { value: seconds, selected: seconds === DAY }, name)));
    const result = h("div", { class: "link-result" });
    const error = h("p", { class: "error", role: "alert" });
    const make = async (event) => {
      event.preventDefault();
      error.textContent = "";
      try {
        const link = await (await post(callPath(call.id, "/links"), { expires_in: Number(lasts.value) })).json();
        await offer(result, link);
      } catch (failure) {
        error.textContent = sentence(failure);
      }
    };
    return [
      h("p", {}, "Anyone with the link can read and hear this one call, without logging in, until it expires."),
      h("form", { class: "row", submit: make }, h("label", { for: "link-lasts" }, "Valid for"), lasts,
        h("button", { type: "submit", class: "primary" }, "Copy link")),
      result, error,
    ];
  });
}

/** Copies the link if the browser lets us, and shows it to be copied by hand. */
async function offer(result, { url, expires_at }) {
  const select = () => field.select();
  const field = h("input", { type: "text", readonly: true, value: url, "aria-label": "Link", focus: select });
  const until = h("p", { class: "hint", role: "status" }, `Valid until ${wall(expires_at)}.`);
  result.replaceChildren(field, until);
  try {
    await navigator.clipboard.writeText(url);
    until.prepend("Copied. ");
  } catch {
    // No clipboard without https, or the reader said no.
    field.focus();
    until.prepend("Copy it from the field. ");
  }
}

function deleteDialog(call, { deleting, deleted, kept }) {
  dialog("Delete this call?", (close) => {
    const error = h("p", { class: "error", role: "alert" });
    const confirm = h("button", { type: "button", class: "danger", click: async () => {
      confirm.disabled = true;
      deleting();
      try {
        await ask(callPath(call.id), { method: "DELETE" });
        close();
        toast("The call was deleted.");
        deleted(call.id);
      } catch (failure) {
        kept();
        confirm.disabled = false;
        error.textContent = sentence(failure);
      }
    } }, "Delete");
    return [
      h("p", {}, `The transcript and the recording of the call with ${parties(call).other}, ${wall(call.started_at)}, `
        + "will be gone for good. What your webhook already got stays there."),
      error,
      h("div", { class: "row end" }, h("button", { type: "button", autofocus: true, click: close }, "Keep it"), confirm),
    ];
  });
}

/** A failed request in a sentence for the reader; other errors are thrown on. */
export function sentence(failure) {
  if (failure instanceof Refused) return failure.message;
  if (failure instanceof TypeError) return "The server cannot be reached.";
  throw failure;
}
