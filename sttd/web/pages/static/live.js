// Parts of the page that change by themselves: [data-live="now"] with each event, [data-live="ledger"] when a job has changed.
import { localize } from "./page.js";
import { morph } from "./morph.js";

const parts = [...document.querySelectorAll("[data-live]")];
const parser = new DOMParser();
const waiting = new Map(); // what a part is to become when nobody points at it any more

function show(part, html) {
  const wanted = part.cloneNode(false);
  wanted.append(...parser.parseFromString(html, "text/html").body.childNodes);
  localize(wanted);
  if (moves(part, wanted) && part.matches(":hover, :focus-within")) waiting.set(part, html);
  else morph(part, wanted), waiting.delete(part);
  if ("open" in part.dataset && part.querySelector("[data-ended]")) location.reload(); // there is more to see now
}

// A list that grows would put another line below the pointer or the focus: that waits until they are elsewhere.
function moves(part, wanted) {
  const keys = (root) => [...root.querySelectorAll(".jobs > [data-key]")].map((each) => each.dataset.key).join();
  return keys(part) !== keys(wanted);
}

for (const part of parts) {
  for (const event of ["pointerleave", "focusout"]) {
    part.addEventListener(event, () => setTimeout(() => waiting.has(part) && show(part, waiting.get(part))));
  }
}

const asked = new Map(); // parts that are being fetched; true: again, once that has come

async function renew(part) {
  if (asked.has(part)) return asked.set(part, true);
  asked.set(part, false);
  try {
    const answer = await fetch(part.dataset.part);
    if (answer.ok) show(part, await answer.text());
  } catch {
    // the connection is gone: the stream of events comes back by itself, and with it the next try
  }
  const again = asked.get(part);
  asked.delete(part);
  if (again) renew(part);
}

let source;

function open() {
  source = new EventSource("/live");
  source.addEventListener("now", (event) => {
    for (const part of parts) {
      if (part.dataset.part === undefined) show(part, event.data);
      else if (part.dataset.live === "now") renew(part);
    }
  });
  source.addEventListener("ledger", () => {
    parts.filter((part) => part.dataset.live === "ledger").forEach(renew);
    document.dispatchEvent(new Event("ledger"));
  });
}

// A tab that nobody sees holds no connection: a browser has six to one server.
function see() {
  if (document.hidden) source?.close();
  else if (!source || source.readyState === EventSource.CLOSED) open();
}

document.addEventListener("visibilitychange", see);
see();
