// Tries an operation: a form of what it takes, the request that is made of it, and what was answered.

import { byId, h } from "./dom.js";
import { example, kind, prose } from "./kinds.js";

const MOST = 200_000; // characters of an answer that are shown

const isSent = (operation) => Object.keys(operation.responses).some((status) => status.startsWith("2"));

/** The form of an operation, with the answer below it; nothing for one that a browser cannot ask. */
export function attempt(method, path, operation, types) {
  if (!isSent(operation)) return [h("p", { class: "hint" }, "A socket of its own kind: it cannot be tried here.")];
  const inputs = (operation.parameters ?? []).map((parameter) => ({ parameter, input: inputFor(parameter) }));
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const body = content && bodyFor(type, content.schema, types);
  const answer = h("div", { class: "answer", role: "status" });
  const stop = h("button", { type: "button", hidden: true }, "Stop");
  const send = h("button", { type: "submit", class: "primary" }, "Send");
  const form = h("form", {
    submit: (event) => {
      event.preventDefault();
      perform(requestOf(method, path, inputs, type, body?.value), answer, stop);
    },
  }, ...fieldsOf(inputs), ...(body ? [h("h3", {}, "Body"), body] : []), h("div", { class: "row" }, send, stop), answer);
  return [form];
}

function inputFor({ schema, name, in: place, required }) {
  const attributes = { name, required: place === "path" || required, "aria-label": name, autocomplete: "off", spellcheck: "false" };
  if (!schema.enum) return h("input", { ...attributes, placeholder: schema.default });
  const choices = (required ? [] : [""]).concat(schema.enum);
  return h("select", attributes, ...choices.map((value) => h("option", { value }, value)));
}

function bodyFor(type, schema, types) {
  const given = example(schema, types);
  const text = type === "application/json" ? JSON.stringify(given, null, 1) : new URLSearchParams(given).toString();
  const area = h("textarea", { "aria-label": "Body", spellcheck: "false" });
  area.value = text;
  return area;
}

function fieldsOf(inputs) {
  if (!inputs.length) return [];
  const rows = inputs.map(({ parameter, input }) => [
    h("dt", {}, h("code", {}, parameter.name), h("span", { class: "hint" }, parameter.in)),
    h("dd", {}, input, h("span", { class: "hint" }, ...kind(parameter.schema)), ...prose(parameter.description)),
  ]);
  return [h("h3", {}, "Takes"), h("dl", { class: "fields" }, ...rows.flat())];
}

function requestOf(method, path, inputs, type, body) {
  const [query, headers] = [new URLSearchParams(), {}];
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "" && parameter.in === "query") query.append(parameter.name, input.value);
    else if (input.value !== "") headers[parameter.name] = input.value;
  }
  if (byId("token").value) headers.Authorization = `Bearer ${byId("token").value}`;
  if (body) headers["Content-Type"] = type;
  return { method: method.toUpperCase(), url: query.size ? `${path}?${query}` : path, headers, body: body || undefined };
}

async function perform({ method, url, headers, body }, answer, stop) {
  const leaving = new AbortController();
  const end = () => leaving.abort();
  stop.hidden = false;
  stop.addEventListener("click", end);
  answer.replaceChildren(h("p", { class: "hint" }, `${method} ${url}`));
  try {
    const signal = leaving.signal;
    const response = await fetch(url, { method, headers, body, signal, credentials: "same-origin", cache: "no-store" });
    const told = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const status = h("p", { class: response.ok ? "" : "failed" }, `${response.status} ${response.statusText}`);
    const shown = h("pre", { tabindex: "0", "aria-label": "Answer" });
    answer.append(status, h("pre", {}, told), shown);
    await show(response, shown);
  } catch (error) {
    answer.append(h("p", { class: "failed" }, error.name === "AbortError" ? "Stopped." : "No answer came."));
  } finally {
    stop.removeEventListener("click", end);
    stop.hidden = true;
  }
}

/** What was answered, as it comes: a feed does not end. */
async function show(response, shown) {
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith("text/") && !/json|subrip/.test(type)) {
    const octets = (await response.arrayBuffer()).byteLength;
    shown.textContent = octets ? `${octets.toLocaleString()} octets` : "";
    return;
  }
  let text = "";
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader?.read(); piece && !piece.done; piece = await reader.read()) {
    text += piece.value;
    shown.textContent = text.slice(-MOST);
  }
  if (/json/.test(type) && text.length < MOST) shown.textContent = JSON.stringify(JSON.parse(text), null, 2);
}
