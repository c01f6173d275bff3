// Keys of the playground, what can be stopped, copy buttons over code.
import { copy } from "./copy.js";
import { onChange } from "./changes.js";

const turnCount = () => document.querySelectorAll("#turns > .turn").length;
let composer = document.getElementById("composer");
let turns = turnCount();

function keys(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (!composer) return;
    event.preventDefault();
    composer.requestSubmit(composer.querySelector(".send"));
  }
  if (event.key === "Escape") document.querySelector("#stop-all:not([hidden])")?.click();
}

async function copyCode({ target }) {
  const button = target.closest?.("button[data-copy-code]");
  if (!button) return;
  const copied = await copy(button.closest(".code").querySelector("pre code"));
  button.textContent = copied ? "Copied" : "Selected";
}

// A prompt that was sent leaves an empty box, ready for the next; the answer to it is what is looked at.
function goOn() {
  const sent = document.getElementById("composer");
  if (sent && sent !== composer) {
    composer = sent;
    composer.querySelector("#id_prompt").focus({ preventScroll: true });
  }
  if (turnCount() > turns) document.querySelector("#turns > .turn:last-child").scrollIntoView();
  turns = turnCount();
}

// Only what is under way can be stopped.
function follow() {
  goOn();
  const stop = document.getElementById("stop-all");
  const open = document.querySelector(".standing:not([data-over])");
  if (stop && stop.hidden !== !open) stop.hidden = !open;
}

document.addEventListener("keydown", keys);
document.addEventListener("click", copyCode);
if (composer) onChange(follow, ["data-over"]);
