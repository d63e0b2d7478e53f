// The player: it marks the word that is heard, and plays the word that is clicked.

const media = document.getElementById("media");
const player = document.getElementById("player");
const text = document.getElementById("text");
const [play, seek, speed, follow, played] = ["play", "seek", "speed", "follow", "played"].map((id) => document.getElementById(id));
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// where things are said

let segments = []; // in the order of their beginnings: {node, start, end, words, starts}

function gather() {
  segments = [...(text?.querySelectorAll(".said") ?? [])].map((node) => ({
    node, start: Number(node.dataset.t), end: Number(node.dataset.e), words: node.children, guessed: node.classList.contains("guessed"),
  }));
}

function last(list, time, start) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start(list[middle]) <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const EPSILON = 0.02; // seconds: a player lands a moment before where it was sent
const segmentAt = (time) => last(segments, time + EPSILON, (each) => each.start);

let marked = [];

function mark(time) {
  const segment = segments[segmentAt(time)];
  const nodes = [];
  if (segment && time < segment.end + 0.3) {
    nodes.push(segment.node);
    const word = segment.guessed ? -1 : last(segment.words, time + EPSILON, (each) => Number(each.dataset.t));
    if (word >= 0) nodes.push(segment.words[word]);
  }
  if (nodes.length === marked.length && nodes.every((node, index) => node === marked[index])) return;
  marked.forEach((node) => nodes.includes(node) || node.classList.remove("now"));
  nodes.forEach((node) => node.classList.add("now"));
  marked = nodes;
  if (follow.checked && nodes.length) bring(nodes[nodes.length - 1]);
}

function bring(node, always = false) {
  const seen = node.getBoundingClientRect();
  const room = innerHeight - player.offsetHeight;
  if (!always && seen.top > 60 && seen.bottom < room - 40) return;
  scrollBy({ top: seen.top - room / 3, behavior: calm.matches ? "auto" : "smooth" });
}

// A reader who scrolls away wants to read there.
for (const event of ["wheel", "touchmove"]) {
  addEventListener(event, () => { if (!media.paused) follow.checked = false; }, { passive: true });
}

// time

function clock(seconds) {
  const whole = Math.floor(seconds), rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

const length = () => (Number.isFinite(media.duration) ? media.duration : Number(seek.max));
let spoken = -1;

function show() {
  const time = media.currentTime;
  mark(time);
  if (seek !== document.activeElement || !seek.matches(":active")) seek.value = time;
  played.setAttribute("width", length() ? (played.ownerSVGElement.viewBox.baseVal.width * time) / length() : 0);
  if (Math.floor(time) === spoken) return;
  spoken = Math.floor(time);
  document.getElementById("at").textContent = clock(time);
  seek.setAttribute("aria-valuetext", player.dataset.position.replace("{at}", clock(time)).replace("{all}", clock(length())));
}

function run() {
  show();
  if (!media.paused && !media.ended) requestAnimationFrame(run);
}

function go(time, andPlay = false) {
  media.currentTime = Math.min(Math.max(0, time), length() || Infinity);
  show();
  if (andPlay) media.play().catch(() => {}); // a browser may want a click first
}

media.addEventListener("loadedmetadata", () => {
  seek.max = length();
  document.getElementById("all").textContent = clock(length());
  show();
});
media.addEventListener("play", () => { state(); run(); });
media.addEventListener("pause", state);
media.addEventListener("seeked", show);
media.addEventListener("timeupdate", show);
media.addEventListener("error", () => { document.getElementById("problem").textContent = player.dataset.problem; });

function state() {
  play.classList.toggle("on", !media.paused);
  play.setAttribute("aria-label", media.paused ? player.dataset.play : player.dataset.pause);
}

const toggle = () => (media.paused ? media.play().catch(() => {}) : media.pause());

// what a person does

play.addEventListener("click", toggle);
document.getElementById("back").addEventListener("click", () => go(media.currentTime - 5));
document.getElementById("on").addEventListener("click", () => go(media.currentTime + 5));
seek.addEventListener("input", () => go(Number(seek.value)));
speed.addEventListener("change", () => pace(speed.value));
follow.addEventListener("change", () => follow.checked && marked.length && bring(marked[marked.length - 1], true));
text?.addEventListener("click", (event) => {
  const found = event.target.closest("[data-t]");
  if (!found || String(getSelection())) return; // who selects text wants to copy it
  follow.checked = true;
  go(Number(found.dataset.t), true);
});

function pace(value) {
  if (![...speed.options].some((each) => each.value === value)) return;
  speed.value = value;
  media.playbackRate = Number(value);
  localStorage.setItem("speed", value);
}

function step(by) {
  const now = segmentAt(media.currentTime);
  const to = segments[Math.min(Math.max(0, now + by), segments.length - 1)];
  if (!to) return;
  go(to.start);
  if (follow.checked) bring(to.node);
}

const faster = (by) => pace(speed.options[Math.min(Math.max(0, speed.selectedIndex + by), speed.options.length - 1)].value);
const keys = {
  " ": toggle,
  ArrowLeft: () => go(media.currentTime - 5),
  ArrowRight: () => go(media.currentTime + 5),
  j: () => step(1),
  k: () => step(-1),
  ",": () => faster(-1),
  ".": () => faster(1),
  f: () => follow.click(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const target = event.target;
  if (target.closest("input:not(#seek, #follow), textarea, select, video")) return;
  if (event.key === " " && target.closest("button, a, summary, #follow")) return; // they have their own
  // by the key's place where another script is typed: Thai has no j
  const key = event.key.length === 1 && event.key > "~" && event.code.startsWith("Key") ? event.code.slice(3) : event.key;
  const act = keys[key.length === 1 ? key.toLowerCase() : key];
  if (!act) return;
  event.preventDefault();
  act();
});

// beginning

gather();
text?.addEventListener("grown", () => { gather(); arrive(); });
if (media.localName === "audio") media.controls = false;
document.getElementById("controls").hidden = false;
pace(localStorage.getItem("speed") ?? "1");
if ("mediaSession" in navigator) navigator.mediaSession.metadata = new MediaMetadata({ title: player.dataset.title });

// A hit of the search leads to a second: #t=12.3 (Media Fragments URI 1.0, 4.2.1)
let wanted = Number(/^#t=([\d.]+)$/.exec(location.hash)?.[1] ?? NaN);

function arrive() {
  if (isNaN(wanted)) return;
  const segment = segments[segmentAt(wanted)];
  if (!segment || (wanted > segment.end && text.querySelector(".more"))) return;
  const time = wanted;
  wanted = NaN;
  go(time);
  bring(marked[marked.length - 1] ?? segment.node, true);
}

addEventListener("hashchange", () => {
  wanted = Number(/^#t=([\d.]+)$/.exec(location.hash)?.[1] ?? NaN);
  arrive();
});
arrive();
