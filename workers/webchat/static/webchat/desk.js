/** What a desk of human agents tells beside what its agents write; the words are those of broker/domain/desks.py. */

import { LABELS } from "./labels.js";

const OF_A_MESSAGE = "agent.message";

/** The desk's event in what a stub told the page; null for any other. */
export function deskEventOf(control) {
  return typeof control?.desk === "string" && typeof control.type === "string" ? control : null;
}

/** Whether it is about something that an agent wrote: that has a bubble, everything else a line. */
export function isOfMessage(event) {
  return event.type === OF_A_MESSAGE || event.type.startsWith(`${OF_A_MESSAGE}.`);
}

/** Our own words for what the desk itself has none for; "" where there is nothing to tell. */
export function lineOf(event) {
  return LABELS.desk[event.type]?.(event.agent?.name || LABELS.agent) ?? "";
}

/** An agent has changed what is shown already; what the desk says of that is for channels that cannot change it. */
export function changeBubble(bubble, event) {
  const isDeleted = event.type === "agent.message.deleted";
  bubble.dataset.state = isDeleted ? "deleted" : "edited";
  bubble.querySelector(".body").textContent = isDeleted ? LABELS.deleted : event.text ?? "";
  bubble.querySelector(".state").textContent = isDeleted ? "" : LABELS.edited;
}
