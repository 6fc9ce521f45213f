// Words for times, numbers and reasons. Pure.

/** Seconds of a call as m:ss, from an hour on as h:mm:ss. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Short lengths with a decimal, longer ones as m:ss. */
export function length(seconds) {
  return seconds < 60 ? `${Math.round(seconds * 10) / 10} s` : clock(seconds);
}

const DATE_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
});
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const DAY_AND_YEAR = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

const moment = (iso) => {
  const date = new Date(iso ?? NaN);
  return Number.isNaN(date.getTime()) ? null : date;
};

/** The wall clock, in the reader's own zone and language; "" for what is no time. */
export const wall = (iso) => format(DATE_AND_TIME, iso);
export const dayAndTime = (iso) => format(DAY_AND_TIME, iso);
export const timeOfDay = (iso) => format(TIME, iso);

function format(formatter, iso) {
  const date = moment(iso);
  return date ? formatter.format(date) : "";
}

/** "2026-11-20" in the reader's zone: sorts, and tells days apart. */
export function dayKey(iso) {
  const date = moment(iso) ?? new Date(0);
  const two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function dayName(iso, now) {
  const date = moment(iso);
  if (!date) return "Some day";
  const today = new Date(now);
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (dayKey(date) === dayKey(today)) return "Today";
  if (dayKey(date) === dayKey(yesterday)) return "Yesterday";
  return (date.getFullYear() === today.getFullYear() ? DAY : DAY_AND_YEAR).format(date);
}

/** A party of a call; North American numbers in groups, all else as it is. */
export function party(address) {
  if (!address) return "Unknown";
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(address);
  return american ? `+1 ${american[1]} ${american[2]} ${american[3]}` : address;
}

/** The party at the other end, and our own number; of a recording of which that is not known, its name. */
export function parties(call) {
  const [other, ours] = call.direction === "outbound" ? [call.to, call.from] : [call.from, call.to];
  return { other: party(other ?? ours ?? call.name), ours: other && ours ? party(ours) : null };
}

/** A search text that looks like a telephone number, as the record writes it; null for words. */
export function asNumber(text) {
  if (!/^\+?[\d\s().-]{3,}$/.test(text.trim())) return null;
  const digits = text.replace(/\D/g, "");
  return text.trim().startsWith("+") ? `+${digits}` : digits;
}

const ENDS = {
  stopped: "Hung up",
  carrier_disconnected: "The carrier's connection was lost",
  carrier_silent: "The carrier went silent",
  server_stopping: "The bridge was stopped",
  max_duration: "It had lasted as long as a call may",
  stop_requested: "Its transcription was stopped",
  bridge_restarted: "The bridge was restarted",
  stream_failed: "The stream failed",
};

const GAPS = {
  lost: "lost on the way",
  late: "came too late",
  not_sent: "was not sent",
  not_transcribed: "could not be transcribed",
  overflow: "there was no space to keep it",
  carrier_reconnected: "the carrier connected again",
  bridge_restarted: "the bridge was restarted",
  paused: "the transcription was paused",
};

const plain = (name) => String(name ?? "").replaceAll("_", " ").trim();

export function endReason(reason) {
  const words = ENDS[reason] ?? plain(reason);
  return words ? words[0].toUpperCase() + words.slice(1) : "Ended";
}

export const gapReason = (why) => GAPS[why] ?? plain(why);
