// The keyboard: one table says what the keys do, and the help shows it.

import { dialog } from "./actions.js";
import { byId, h } from "./dom.js";

const HELP = [
  ["/", "Search"],
  ["↓ ↑", "Through the calls, or line by line through the conversation"],
  ["Enter", "Open the call; in the conversation, listen from the line"],
  ["Esc", "Clear the search, back to the list"],
  ["End", "Jump to now"],
  ["P", "Pause the transcription of a live call, or go on"],
  ["Space", "Play or pause the recording"],
  ["← →", "5 seconds back or on"],
  ["?", "These keys"],
];

/** `actions`: from key to function; it returns false if the key was not handled. */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (byId("app").hidden || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input:not([type=range]), select, textarea");
    if (typing && event.key !== "Escape" && event.key !== "ArrowDown") return;
    // Buttons and links have their own use for these.
    if ([" ", "Enter"].includes(event.key) && event.target.closest?.("button, a, summary")) return;
    const action = actions[event.key];
    if (action && action(event) !== false) event.preventDefault();
  });
}

export function help() {
  dialog("Keyboard", () => [
    h("dl", { class: "keys" }, HELP.map(([key, what]) =>
      h("div", {}, h("dt", {}, key.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, what)))),
  ]);
}
