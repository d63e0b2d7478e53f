// Fragments of the page that change by themselves: [data-live="now"] with each event, [data-live="ledger"] when a job has changed.
import { localize } from "./page.js";
import { morph } from "./morph.js";

const fragments = [...document.querySelectorAll("[data-live]")];
const parser = new DOMParser();
const waiting = new Map(); // what a fragment is to become when nobody points at it any more

function show(fragment, html) {
  const wanted = fragment.cloneNode(false);
  wanted.append(...parser.parseFromString(html, "text/html").body.childNodes);
  localize(wanted);
  if (moves(fragment, wanted) && fragment.matches(":hover, :focus-within")) waiting.set(fragment, html);
  else morph(fragment, wanted), waiting.delete(fragment);
  if ("open" in fragment.dataset && fragment.querySelector("[data-ended]")) location.reload(); // there is more to see now
}

// A list that grows would put another line below the pointer or the focus: that waits until they are elsewhere.
function moves(fragment, wanted) {
  const keys = (root) => [...root.querySelectorAll(".jobs > [data-key]")].map((each) => each.dataset.key).join();
  return keys(fragment) !== keys(wanted);
}

for (const fragment of fragments) {
  for (const event of ["pointerleave", "focusout"]) {
    fragment.addEventListener(event, () => setTimeout(() => waiting.has(fragment) && show(fragment, waiting.get(fragment))));
  }
}

const asked = new Map(); // fragments that are being fetched; true: again, once that has come

async function renew(fragment) {
  if (asked.has(fragment)) return asked.set(fragment, true);
  asked.set(fragment, false);
  try {
    const answer = await fetch(fragment.dataset.fragment);
    if (answer.ok) show(fragment, await answer.text());
  } catch {
    // the connection is gone: the stream of events comes back by itself, and with it the next try
  }
  const again = asked.get(fragment);
  asked.delete(fragment);
  if (again) renew(fragment);
}

let source;

function open() {
  source = new EventSource("/live");
  source.addEventListener("now", (event) => {
    for (const fragment of fragments) {
      if (fragment.dataset.fragment === undefined) show(fragment, event.data);
      else if (fragment.dataset.live === "now") renew(fragment);
    }
  });
  source.addEventListener("ledger", () => {
    fragments.filter((fragment) => fragment.dataset.live === "ledger").forEach(renew);
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
