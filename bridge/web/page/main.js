// Starts the page: login, address bar, keys, theme. Everything else is in its own module.

import { pause, showPaused, tools } from "./actions.js";
import { get, post, Refused, session } from "./api.js";
import { CallView } from "./call.js";
import { openDeliveries } from "./deliveries.js";
import { byId, icon } from "./dom.js";
import { timeOfDay, wall } from "./format.js";
import { help, listen } from "./keys.js";
import { CallList } from "./list.js";

const HIDDEN = 60_000; // milliseconds after which a hidden tab closes its connections

let list = null;
let view = null;
let single = false;

// The address bar: ?call=ID, and the secrets of a link, of which a login token does not stay there.

function takeAddress() {
  const query = new URLSearchParams(location.search);
  const hash = new URLSearchParams(location.hash.slice(1));
  const token = hash.get("token") ?? query.get("token");
  const access = hash.get("access");
  if (token !== null) {
    query.delete("token");
    hash.delete("token");
    const search = query.size ? `?${query}` : "";
    history.replaceState(null, "", `${location.pathname}${search}${hash.size ? `#${hash}` : ""}`);
  }
  return { call: query.get("call"), token, access };
}

const callInAddress = () => new URLSearchParams(location.search).get("call");

function show(id) {
  byId("nothing").hidden = Boolean(id);
  document.body.dataset.pane = id ? "call" : "list";
  if (id) {
    byId("call-tools").replaceChildren();
    view.open(id, list?.query);
  } else {
    view.close();
    document.title = "Calls";
  }
  list?.select(id);
}

function go(id) {
  if (id === view.id) {
    if (list?.query) view.find(list.query);
    return;
  }
  history.pushState(null, "", id ? `/?call=${encodeURIComponent(id)}` : "/");
  show(id);
}

// Views: loading, login, app.

function switchTo(name) {
  document.body.dataset.view = name;
  byId("app").hidden = name !== "app";
  byId("login").hidden = name !== "login";
}

function askToLogIn(why) {
  if (document.body.dataset.view === "login") return;
  document.querySelector("dialog[open]")?.close();
  list?.feed.stop();
  view?.feed?.stop();
  switchTo("login");
  byId("login-why").textContent = why;
  byId("login-error").textContent = "";
  byId("token").focus();
}

/** A link that does not open its call any more: a login would not help. */
function noEntry(text) {
  switchTo("app");
  view.close();
  byId("nothing").hidden = false;
  byId("nothing-text").textContent = text;
  document.body.dataset.pane = "call";
}

async function logIn(token) {
  const error = byId("login-error");
  error.textContent = "";
  try {
    await post("/login", { token });
  } catch (failure) {
    if (!(failure instanceof Refused || failure instanceof TypeError)) throw failure;
    askToLogIn("Reading calls needs a token.");
    if (failure instanceof TypeError) error.textContent = "The server cannot be reached.";
    else error.textContent = [401, 403].includes(failure.status) ? "This token is not valid." : failure.message;
    byId("token").select();
    return;
  }
  byId("token").value = "";
  enter();
}

async function enter() {
  if (!single) list.feed.start();
  if (view.feed) view.feed.start();
  else show(callInAddress());
  // The app is shown only after access is certain, so that it does not flash before the login.
  if (single || (await letIn())) switchTo("app");
}

async function letIn() {
  try {
    await get("/calls", { limit: 1 });
  } catch (error) {
    if (!(error instanceof Refused || error instanceof TypeError)) throw error;
    return error.status !== 401;
  }
  return true;
}

function listState({ state, since }) {
  const element = byId("list-state");
  element.dataset.state = state === "reconnecting" ? "lost" : state;
  element.textContent = state === "reconnecting" ? `Offline since ${timeOfDay(since)}` : "";
  element.title = state === "reconnecting" ? `The connection was lost at ${wall(since)}. Trying again.` : "";
}

function learned(call) {
  list?.update(call);
  const wanted = `${call.active}`;
  const place = byId("call-tools");
  if (place.dataset.for === `${call.id} ${wanted}` && place.children.length) return;
  place.dataset.for = `${call.id} ${wanted}`;
  place.replaceChildren(...tools(call, {
    single,
    deleting: () => view.release(),
    kept: () => view.resume(),
    deleted: (id) => {
      list.remove(id);
      go(null);
      list.focus(0);
    },
  }));
  showPaused(view.paused);
}

// Theme: the system's, light, or dark; the choice stays.

const THEMES = ["system", "light", "dark"];

function theme(step) {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + step) % THEMES.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  const button = byId("theme");
  button.replaceChildren(icon({ system: "system", light: "sun", dark: "moon" }[next]));
  button.title = `Theme: ${next}`;
  button.setAttribute("aria-label", `Theme: ${next}. Change`);
  if (!step) return;
  try {
    if (next === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", next);
  } catch {
    // Storage is off: the choice lasts until the page is left.
  }
}

/** A browser opens few connections per server: hidden tabs close theirs, and catch up when they are shown again. */
function mindTheTab() {
  let timer;
  const feeds = () => [list?.feed, view.feed].filter(Boolean);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => feeds().forEach((feed) => feed.stop("paused")), HIDDEN);
    else if (document.body.dataset.view === "app") feeds().forEach((feed) => feed.resume());
  });
  addEventListener("online", () => feeds().forEach((feed) => feed.hurry()));
}

function keyboard() {
  const inList = (event) => event.target === document.body || event.target.closest("#list");
  const move = (step) => (event) => Boolean(list && inList(event)) && list.focus(step);
  const skip = (seconds) => () => view.player.open && view.player.skip(seconds);
  listen({
    "/": () => list && byId("search").focus(),
    "?": help,
    ArrowDown: move(1),
    ArrowUp: move(-1),
    ArrowLeft: skip(-5),
    ArrowRight: skip(5),
    " ": () => view.player.open && view.player.toggle(),
    p: () => Boolean(byId("pause")) && void pause(view.id),
    End: (event) => !event.target.closest("#list") && view.follow.now(),
    Escape: () => {
      if (byId("search").value) {
        byId("search").value = "";
        list.search("");
      } else if (document.activeElement === byId("search")) {
        list.focus(0);
      } else if (list && view.id) {
        if (document.body.dataset.pane === "call" && matchMedia("(max-width: 760px)").matches) go(null);
        list.focus(0);
      }
    },
  });
}

/** Links to calls change the view, not the page; those that ask for a new tab get one. */
function links() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.call, #back");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    link.closest("dialog")?.close();
    go(link.dataset.call ?? null);
    if (link.id === "back") list.focus(0);
    else byId("call-title").focus({ preventScroll: true });
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    // Not by the fragment: it may hold the access token.
    event.preventDefault();
    byId("conversation").focus();
  });
  addEventListener("popstate", () => show(callInAddress()));
  addEventListener("hashchange", () => location.hash.includes("=") && location.reload());
}

function start() {
  const { call, token, access } = takeAddress();
  single = access !== null;
  session.access = access;
  session.expired = () =>
    single ? noEntry("This link has expired, or is not for this call.") : askToLogIn("Log in to read calls.");
  document.body.classList.toggle("single", single);
  view = new CallView({
    learned,
    paused: showPaused,
    gone: (status) => {
      if (single) return noEntry("This link has expired, or is not for this call.");
      byId("nothing-text").textContent =
        status === 404 ? "This call is not there (any more)." : "This call cannot be read.";
      list.select(null);
      if (status === 404) list.remove(view.id);
      view.close();
      byId("nothing").hidden = false;
      return null;
    },
  });
  if (!single) list = new CallList({ changed: listState, searched: (query) => view.id && view.mark(query) });
  byId("back").append(icon("back"));
  byId("deliveries").append(icon("deliver"));
  byId("deliveries").addEventListener("click", openDeliveries);
  byId("keys").append(icon("keys"));
  byId("keys").addEventListener("click", help);
  byId("theme").addEventListener("click", () => theme(1));
  byId("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    logIn(byId("token").value.trim());
  });
  theme(0);
  links();
  keyboard();
  mindTheTab();
  if (single && !call) noEntry("This link names no call.");
  else if (token !== null) logIn(token);
  else enter();
}

start();
