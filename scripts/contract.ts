// A consumer, for the compiler alone: the types tell events apart, and know what each says.
import type { CallPage, Delivery, FeedEvent, TranscriptFinal, paths } from "./bridge";

export function said(delivery: Delivery): string[] {
  const lines: string[] = [];
  for (const event of delivery.events) {
    switch (event.type) {
      case "transcript.final":
        lines.push(`${event.seq} ${event.data.speaker}: ${event.data.words.map((word) => word.text).join(" ")}`);
        break;
      case "call.ended":
        lines.push(`${delivery.call.id} ${event.data.reason} after ${event.data.duration.toFixed(1)} s`);
        break;
      case "transcript.interim":
        // @ts-expect-error what is not durable has no number
        lines.push(event.seq);
    }
  }
  return lines;
}

export const callOf = (event: FeedEvent): string => event.call_id;

export const confident = (final: TranscriptFinal): boolean => final.confidence > 0.9 && final.source === "live";

type Page = paths["/calls"]["get"]["responses"][200]["content"]["application/json"];

export const next = (page: Page): CallPage["next"] => page.next;
