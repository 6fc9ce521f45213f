// Makes elements. Content goes in as text or as an attribute; nothing on the page parses HTML.

const MARGIN = 40; // pixels left above and below what is scrolled into view

export const byId = (id) => document.getElementById(id);

/** An element with attributes (functions become listeners, null and false are left out) and children, strings as text. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Scroll a thing, an element or a range, into view in its scroller, and nothing else: `scrollIntoView` scrolls whatever
 * stands around it as well, up to the document. `block`: "center", or "nearest" for as little as it takes.
 */
export function bring(scroller, thing, { block = "center", smooth = false } = {}) {
  const [view, rect] = [scroller.getBoundingClientRect(), thing.getBoundingClientRect()];
  const [above, below] = [rect.top - view.top - MARGIN, rect.bottom - view.bottom + MARGIN];
  let top = rect.top + rect.height / 2 - view.top - view.height / 2;
  if (block === "nearest") top = above < 0 ? above : Math.max(0, Math.min(below, above));
  if (top) scroller.scrollBy({ top, behavior: smooth ? "smooth" : "auto" });
}

/** Text for screen readers only. */
export const sr = (text) => h("span", { class: "sr" }, text);

const PATHS = {
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  deliver: "M4 12l16-8-6 16-3-6zM11 14l9-10",
  details: "M4 5h16v14H4zM14 5v14",
  down: "M12 5v14M6 13l6 6 6-6",
  inbound: "M18 6L7 17M7 9v8h8",
  outbound: "M6 18L17 7M9 7h8v8",
  keys: "M3 7h18v10H3zM7 10.5h.01M11 10.5h.01M15 10.5h.01M17.5 10.5h.01M8 14h8",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.6-5.6L12 7.200M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.6 5.6L12 16.8",
  moon: "M20 14.500A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.500z",
  pause: "M8 5v14M16 5v14",
  play: "M7 4.500v15l12-7.500z",
  rewind: "M4 5v5h5M4.6 10A8 8 0 1 1 4 13.5",
  forward: "M20 5v5h-5M19.4 10A8 8 0 1 0 20 13.5",
  stop: "M7 7h10v10H7z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4.9 4.900l1.4 1.400M17.7 17.700l1.4 1.400M2 12h2M20 12h2M4.9 19.100l1.4-1.400M17.7 6.300l1.4-1.4",
  system: "M3 5h18v11H3zM9 20h6",
  trash: "M4 7h16M10 4h4M6 7l1 13h10l1-13M10 11v5M14 11v5",
};

const SVG = "http://www.w3.org/2000/svg";

/** A line drawing, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** An SVG of paths that are drawn later, stretched to the space it gets. */
export function lanes(width, height, names) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const paths = {};
  for (const name of names) {
    paths[name] = document.createElementNS(SVG, "path");
    paths[name].setAttribute("class", name);
    svg.append(paths[name]);
  }
  return { svg, paths };
}

let toastTimer;

/** Show a message for a few seconds. */
export function toast(text) {
  const element = byId("toast");
  element.textContent = text;
  element.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => element.classList.remove("shown"), 6000);
}
