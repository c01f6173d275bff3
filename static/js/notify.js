// Tells, if asked to, when a machine goes quiet, stumbles, goes offline, or is back.
import { onChange } from "./changes.js";

const TROUBLES = new Set(["quiet", "stumbled", "offline"]);
const KEY = "fleetweb.notify";
const button = document.getElementById("notify");

const wanted = () => Notification.permission === "granted" && localStorage.getItem(KEY) === "on";
const show = () => button.setAttribute("aria-pressed", String(wanted()));

async function toggle() {
  const on = !wanted() && (await Notification.requestPermission()) === "granted";
  localStorage.setItem(KEY, on ? "on" : "off");
  show();
}

function worthTelling(before, after) {
  return before !== after && (TROUBLES.has(after) || TROUBLES.has(before));
}

function tell(machine) {
  const { node, state } = machine.dataset;
  const sentence = machine.querySelector(".sentence").textContent.trim();
  const body = TROUBLES.has(state) ? sentence : `Back. ${sentence}`;
  new Notification(node, { body, tag: machine.id, icon: document.getElementById("favicon").href });
}

function follow(changes) {
  if (!wanted()) return;
  for (const { type, target, oldValue } of changes) {
    const isMachine = type === "attributes" && target.matches("article[data-node]");
    if (isMachine && worthTelling(oldValue, target.dataset.state)) tell(target);
  }
}

if ("Notification" in window && window.isSecureContext) {
  button.hidden = false;
  button.addEventListener("click", toggle);
  show();
  onChange(follow, ["data-state"]);
}
