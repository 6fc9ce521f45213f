// The page of the API: what /openapi.json says, with a form at each operation to try it.

import { attempt } from "./attempt.js";
import { byId, h } from "./dom.js";
import { fields, inline, kind, prose } from "./kinds.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** A part that is filled when it is opened first. */
function folded(summary, fill, id) {
  const part = h("details", { id, toggle: () => part.open && part.children.length === 1 && part.append(fill()) }, summary);
  return part;
}

function operationPart(method, path, operation, types) {
  const name = h("span", { class: `method ${method}` }, method.toUpperCase());
  const summary = h("summary", {}, name, h("span", { class: "path" }, path), h("span", { class: "hint" }, ...inline(operation.summary)));
  return folded(summary, () => h("div", { class: "operation" },
    ...prose(operation.description),
    h("p", { class: "hint" }, access(operation.security)),
    ...attempt(method, path, operation, types),
    h("h3", {}, "Answers"),
    answers(operation.responses),
  ), `operation-${operation.operationId}`);
}

function access(security = []) {
  const names = security.flatMap((one) => Object.keys(one));
  if (!names.length) return "Open to everyone.";
  return `For ${names.join(", ")}${security.some((one) => !Object.keys(one).length) ? ", or open to everyone" : ""}.`;
}

function answers(responses) {
  const rows = Object.entries(responses).map(([status, { description, content = {} }]) => [
    h("dt", {}, h("code", {}, status)),
    h("dd", {}, ...prose(description), ...Object.entries(content).map(([type, { schema }]) =>
      h("div", { class: "hint" }, `${type}: `, ...kind(schema)))),
  ]);
  return h("dl", { class: "fields" }, ...rows.flat());
}

function typePart([name, schema]) {
  const summary = h("summary", {}, h("span", { class: "path" }, name), h("span", { class: "hint" }, ...inline((schema.description ?? "").split("\n")[0])));
  const file = h("a", { class: "kind", href: `/schemas/${name}.json` }, "JSON Schema");
  return folded(summary, () => h("div", { class: "operation" }, fields(schema), h("p", {}, file)), `type-${name}`);
}

function show(document_) {
  const { info, tags, paths, components } = document_;
  byId("about").append(`Version ${info.version}. ${info.description}`);
  const all = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })));
  for (const { name, description } of tags) {
    const own = all.filter(({ operation }) => operation.tags.includes(name));
    if (!own.length) continue;
    const parts = own.map(({ method, path, operation }) => operationPart(method, path, operation, components.schemas));
    byId("operations").append(h("section", {}, h("h2", {}, name), ...prose(description), ...parts));
  }
  byId("types").append(...Object.entries(components.schemas).map(typePart));
}

/** Open the part that the address names, as a link to a type does. */
function openNamed() {
  const part = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (!part) return;
  part.open = true;
  part.scrollIntoView();
}

const response = await fetch("/openapi.json", { credentials: "same-origin", redirect: "error" });
show(await response.json());
addEventListener("hashchange", openNamed);
openNamed();
