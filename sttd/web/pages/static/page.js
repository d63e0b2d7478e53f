// Times in the reader's own zone and language. The server writes its own: without this script they are read as they are.

const language = document.documentElement.lang;
const forms = {
  day: new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }),
  year: new Intl.DateTimeFormat(language, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
  ever: new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" }),
  long: new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }),
};

function written(when, form) {
  if (form === "long") return forms.long.format(when);
  const now = new Date();
  if (when.toDateString() === now.toDateString()) return forms.day.format(when);
  return (when.getFullYear() === now.getFullYear() ? forms.year : forms.ever).format(when);
}

export function localize(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const when = new Date(each.dateTime);
    if (isNaN(when)) continue;
    const text = written(when, each.dataset.form);
    if (each.textContent !== text) each.textContent = text;
    each.title = forms.long.format(when);
  }
}

localize(document);
