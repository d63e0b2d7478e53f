// A long transcript comes in pieces: each one's last line leads to the next, which is put in its place.
import { localize } from "./page.js";

const text = document.getElementById("text");
const parser = new DOMParser();

async function fill() {
  for (let more; (more = text.querySelector(".more a")); ) {
    const answer = await fetch(more.href);
    if (!answer.ok) return;
    const found = parser.parseFromString(await answer.text(), "text/html").body;
    more.parentElement.replaceWith(...found.childNodes);
    localize(text);
    text.dispatchEvent(new Event("grown"));
  }
}

fill().catch(() => {}); // the link stays, for the reader
