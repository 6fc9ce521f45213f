// Requests to the bridge. How they get access (the session cookie, or the token of a link to one call), what an
// error looks like, and the server's time, are known here only.

/** The bridge refused a request: the status, and a message in its own words. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const session = {
  /** Token of a link to one call; it is sent in the query, because links and players cannot send headers. */
  access: null,
  /** Called when the bridge answers 401: there is no session, or it has expired. */
  expired: () => {},
};

/** A URL of ours with its query; empty values are left out. */
export function address(path, query = {}) {
  const given = Object.entries({ ...query, access: session.access });
  const search = new URLSearchParams(given.filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return search.size ? `${path}?${search}` : path;
}

export const callPath = (id, rest = "") => `/calls/${encodeURIComponent(id)}${rest}`;

let skew = 0;

/** Milliseconds since 1970 by the server's clock, so that durations tick right where the reader's clock is wrong. */
export const now = () => Date.now() + skew;

function readClock(response) {
  const told = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds: less than two is not a difference.
  if (!Number.isNaN(told)) skew = Math.abs(told - Date.now()) < 2000 ? 0 : told - Date.now();
}

/** Like fetch, but a refusal is thrown, and a 401 calls `session.expired` first. */
export async function ask(path, { query, body, ...options } = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(address(path, query), {
    ...options,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
  });
  readClock(response);
  if (response.ok) return response;
  const refusal = new Refused(response.status, await sentence(response));
  if (response.status === 401 && path !== "/login") session.expired(refusal);
  throw refusal;
}

export const get = async (path, query, options) => (await ask(path, { query, ...options })).json();
export const post = (path, body) => ask(path, { method: "POST", body });

async function sentence(response) {
  try {
    const { error } = await response.json();
    if (typeof error === "string") return error;
  } catch {
    // Not the bridge's answer: a proxy's page, or an empty body. Only the status is known.
  }
  return `The server answered ${response.status}.`;
}
