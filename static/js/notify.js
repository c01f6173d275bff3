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

// Asking whether it is permitted makes the browser's own process answer: only when there is news.
function follow(changes) {
  const machines = changes
    .filter(({ type, target, oldValue }) => type === "attributes"
      && target.matches("article[data-node]") && worthTelling(oldValue, target.dataset.state))
    .map(({ target }) => target);
  if (machines.length && wanted()) machines.forEach(tell);
}

if ("Notification" in window && window.isSecureContext) {
  button.hidden = false;
  button.addEventListener("click", toggle);
  show();
  onChange(follow, ["data-state"]);
}
