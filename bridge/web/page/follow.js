// Keeps the words that are being spoken in view, until the reader scrolls elsewhere.
//
// Two things can be followed: the end of a live call, and the voice of a recording. Scrolling away stops it and shows a
// button that goes back; scrolling down to the end of a live call goes on with it too.

import { bring, icon } from "./dom.js";

const NEAR = 48; // pixels from the end that still count as the end
const GLIDE = 700; // milliseconds that a scroll of ours may take
const EDGE = 0.2; // share of the view, at its top and bottom, in which the voice is not left

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Follow {
  #scroller;
  #button;
  #mode = null;
  #following = true;
  #top = 0;
  #gliding = 0;
  #news = 0;
  #spot = null;

  constructor(scroller, content, button) {
    this.#scroller = scroller;
    this.#button = button;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroller.addEventListener("wheel", (event) => this.#pushed(event.deltaY < 0), { passive: true });
    scroller.addEventListener("touchmove", () => this.#pushed(false), { passive: true });
    new ResizeObserver(() => this.#pin()).observe(content);
    new ResizeObserver(() => this.#pin()).observe(scroller);
    button.addEventListener("click", () => this.now());
  }

  /** What to follow: "live", "voice" or null. */
  set mode(mode) {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#resume();
    if (mode !== "voice") this.#spot = null;
    this.#pin();
  }

  get following() {
    return this.#following;
  }

  /** So many lines were added. */
  arrived(count) {
    if (this.#mode !== "live") return;
    if (this.#following) this.#pin();
    else this.#news += count;
    this.#show();
  }

  /** The recording is at this place now, an element or a range. */
  spot(place) {
    if (!place || place === this.#spot) return;
    this.#spot = place;
    if (this.#mode === "voice" && this.#following && !this.#isInView(place)) this.#glide();
  }

  #isInView(place) {
    const [view, rect] = [this.#scroller.getBoundingClientRect(), place.getBoundingClientRect()];
    const edge = EDGE * view.height;
    return rect.height > 0 && rect.top >= view.top + edge && rect.bottom <= view.bottom - edge;
  }

  /** Scroll back to the words that are being spoken. */
  now() {
    this.#resume();
    if (this.#mode === "voice") this.#glide();
    else this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #resume() {
    this.#following = true;
    this.#news = 0;
    this.#show();
  }

  #leave() {
    this.#following = false;
    this.#show();
  }

  #pin() {
    if (this.#mode === "live" && this.#following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #glide() {
    const element = this.#spot?.startContainer ?? this.#spot;
    if (!element?.isConnected) return;
    this.#gliding = performance.now() + GLIDE;
    bring(this.#scroller, this.#spot, { smooth: !calm.matches });
  }

  /** The reader scrolls by hand: act at once, without waiting for the scroll event. */
  #pushed(up) {
    if (this.#mode === "voice" || (up && this.#mode === "live" && this.#scroller.scrollTop > 0)) this.#leave();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const up = scrollTop < this.#top - 2;
    this.#top = scrollTop;
    if (this.#mode === "live") {
      const atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
      if (atEnd && !this.#following && !up) this.#resume();
      else if (up && !atEnd) this.#leave();
    } else if (this.#mode === "voice" && performance.now() > this.#gliding) {
      this.#leave();
    }
  }

  #show() {
    this.#button.hidden = this.#following || this.#mode === null;
    if (this.#button.hidden) return;
    const text = this.#mode === "voice" ? "Back to the voice" : "Jump to now";
    const news = this.#mode === "live" && this.#news ? ` (${this.#news} new)` : "";
    this.#button.replaceChildren(icon("down"), text + news);
  }
}
