// What a schema is, for people: its name, or what it is made of; and an example of it.

import { h } from "./dom.js";

const REF = "#/components/schemas/";

/** Text of the document, with what stands in backticks as code. */
export const inline = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

/** The same as paragraphs. */
export const prose = (text) => (text ?? "").split("\n\n").filter(Boolean).map((part) => h("p", {}, ...inline(part)));

export const nameOf = (schema) => schema?.$ref?.replace(REF, "");

/** The words for a schema, a type's name as a link to it. */
export function kind(schema) {
  const name = nameOf(schema);
  if (name) return [h("a", { class: "kind", href: `#type-${name}` }, name)];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.flatMap((one, index) => (index ? [" or ", ...kind(one)] : kind(one)));
  if (schema.allOf) return kind(schema.allOf[0]);
  if (schema.const !== undefined) return [h("code", {}, JSON.stringify(schema.const))];
  if (schema.enum) return [h("code", {}, schema.enum.map((value) => JSON.stringify(value)).join(" | "))];
  const types = [schema.type ?? "anything"].flat().join(" or ");
  if (schema.items) return [`${types} of `, ...kind(schema.items)];
  if (typeof schema.additionalProperties === "object") return [`${types} of `, ...kind(schema.additionalProperties)];
  return [schema.format ? `${types}, ${schema.format}` : types];
}

/** The fields of a type with their kinds and what is said of them. */
export function fields(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, value]) => [
    h("dt", {}, h("code", {}, name), required.has(name) ? null : h("span", { class: "hint" }, "may be left out")),
    h("dd", {}, h("span", {}, ...kind(value)), ...prose(value.description).map((text) => h("div", { class: "hint" }, text))),
  ]);
  return rows.length ? h("dl", { class: "fields" }, ...rows.flat()) : h("p", {}, ...kind(schema));
}

/** A value that fits a schema, to begin with. */
export function example(schema, types, depth = 0) {
  const name = nameOf(schema);
  if (name) return depth > 4 ? {} : example(types[name], types, depth + 1);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  const [first] = [schema.type].flat();
  if (first === "object") {
    const wanted = schema.required?.length ? schema.required : [];
    return Object.fromEntries(wanted.map((field) => [field, example(schema.properties[field], types, depth + 1)]));
  }
  return { array: [], boolean: true, integer: schema.minimum ?? 0, number: schema.minimum ?? 0, string: "" }[first] ?? null;
}
