// Recordings that are dropped on the page, or chosen: each goes by PUT, one after the other, and says what became of it.

const section = document.getElementById("upload");
const zone = section.querySelector(".zone");
const list = section.querySelector(".files");
const says = section.dataset;
let queue = Promise.resolve();

function row(name) {
  const item = document.createElement("li");
  const title = document.createElement("span");
  title.className = "name";
  title.textContent = name;
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", says.progress.replace("{name}", name));
  const stop = document.createElement("button");
  stop.type = "button";
  stop.textContent = says.stop;
  const words = document.createElement("span");
  words.className = "words";
  words.textContent = says.waits;
  item.append(title, bar, stop, words);
  list.append(item);
  return { item, bar, stop, words };
}

function finish({ item, bar, stop, words }, kind, text, meaning = "") {
  bar.remove();
  stop.remove();
  item.classList.add(kind);
  words.textContent = meaning || text;
  if (!meaning) return;
  const original = document.createElement("span"); // as the server said it
  original.className = "original";
  original.lang = "en";
  original.textContent = text;
  words.append(" ", original);
}

function send(file, shown) {
  return new Promise((done) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far it is
    request.open("PUT", `/api/v1/files/${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => { shown.bar.value = event.loaded / event.total; };
    request.onload = () => {
      const answer = read(request.responseText);
      if (request.status < 300) {
        finish(shown, "good", says.taken);
        arrived.set(shown, answer.ticket);
      } else finish(shown, "bad", answer.error ?? request.statusText, says[`refused${request.status}`]);
      done();
    };
    request.onerror = () => { finish(shown, "bad", says.lost); done(); };
    request.onabort = () => { finish(shown, "bad", says.stopped); done(); };
    shown.words.textContent = "";
    shown.stop.onclick = () => request.abort();
    request.send(file);
  });
}

// What has arrived becomes a job when the daemon has looked at it: its line leads there then.
const arrived = new Map();

document.addEventListener("ledger", async () => {
  for (const [shown, ticket] of arrived) {
    const answer = await fetch(`/api/v1/jobs/${ticket}`).catch(() => null);
    const job = answer?.ok ? (await answer.json()).job : null;
    if (!job) continue;
    arrived.delete(shown);
    const link = document.createElement("a");
    link.href = `/jobs/${job}`;
    link.textContent = says.queued;
    shown.words.replaceChildren(link);
  }
});

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { error: text.slice(0, 300) };
  }
}

function take(files) {
  for (const file of files) {
    const shown = row(file.name);
    let stopped = false;
    shown.stop.onclick = () => { stopped = true; finish(shown, "bad", says.stopped); };
    queue = queue.then(() => (stopped ? null : send(file, shown)));
  }
}

section.querySelector("input").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
let depth = 0; // of elements that are dragged over

addEventListener("dragenter", (event) => {
  if (!holdsFiles(event)) return;
  depth += 1;
  zone.classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!holdsFiles(event)) return;
  depth -= 1;
  if (depth <= 0) zone.classList.remove("over");
});
addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  depth = 0;
  zone.classList.remove("over");
  if (!holdsFiles(event)) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});
