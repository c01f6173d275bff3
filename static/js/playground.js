// Keys of the playground, what can be stopped, copy buttons over code.
import { copy } from "./copy.js";
import { onChange } from "./changes.js";

const composer = document.getElementById("composer");

function keys(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = event.target.closest?.("#composer") ?? document.getElementById("composer");
    if (!form) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector(".send"));
  }
  if (event.key === "Escape") document.querySelector("#stop-all:not([hidden])")?.click();
}

async function copyCode({ target }) {
  const button = target.closest?.("button[data-copy-code]");
  if (!button) return;
  const copied = await copy(button.closest(".code").querySelector("pre code"));
  button.textContent = copied ? "Copied" : "Selected";
}

// What is under way can be stopped; what is over can be asked again.
function follow() {
  const stop = document.getElementById("stop-all");
  const open = document.querySelector(".standing:not([data-over])");
  if (stop && stop.hidden !== !open) stop.hidden = !open;
}

document.addEventListener("keydown", keys);
document.addEventListener("click", copyCode);
if (composer) onChange(follow, ["data-over"]);
