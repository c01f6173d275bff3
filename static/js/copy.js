// Copies what stands in the element that a button names, and says that it did.
import { onChange } from "./changes.js";

function show() {
  for (const button of document.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
}

// Browsers keep the clipboard from pages without TLS, such as those of a machine in the house.
function copySelected(source) {
  getSelection().selectAllChildren(source);
  return document.execCommand("copy");
}

export async function copy(source) {
  if (!navigator.clipboard) return copySelected(source);
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    return copySelected(source);
  }
}

async function answer({ target }) {
  const button = target.closest?.("button[data-copy]");
  if (!button) return;
  const copied = await copy(document.getElementById(button.dataset.copy));
  button.nextElementSibling.textContent = copied ? "Copied." : "Selected: copy it from there.";
}

document.addEventListener("click", answer);
onChange(show, []);
