// Makes a fragment of the page what the server says it is now, and touches nothing that is so already: focus, selection, scroll
// position and what a screen reader has said stay. Children with a data-key are known again wherever they are.

export function morph(now, wanted) {
  for (const { name } of [...now.attributes]) {
    if (!wanted.hasAttribute(name) && name !== "title") now.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  const keyed = new Map();
  for (const child of now.children) {
    if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
  }
  let at = now.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = child.nodeType === Node.ELEMENT_NODE ? child.dataset.key : undefined;
    const same = key === undefined ? at : keyed.get(key);
    if (same && isAlike(same, child) && (key !== undefined || !isKeyed(same))) {
      if (same !== at) now.insertBefore(same, at);
      else at = at.nextSibling;
      if (child.nodeType === Node.ELEMENT_NODE) morph(same, child);
      else if (same.data !== child.data) same.data = child.data;
    } else {
      now.insertBefore(document.importNode(child, true), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function isAlike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}

function isKeyed(node) {
  return node.nodeType === Node.ELEMENT_NODE && node.dataset.key !== undefined;
}
